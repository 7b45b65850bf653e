#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "actors/broker/node_identity.hpp"
#include "core/clock.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using actors::broker::make_identity;
using actors::broker::node_identity;
namespace fs = std::filesystem;

struct made_identity {
  made_identity() { BOOST_REQUIRE(make_identity(directory, now)); }
  [[nodiscard]] std::string refusal(core::wall_time at) const {
    const auto loaded = node_identity::load(directory, at);
    return loaded ? "" : loaded.error().detail;
  }
  temp_dir home;
  std::string directory = (home / "tls").string();
  core::wall_time now = core::system_clock().now();
};

BOOST_FIXTURE_TEST_SUITE(actors_broker_identity, made_identity)

BOOST_AUTO_TEST_CASE(what_was_made_is_closed_to_others_and_can_be_loaded) {
  BOOST_TEST(refusal(now) == "");
  BOOST_TEST(refusal(now + 24h * 3649) == "");
  struct stat about {};
  BOOST_REQUIRE(::stat(directory.c_str(), &about) == 0);
  BOOST_TEST((about.st_mode & 0777) == 0700u);
  std::size_t files = 0;
  for (const auto& each : fs::directory_iterator(directory)) {
    BOOST_REQUIRE(::stat(each.path().c_str(), &about) == 0);
    BOOST_TEST((about.st_mode & 0777) == 0600u);
    ++files;
  }
  // The authority's key is not among them.
  BOOST_TEST(files == 3u);
}

BOOST_AUTO_TEST_CASE(it_is_made_once) {
  const auto again = make_identity(directory, now);
  BOOST_REQUIRE(!again);
  BOOST_TEST(again.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(an_attempt_that_was_cut_off_is_made_again) {
  const std::string other = (home / "other").string();
  fs::create_directories(other + ".tmp");
  std::ofstream(other + ".tmp/ca.crt") << "half";
  BOOST_TEST(make_identity(other, now));
  BOOST_TEST(node_identity::load(other, now));
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_says_so) {
  BOOST_TEST(refusal(now + 24h * 3651).find("has expired") != std::string::npos);
  BOOST_TEST(refusal(now - 24h).find("not valid yet") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_key_that_others_may_read_is_refused) {
  fs::permissions(directory + "/node.key", fs::perms::owner_read | fs::perms::others_read);
  BOOST_TEST(refusal(now).find("have access") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(files_of_two_clusters_do_not_mix) {
  const std::string other = (home / "other").string();
  BOOST_REQUIRE(make_identity(other, now));
  fs::copy_file(other + "/ca.crt", directory + "/ca.crt", fs::copy_options::overwrite_existing);
  BOOST_TEST(refusal(now).find("not signed by the authority") != std::string::npos);
  fs::copy_file(other + "/node.crt", directory + "/node.crt", fs::copy_options::overwrite_existing);
  BOOST_TEST(refusal(now).find("the key does not belong to") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_certificate_or_missing_or_huge_is_refused) {
  fs::resize_file(directory + "/node.crt", 100);
  BOOST_TEST(refusal(now).find("holds no certificate") != std::string::npos);
  fs::resize_file(directory + "/node.crt", 1u << 20);
  BOOST_TEST(refusal(now).find("too large") != std::string::npos);
  fs::remove(directory + "/node.crt");
  const auto loaded = node_identity::load(directory, now);
  BOOST_REQUIRE(!loaded);
  BOOST_TEST(loaded.error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
