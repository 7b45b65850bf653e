#include <boost/test/unit_test.hpp>

#include "tests/integration/bad_input_fixture.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_custom_manager)

namespace {

namespace core = strata::core;
namespace fs = std::filesystem;
using nlohmann::json;

std::string must(const command& what) {
  const finished got = run(what);
  if (got.exit_code != 0) throw std::runtime_error(what.arguments.front() + ": " + got.out + got.err);
  return got.out;
}

/// Against the headers of postgresql-server-dev-15.
void compile_extension(const fs::path& library) {
  std::string headers = must({.arguments = {"pg_config", "--includedir-server"}});
  headers.erase(headers.find_last_not_of('\n') + 1);
  must({.arguments = {"gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-I" + headers, "-o", library,
                      CUSTOM_MANAGER_SOURCE}});
}

/// A source whose extension writes WAL by resource manager 201.
struct extended_source {
  extended_source() {
    const std::string library = cluster.work_directory() / "custom_manager.so";
    compile_extension(library);
    cluster.configure("shared_preload_libraries = '" + library + "'");
    cluster.configure("full_page_writes = off");
    cluster.configure("autovacuum = off");
    cluster.start();
    const std::string in_library = " RETURNS pg_lsn AS '" + library + "' LANGUAGE C STRICT";
    cluster.execute("CREATE FUNCTION touch_page(regclass, int, bool)" + in_library);
    cluster.execute("CREATE FUNCTION touch_nothing()" + in_library);
    for (const char* table : {"touched", "kept"})
      cluster.execute("CREATE TABLE " + std::string(table) +
                      " AS SELECT i, md5(i::text) AS m FROM generate_series(1, 1000) i");
  }
  core::lsn touch(const std::string& arguments) {
    return lsn_from(cluster.value("SELECT touch_page(" + arguments + ")"));
  }
  postgres_cluster cluster;
};

/// Reads all pages of a table on a branch; what the service says of each, empty if it served the page.
std::vector<std::string> failures(const strata_server& strata, const std::string& branch,
                                  const strata::pg::relation_fork& table) {
  const json timeline = strata.timeline("ext", branch);
  const core::lsn at = lsn_from(timeline.at("last_record_lsn"));
  pagestream_client client(strata.page_port(), strata.tenant_id("ext"), timeline.at("timeline_id"));
  std::vector<std::string> said;
  for (const auto& reply : client.pages(table, 0, client.size(table, at), at)) {
    BOOST_TEST(reply.page.has_value() == reply.error.empty());
    said.push_back(reply.error);
  }
  BOOST_TEST(said.size() > 5u);
  return said;
}

}  // namespace

BOOST_AUTO_TEST_CASE(records_of_an_extension_spoil_the_pages_that_they_change_and_nothing_else) {
  extended_source source;
  strata_server strata;
  strata.start();
  strata.add_source("ext", source.cluster.conninfo());
  const auto touched = bad_input_fixture::fork_of(source.cluster, "touched");
  const auto kept = bad_input_fixture::fork_of(source.cluster, "kept");
  const auto caught_up = [&] {
    strata.wait_for_lsn("ext", lsn_from(source.cluster.value("SELECT pg_current_wal_flush_lsn()")));
  };
  const auto check_spoilt = [&](const std::string& branch, bool spoilt) {
    const auto said = failures(strata, branch, touched);
    for (std::size_t block = 0; block < said.size(); ++block) {
      BOOST_TEST(said[block].empty() == !(spoilt && block == 2), branch << " block " << block << ": " << said[block]);
      if (said[block].empty()) continue;
      for (const char* part : {"custom(201)/10", "resource manager 201", "extension", "not affected"})
        BOOST_TEST(mentions(said[block], part), part << " is not in: " << said[block]);
    }
    for (const auto& of_other : failures(strata, branch, kept)) BOOST_TEST(of_other == "");
  };

  // The last record of before ends at a point where a branch can be made.
  source.cluster.execute("INSERT INTO kept VALUES (0, 'before')");
  caught_up();
  strata.ask({"branch", "create", "before", "--from", "main"});
  BOOST_TEST(!strata.timeline("ext").contains("custom_resource_managers"));
  BOOST_TEST(!mentions(strata.cli({"branch", "show", "main"}).out, "extension records"));

  const core::lsn since = lsn_from(source.cluster.value("SELECT touch_nothing()"));
  source.touch("'touched', 2, false");
  source.cluster.execute("INSERT INTO kept SELECT i, 'after' FROM generate_series(1, 500) i");
  caught_up();
  strata.ask({"branch", "create", "dev", "--from", "main"});
  const json wanted = json::array({{{"id", 201}, {"since_lsn", core::to_string(since)}}});
  const auto check_all = [&] {
    check_spoilt("before", false);
    check_spoilt("dev", true);
    BOOST_TEST(!strata.timeline("ext", "before").contains("custom_resource_managers"));
    BOOST_TEST(!mentions(strata.cli({"branch", "show", "before"}).out, "extension records"));
    for (const char* branch : {"main", "dev"}) {
      BOOST_TEST(strata.timeline("ext", branch).at("custom_resource_managers") == wanted);
      BOOST_TEST(strata.ask({"branch", "show", branch}).at("custom_resource_managers") == wanted);
      const std::string shown = strata.cli({"branch", "show", branch}).out;
      BOOST_TEST(mentions(shown, "resource manager 201 from " + core::to_string(since)), shown);
      BOOST_TEST(!strata.timeline("ext", branch).contains("last_error"));
    }
  };
  check_all();
  check_spoilt("main", true);

  // A whole export needs the page; by then it is on its way, and only the log can say why it ends.
  const finished refused = strata.cli({"export", "dev", "-o", strata.directory() / "none.tar"});
  BOOST_TEST(refused.exit_code != 0);
  BOOST_TEST(mentions(refused.err, "strata branch show dev"), refused.err);
  BOOST_TEST(mentions(strata.log(), "resource manager 201 is an extension's own"));
  BOOST_TEST(!fs::exists(strata.directory() / "none.tar"));

  // Files, images and a restart change nothing.
  strata.api("PUT", strata.timeline_path("ext") + "/checkpoint");
  strata.api("PUT", strata.timeline_path("ext") + "/compact");
  strata.stop();
  strata.start();
  check_all();

  // An image of the page makes it readable from there on.
  source.touch("'touched', 2, true");
  caught_up();
  check_spoilt("main", false);
  check_spoilt("dev", true);
}

BOOST_AUTO_TEST_SUITE_END()
