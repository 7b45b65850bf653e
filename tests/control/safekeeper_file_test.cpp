#include "control/safekeeper_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "control/safekeeper_addresses.hpp"
#include "control/server_file.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;
using control::read_safekeeper_file;

/// A server's directory with safekeeper 2.
struct with_safekeeper {
  with_safekeeper() {
    fs::create_directories(directory);
    save();
  }
  void save() const { BOOST_REQUIRE(control::write_safekeeper_file(directory, file).has_value()); }
  [[nodiscard]] std::string text() const {
    std::ifstream in(directory + "/safekeeper.json");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const std::string& text) const { std::ofstream(directory + "/safekeeper.json") << text; }
  [[nodiscard]] auto locate(std::uint16_t port, std::uint64_t id = 2) const {
    return control::locate_safekeeper(server, {{id}, "127.0.0.1", port});
  }

  temp_dir home;
  std::string server = (home / "server").string();
  std::string directory = control::safekeeper_directory(server, 2);
  control::safekeeper_file file{.pid = ::getpid(),
                                .id = 2,
                                .wal = "127.0.0.1:7002",
                                .http = "127.0.0.1:8002",
                                .version = "1",
                                .started = "now",
                                .instance = core::make_id<core::instance_id>(),
                                .addresses = {"127.0.0.1:7002"}};
};

BOOST_FIXTURE_TEST_SUITE(control_safekeeper_file, with_safekeeper)

BOOST_AUTO_TEST_CASE(it_comes_back_as_it_was_written) {
  const auto read = read_safekeeper_file(directory).value();
  BOOST_TEST(read.id == 2u);
  BOOST_TEST((read.instance == file.instance));
  BOOST_TEST(read.addresses == file.addresses, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_changed_digit_of_id_or_instance_is_found) {
  const std::string good = text();
  const std::string instance = core::to_string(file.instance);
  for (std::size_t i = 0; i < instance.size(); ++i) {
    std::string bad = good;
    char& digit = bad[good.find(instance) + i];
    digit = digit == '0' ? '1' : '0';
    put(bad);
    BOOST_TEST(read_safekeeper_file(directory).error().code == core::errc::corrupt);
  }
  std::string other = good;
  other.replace(other.find("\"id\": 2"), 7, "\"id\": 3");
  put(other);
  BOOST_TEST(read_safekeeper_file(directory).error().code == core::errc::corrupt);
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, good.size() / 2}) {
    put(good.substr(0, length));
    BOOST_TEST(read_safekeeper_file(directory).error().code == core::errc::corrupt);
  }
}

BOOST_AUTO_TEST_CASE(a_file_of_an_older_version_is_taken) {
  put(R"({"pid": 1, "id": 2, "wal": "127.0.0.1:7002", "http": "127.0.0.1:8002", "version": "0", "started": "then",
          "instance": "0123456789abcdef0123456789abcdef"})");
  const auto read = read_safekeeper_file(directory).value();
  BOOST_TEST(core::to_string(read.instance) == "0123456789abcdef0123456789abcdef");
  BOOST_TEST(read.addresses == std::vector<std::string>{"127.0.0.1:7002"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_address_that_was_edited_by_hand_is_one_more) {
  std::string moved = text();
  moved.replace(moved.find("127.0.0.1:7002"), 14, "127.0.0.1:7102");
  if (moved.find("\"wal\": \"127.0.0.1:7102\"") == std::string::npos) {  // the list comes first
    moved = text();
    const auto wal = moved.find("\"wal\": ");
    moved.replace(moved.find("7002", wal), 4, "7102");
  }
  put(moved);
  const auto read = read_safekeeper_file(directory).value();
  BOOST_TEST(read.wal == "127.0.0.1:7102");
  BOOST_TEST(read.addresses == (std::vector<std::string>{"127.0.0.1:7002", "127.0.0.1:7102"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_directory_keeps_timelines_when_there_are_or_were_some) {
  BOOST_TEST(!control::keeps_timelines(directory));
  fs::create_directories(directory + "/timelines");
  fs::create_directories(directory + "/deleted");
  BOOST_TEST(!control::keeps_timelines(directory));
  std::ofstream(directory + "/deleted/some") << "";
  BOOST_TEST(control::keeps_timelines(directory));
  fs::remove(directory + "/deleted/some");
  fs::create_directories(directory + "/timelines/some");
  BOOST_TEST(control::keeps_timelines(directory));
}

BOOST_AUTO_TEST_CASE(a_member_is_found_where_it_is_now_by_every_address_it_had) {
  const auto lock = control::directory_lock::take(directory);
  BOOST_REQUIRE(lock.has_value());
  file.wal = "127.0.0.1:7202";
  file.addresses = {"127.0.0.1:7002", "127.0.0.1:7102", "127.0.0.1:7202"};
  save();
  for (const std::uint16_t port : {7002, 7102, 7202}) {
    const auto at = locate(port).value();
    BOOST_TEST(at.port == 7202);
    BOOST_TEST(at.expected.id == 2u);
    BOOST_TEST((at.expected.instance == file.instance));
    BOOST_TEST(at.expected.process == ::getpid());
  }
  // A proxy is what the configuration wants; but the same safekeeper must answer.
  const auto proxy = locate(9999).value();
  BOOST_TEST(proxy.port == 9999);
  BOOST_TEST(proxy.expected.process == ::getpid());
}

BOOST_AUTO_TEST_CASE(nobody_is_taken_for_a_member_that_does_not_run) {
  BOOST_TEST(locate(7002).error().code == core::errc::unavailable);
  BOOST_TEST(locate(9999).error().code == core::errc::unavailable);
  fs::remove(directory + "/safekeeper.json");
  BOOST_TEST(locate(7002).error().code == core::errc::unavailable);
  put("{}");
  BOOST_TEST(locate(7002).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_member_without_a_directory_here_is_where_the_configuration_says) {
  const auto at = locate(7003, 3).value();
  BOOST_TEST(at.port == 7003);
  BOOST_TEST(at.expected.id == 3u);
  BOOST_TEST(!at.expected.instance.valid());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
