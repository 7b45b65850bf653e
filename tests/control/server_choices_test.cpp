#include "control/server_choices.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "control/safekeeper_file.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

struct kept_warnings final : control::reporter {
  void warn(const std::string& text) override { all.push_back(text); }
  std::vector<std::string> all;
};

struct directory_of_safekeepers {
  void has(const std::vector<std::uint64_t>& ids) const {
    for (const auto id : ids) std::filesystem::create_directories(control::safekeeper_directory(directory, id));
  }
  /// The warnings of a start with so many safekeepers; nullopt: without the option.
  [[nodiscard]] std::vector<std::string> start(std::optional<std::uint32_t> count) const {
    kept_warnings said;
    static_cast<void>(
        control::choose_server_options({.directory = directory, .report = &said}, {.safekeepers = count}));
    return said.all;
  }
  temp_dir home;
  std::string directory = home.path().string();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(control_server_choices, directory_of_safekeepers)

BOOST_AUTO_TEST_CASE(fewer_safekeepers_than_the_directory_has_are_not_applied_and_that_is_said) {
  has({1, 2, 3, 4});
  const std::string rest =
      " is not applied: the directory has 4 safekeepers (1, 2, 3, 4), and each may keep the WAL of branches; "
      "all of them are started";
  for (const std::uint32_t fewer : {0, 2, 3}) {
    const auto said = start(fewer);
    BOOST_REQUIRE(said.size() == 1u);
    BOOST_TEST(said[0] == "--safekeepers " + std::to_string(fewer) + rest);
  }
  for (const std::uint32_t enough : {4, 5}) BOOST_TEST(start(enough).empty());
  BOOST_TEST(start(std::nullopt).empty());
  std::ofstream(directory + "/strata.toml") << "safekeepers = 3\n";
  BOOST_REQUIRE(start(std::nullopt).size() == 1u);
  BOOST_TEST(start(std::nullopt)[0] == "strata.toml: safekeepers = 3" + rest);
  BOOST_TEST(start(4).empty());
}

BOOST_AUTO_TEST_CASE(a_new_directory_gets_what_was_asked_for) {
  BOOST_TEST(start(0).empty());
  BOOST_TEST(start(3).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
