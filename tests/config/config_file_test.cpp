#include "config/config_file.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/printing.hpp"

namespace strata::config {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct config_directory {
  config_directory() {
    std::string pattern = fs::temp_directory_path() / "strata-config-XXXXXX";
    BOOST_TEST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    directory = pattern;
    path = pattern + "/strata.toml";
  }
  ~config_directory() { fs::remove_all(directory); }
  core::result<server_options> load(const std::string& text) const {
    std::ofstream(path) << text;
    return load_config_file(path, {});
  }
  std::string directory;
  std::string path;
};

BOOST_FIXTURE_TEST_SUITE(config_file, config_directory)

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_changes_nothing) {
  server_options base;
  base.http_port = 17;
  const auto loaded = load_config_file(path, base);
  BOOST_TEST_REQUIRE(loaded);
  BOOST_TEST(loaded->http_port == 17);
}

BOOST_AUTO_TEST_CASE(server_options_and_tenant_defaults_are_read) {
  const auto loaded = load(
      "http_port = 9898\nblock_cache_size = \"64 MiB\"\nwait_lsn_timeout = \"5 s\"\n"
      "pg_bin = \"/opt/pg14/bin:/opt/pg15/bin\"\n[tenant_config]\npitr_interval = \"1 d\"\ngc_horizon = 0\n");
  BOOST_TEST_REQUIRE(loaded.has_value(), (loaded.has_value() ? "" : loaded.error().detail));
  BOOST_TEST(loaded->http_port == 9898);
  BOOST_TEST(loaded->block_cache_bytes == 64u << 20);
  BOOST_TEST(loaded->wait_lsn_timeout == 5s);
  BOOST_TEST(loaded->pg_bin == "/opt/pg14/bin:/opt/pg15/bin");
  BOOST_TEST(loaded->tenant_defaults.pitr_interval == 24h);
  BOOST_TEST(loaded->tenant_defaults.gc_horizon_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(an_error_names_its_line) {
  struct bad_case {
    const char* text;
    const char* said;
  };
  for (const auto& [text, said] :
       {bad_case{"\nhttp_prot = 1\n", ":2: unknown option \"http_prot\"; did you mean \"http_port\"?"},
        {"http_port = 70000\n", ":1: http_port: must be from 0 to 65535"},
        {"http_port = -1\n", ":1: http_port"},
        {"http_port = \n", ":1: "},
        {"tenant_config = 5\n", ":1: tenant_config must be a section"},
        {"[tenant_config]\ngc_horizn = 1\n", ":2: unknown option"},
        {"[tenant_config]\npitr_interval = \"soon\"\n", ":2: pitr_interval"}}) {
    const auto loaded = load(text);
    BOOST_TEST_REQUIRE(!loaded.has_value(), text);
    BOOST_TEST((loaded.error().code == core::errc::invalid_argument), text);
    BOOST_TEST(loaded.error().detail.find(path + said) != std::string::npos, loaded.error().detail);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::config
