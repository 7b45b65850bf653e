#include "io/replace_file.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io_replace_file)

BOOST_AUTO_TEST_CASE(writes_a_new_file_and_replaces_an_old_one) {
  const temp_dir directory;
  const std::string path = (directory / "record").string();
  BOOST_TEST_REQUIRE(io::replace_file(path, "first").has_value());
  BOOST_TEST(content_of(path) == "first");
  BOOST_TEST_REQUIRE(io::replace_file(path, "", {.durable = false}).has_value());
  BOOST_TEST(content_of(path) == "");
  BOOST_TEST(!std::filesystem::exists(path + ".tmp"));
}

BOOST_AUTO_TEST_CASE(a_leftover_of_a_killed_writer_is_overwritten) {
  const temp_dir directory;
  const std::string path = (directory / "record").string();
  std::ofstream(path + ".tmp") << "half of a longer record";
  BOOST_TEST_REQUIRE(io::replace_file(path, "whole").has_value());
  BOOST_TEST(content_of(path) == "whole");
}

BOOST_AUTO_TEST_CASE(an_error_leaves_the_old_file_and_nothing_beside_it) {
  const temp_dir directory;
  const std::string path = (directory / "record").string();
  BOOST_TEST_REQUIRE(std::filesystem::create_directories(path + "/in_the_way"));
  BOOST_TEST(!io::replace_file(path, "new").has_value());
  BOOST_TEST(!io::replace_file(path, "new", {.durable = false}).has_value());
  BOOST_TEST(std::filesystem::exists(path + "/in_the_way"));
  BOOST_TEST(!std::filesystem::exists(path + ".tmp"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
