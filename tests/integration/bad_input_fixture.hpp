#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "tests/support/contents.hpp"
#include "tests/support/pagestream_client.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {

inline bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A server with one source, `good`, that must be served whatever else happens.
class bad_input_fixture {
 public:
  explicit bad_input_fixture(strata_options options = {}) : strata(std::move(options)) {
    good.start();
    good.execute("CREATE TABLE kept AS SELECT i, md5(i::text) AS m FROM generate_series(1, 5000) i");
  }
  void start() {
    strata.start();
    strata.add_source("good", good.conninfo());
  }

  /// The command fails with this exit code and says all of this, for people and in JSON, and says what to do next.
  void check_refused(const std::vector<std::string>& arguments, int exit_code, const std::vector<std::string>& said) {
    std::string line = "strata";
    for (const auto& word : arguments) line += " " + word;
    const finished got = strata.cli(arguments);
    BOOST_TEST(got.exit_code == exit_code, line << ": exit code " << got.exit_code << ": " << got.out << got.err);
    for (const auto& part : said)
      BOOST_TEST(mentions(got.err, part), line << " does not say '" << part << "': " << got.err);
    BOOST_TEST(mentions(got.err, "next:"), line << " does not say what to do: " << got.err);

    std::vector<std::string> in_json = arguments;
    in_json.emplace_back("--json");
    const finished again = strata.cli(in_json);
    const auto told = nlohmann::json::parse(again.err, nullptr, false);
    BOOST_TEST(again.exit_code == exit_code, line << " --json: " << again.out << again.err);
    BOOST_REQUIRE_MESSAGE(told.is_object() && told.contains("error"), line << " --json said " << again.err);
    BOOST_TEST(told["error"]["exit_code"] == exit_code);
    BOOST_TEST(!told["error"]["message"].get<std::string>().empty());
  }

  /// A new row of `good` arrives and can be read on a new branch; the server is the process that it was.
  void check_that_good_is_served() {
    BOOST_TEST(strata.running());
    if (pid_ == -1) pid_ = strata.pid();
    good.execute("INSERT INTO kept VALUES (" + std::to_string(++rows_) + ", 'new')");
    strata.wait_for_lsn("good", lsn_from(good.value("SELECT pg_current_wal_flush_lsn()")));
    const core::lsn at = strata.lsn_of("good", "last_record_lsn");
    pagestream_client client(strata.page_port(), strata.tenant_id("good"), strata.timeline("good").at("timeline_id"));
    const pg::relation_fork table = fork_of(good, "kept");
    const std::uint32_t size = client.size(table, at);
    BOOST_TEST(size * 8192 == std::stoul(good.value("SELECT pg_relation_size('kept')")));
    for (const auto& reply : client.pages(table, 0, size, at)) BOOST_TEST(reply.page.has_value(), reply.error);
    BOOST_TEST(strata.http("GET", "/readyz").status == 200);
  }

  static pg::relation_fork fork_of(postgres_cluster& cluster, const std::string& table) {
    const auto number = [&](const std::string& sql) { return static_cast<pg::oid>(std::stoul(cluster.value(sql))); };
    return {pg::default_tablespace, number("SELECT oid FROM pg_database WHERE datname = current_database()"),
            number("SELECT pg_relation_filenode('" + table + "')"), pg::fork::main};
  }

  postgres_cluster good;
  strata_server strata;

 private:
  pid_t pid_ = -1;
  int rows_ = 10000;
};

}  // namespace strata::tests
