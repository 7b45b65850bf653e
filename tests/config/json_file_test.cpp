#include "config/json_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/printing.hpp"

namespace strata::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_json_file)

struct written_file {
  explicit written_file(const std::string& text) { std::ofstream(path) << text; }
  ~written_file() { std::filesystem::remove(path); }
  const std::string path =
      (std::filesystem::temp_directory_path() / ("strata_json_file_" + std::to_string(::getpid()))).string();
};

BOOST_AUTO_TEST_CASE(a_file_that_is_json_is_read) {
  const written_file file("{\"pid\": 7}\n");
  BOOST_TEST(read_json_file(file.path)->at("pid") == 7);
}

BOOST_AUTO_TEST_CASE(a_damaged_one_is_named_with_the_place_and_without_words_of_the_library) {
  const auto said = [](const std::string& text) {
    const written_file file(text);
    const auto read = read_json_file(file.path);
    BOOST_TEST_REQUIRE(!read.has_value());
    BOOST_TEST(read.error().code == core::errc::corrupt);
    BOOST_TEST(read.error().detail.starts_with(file.path + " is damaged: "));
    return read.error().detail.substr(file.path.size());
  };
  BOOST_TEST(said("") == " is damaged: not JSON at line 1, column 1");
  BOOST_TEST(said("{") == " is damaged: not JSON at line 1, column 2");
  BOOST_TEST(said("{\n \"pid\": 7,\n}") == " is damaged: not JSON at line 3, column 1");
  BOOST_TEST(said("{\n\xff}") == " is damaged: not JSON at line 2, column 1");
  BOOST_TEST(said("{} x") == " is damaged: not JSON at line 1, column 4");
  BOOST_TEST(said("{\"pid\": 1e999}").find("json.exception") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_damage_and_is_not_waited_for) {
  const written_file pipe("");
  std::filesystem::remove(pipe.path);
  BOOST_TEST_REQUIRE(::mkfifo(pipe.path.c_str(), 0600) == 0);
  for (const std::string& path :
       {std::filesystem::temp_directory_path().string(), pipe.path, std::string("/dev/zero")}) {
    const auto read = read_json_file(path);
    BOOST_TEST_REQUIRE(!read.has_value());
    BOOST_TEST(read.error().code == core::errc::corrupt);
    BOOST_TEST(read.error().detail.find(path) != std::string::npos, read.error().detail);
  }
  std::filesystem::remove(pipe.path);
  const written_file large(std::string((1u << 20) + 4096, ' '));
  BOOST_TEST(read_json_file(large.path).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(one_that_is_not_there_is_not_damaged) {
  const auto read = read_json_file("/nowhere/at/all.json");
  BOOST_TEST_REQUIRE(!read.has_value());
  BOOST_TEST(read.error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::config
