#include "control/own_directory.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::control {
namespace {

namespace fs = std::filesystem;

struct with_directory {
  [[nodiscard]] fs::path make(const std::string& name, mode_t mode, const std::vector<std::string>& files = {}) const {
    const fs::path path = home / name;
    fs::create_directory(path);
    for (const auto& each : files) {
      fs::create_directories((path / each).parent_path());
      std::ofstream(path / each) << "x";
    }
    ::chmod(path.c_str(), mode);
    return path;
  }
  [[nodiscard]] static mode_t mode_of(const fs::path& path) {
    struct stat found {};
    BOOST_TEST_REQUIRE(::stat(path.c_str(), &found) == 0);
    return found.st_mode & 07777;
  }
  tests::temp_dir home;
};

BOOST_FIXTURE_TEST_SUITE(control_own_directory, with_directory)

BOOST_AUTO_TEST_CASE(a_new_one_lets_others_through_with_its_parents) {
  const fs::path path = home / "a" / "b";
  BOOST_TEST_REQUIRE(take_own_directory(path.string(), server_directory_kind()));
  BOOST_TEST(mode_of(path) == 0711u);
}

BOOST_AUTO_TEST_CASE(an_empty_or_used_one_is_taken_and_keeps_its_mode) {
  for (const mode_t mode : {0700u, 0755u, 01777u}) {
    const std::string text = std::to_string(mode);
    const std::vector<fs::path> servers{make("empty" + text, mode), make("options" + text, mode, {"strata.toml"}),
                                        make("mounted" + text, mode, {"lost+found/x"}),
                                        make("used" + text, mode, {"server.lock", "whatever"}),
                                        make("copied" + text, mode, {"metadata/STRATA", "tenants/x"})};
    for (const auto& path : servers) {
      const auto taken = take_own_directory(path.string(), server_directory_kind());
      BOOST_TEST(taken.has_value(), path);
      BOOST_TEST(mode_of(path) == mode, path);
    }
    const fs::path keeper = make("keeper" + text, mode, {"safekeeper.json", "timelines/x"});
    BOOST_TEST(take_own_directory(keeper.string(), safekeeper_directory_kind()));
    BOOST_TEST(mode_of(keeper) == mode);
  }
}

BOOST_AUTO_TEST_CASE(a_strangers_one_is_refused_and_keeps_its_mode) {
  const std::vector<fs::path> strangers{make("tmp", 01777, {"file"}), make("home", 0755, {".ssh/id", "strata.toml"}),
                                        make("pgdata", 0700, {"PG_VERSION", "global/pg_control"}),
                                        make("keeper", 0700, {"safekeeper.json", "server.lock"}),
                                        make("compute", 0711, {"compute.json", "server.lock"})};
  for (const auto& path : strangers) {
    const mode_t mode = mode_of(path);
    const auto refused = take_own_directory(path.string(), server_directory_kind());
    BOOST_TEST_REQUIRE(!refused.has_value(), path);
    BOOST_TEST((refused.error().code == core::errc::conflict), refused.error().detail);
    BOOST_TEST(refused.error().detail.find(path.string()) != std::string::npos, refused.error().detail);
    BOOST_TEST(mode_of(path) == mode, path);
    BOOST_TEST(!fs::exists(path / "server.json"));
  }
  const fs::path server = make("server", 0711, {"server.lock", "metadata/STRATA"});
  BOOST_TEST(!take_own_directory(server.string(), safekeeper_directory_kind()).has_value());
  std::ofstream(home / "file") << "x";
  BOOST_TEST(!take_own_directory((home / "file").string(), server_directory_kind()).has_value());
  BOOST_TEST(fs::is_regular_file(home / "file"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
