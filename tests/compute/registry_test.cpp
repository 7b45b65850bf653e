#include "compute/registry.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace strata::compute {
namespace {

struct with_registry {
  [[nodiscard]] compute_record make(const std::string& name) const {
    compute_record record;
    record.name = name;
    record.tenant = "shop";
    record.branch = "main";
    record.tenant_id = core::make_id<core::tenant_id>();
    record.timeline_id = core::make_id<core::timeline_id>();
    record.at = core::lsn(0x3B21F08);
    record.pg_major = 15;
    record.home = computes.directory_of(name);
    record.data_directory = record.home + "/data";
    record.port = 20001;
    record.user = "o'brien";
    record.database = "my shop";
    record.started = core::wall_time(std::chrono::microseconds(1700000000123456));
    return record;
  }
  tests::temp_dir directory;
  registry computes{directory.path().string()};
};

BOOST_FIXTURE_TEST_SUITE(compute_registry, with_registry)

BOOST_AUTO_TEST_CASE(a_new_directory_has_no_computes) {
  const auto all = computes.list();
  BOOST_TEST_REQUIRE(all.has_value());
  BOOST_TEST(all->empty());
  BOOST_TEST((computes.find("dev").error().code == core::errc::not_found));
}

BOOST_AUTO_TEST_CASE(what_was_saved_is_found_again) {
  const compute_record made = make("dev");
  BOOST_TEST_REQUIRE(computes.claim("dev").has_value());
  BOOST_TEST_REQUIRE(computes.save(made).has_value());
  const auto found = computes.find("dev");
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->branch == "main");
  BOOST_TEST((found->tenant_id == made.tenant_id));
  BOOST_TEST((found->timeline_id == made.timeline_id));
  BOOST_TEST(found->at.value == made.at.value);
  BOOST_TEST(found->port == 20001);
  BOOST_TEST(found->user == "o'brien");
  BOOST_TEST(found->database == "my shop");
  BOOST_TEST((found->started == made.started));
  BOOST_TEST((found->mode == compute_mode::copy));
  BOOST_TEST(found->settings.empty());
}

BOOST_AUTO_TEST_CASE(the_mode_and_the_settings_of_each_life_are_kept) {
  compute_record made = make("dev");
  made.mode = compute_mode::branch;
  made.settings = {"work_mem = 7MB", "search_path = '\"a\", b'"};
  BOOST_TEST_REQUIRE(computes.claim("dev").has_value());
  BOOST_TEST_REQUIRE(computes.save(made).has_value());
  const auto found = computes.find("dev");
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST((found->mode == compute_mode::branch));
  BOOST_TEST((found->settings == made.settings));
}

BOOST_AUTO_TEST_CASE(a_name_can_be_claimed_once_until_it_is_removed) {
  BOOST_TEST_REQUIRE(computes.claim("dev").has_value());
  BOOST_TEST((computes.claim("dev").error().code == core::errc::conflict));
  // Claimed only, it is no compute yet.
  BOOST_TEST(computes.list()->empty());
  BOOST_TEST_REQUIRE(computes.remove("dev", computes.directory_of("dev")).has_value());
  BOOST_TEST(computes.claim("dev").has_value());
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_there_is_told_with_those_that_are) {
  for (const char* name : {"b", "a"}) {
    BOOST_TEST_REQUIRE(computes.claim(name).has_value());
    BOOST_TEST_REQUIRE(computes.save(make(name)).has_value());
  }
  const auto missing = computes.find("c");
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST(missing.error().detail.find("a, b") != std::string::npos, missing.error().detail);
}

BOOST_AUTO_TEST_CASE(a_damaged_record_is_named) {
  BOOST_TEST_REQUIRE(computes.claim("dev").has_value());
  const std::string path = computes.directory_of("dev") + "/compute.json";
  for (const char* text : {"", "{", "{}", "[]", R"({"name": 5})"}) {
    std::ofstream(path) << text;
    const auto all = computes.list();
    BOOST_TEST_REQUIRE(!all.has_value(), text);
    BOOST_TEST((all.error().code == core::errc::corrupt), text);
    BOOST_TEST(all.error().detail.find(path) != std::string::npos, all.error().detail);
  }
}

BOOST_AUTO_TEST_CASE(a_record_that_leads_outside_is_damaged) {
  struct path_case {
    std::string compute_record::*member;
    const char* path;
  };
  BOOST_TEST_REQUIRE(computes.claim("dev").has_value());
  for (const auto& [member, path] : {path_case{&compute_record::home, "/"},
                                     {&compute_record::home, "/home"},
                                     {&compute_record::home, "/srv/strata/computes/other"},
                                     {&compute_record::home, "/srv/strata/computes/x/../dev"},
                                     {&compute_record::home, "/var/tmp/strata-/../x"},
                                     {&compute_record::home, "computes/dev"},
                                     {&compute_record::home, ""},
                                     {&compute_record::data_directory, "/var/lib/postgresql/15/main"},
                                     {&compute_record::socket_directory, "/var/run/postgresql"},
                                     {&compute_record::log_file, "/etc/passwd"}}) {
    compute_record made = make("dev");
    made.*member = path;
    if (member == &compute_record::home) made.data_directory = made.home + "/data";
    BOOST_TEST_REQUIRE(computes.save(made).has_value());
    const auto found = computes.list();
    BOOST_TEST_REQUIRE(!found.has_value(), path);
    BOOST_TEST((found.error().code == core::errc::corrupt), found.error().detail);
    BOOST_TEST(found.error().detail.find(path) != std::string::npos, found.error().detail);
  }
  compute_record elsewhere = make("dev");
  elsewhere.home = "/var/tmp/strata-aB3xYz";
  elsewhere.data_directory = elsewhere.home + "/data";
  elsewhere.socket_directory = "/var/tmp/strata-Q1w2E3";
  elsewhere.log_file = elsewhere.home + "/postgres.log";
  BOOST_TEST_REQUIRE(computes.save(elsewhere).has_value());
  BOOST_TEST(computes.list().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::compute
