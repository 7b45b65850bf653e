#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <future>

#include "tests/support/chaos_proxy.hpp"
#include "tests/support/postgres_install.hpp"
#include "tests/support/quorum_cluster.hpp"
#include "tests/support/sql_session.hpp"

using namespace strata;
using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr const char* waiting =
    "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'";

/// A compute that reaches its three safekeepers through links.
struct linked_compute {
  linked_compute() {
    json members = cluster.strata().api("POST", path + "/safekeepers").at("members");
    for (json& member : members) {
      ids.push_back(member.at("id"));
      links.push_back(std::make_unique<chaos_proxy>(member.at("port").get<std::uint16_t>()));
      member["port"] = links.back()->port();
    }
    cluster.strata().api("PUT", path + "/safekeepers", {{"generation", 2}, {"members", members}});
    cluster.start_compute();
    execute("CREATE TABLE one (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)");
  }

  [[nodiscard]] std::string value(const std::string& sql) const { return sql_session(cluster.conninfo()).value(sql); }
  void execute(const std::string& sql) const { sql_session(cluster.conninfo()).execute(sql); }
  static std::string insertion(int id) {
    const std::string row = " VALUES (" + std::to_string(id) + ");";
    return "BEGIN; INSERT INTO one" + row + "INSERT INTO other" + row + "COMMIT";
  }
  /// Those whose rows are in both tables; a transaction of which a part is there is an error.
  [[nodiscard]] std::string found() const {
    BOOST_TEST(value("SELECT count(*) FROM one FULL JOIN other USING (id) WHERE one.id IS NULL OR other.id IS NULL") ==
               "0");
    return value("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM one JOIN other USING (id)");
  }
  [[nodiscard]] core::lsn flushed_by(int id) const {
    return lsn_from(cluster.safekeeper_api(id, "GET", path).at("flush_lsn"));
  }
  void wait_for_waiting(int count) const {
    wait_until(std::to_string(count) + " commits wait",
               [&] { return value(std::string("SELECT count(*) ") + waiting) == std::to_string(count); });
  }

  /// Three transactions that no majority has: the wait of one is cancelled, the session of another is ended, the
  /// client of the third is killed. The last of the safekeepers has all three. Then two of them elect the next life:
  /// with the last, or without it.
  void three_ways_to_stop_waiting(bool last_is_there) {
    const int last = ids.back();
    for (int id = 1; id <= 3; ++id) execute(insertion(id));
    links[0]->cut();
    links[1]->cut();
    auto cancelled = std::async(std::launch::async, [&] { execute(insertion(11)); });
    wait_for_waiting(1);
    const std::string first_pid = value(std::string("SELECT pid ") + waiting);
    auto ended = std::async(std::launch::async, [&] { execute(insertion(12)); });
    wait_for_waiting(2);
    const std::string second_pid = value(std::string("SELECT pid ") + waiting + " AND pid <> " + first_pid);
    process client({.arguments = {program_of(postgres_installs().front(), "psql"), "-d", cluster.conninfo(), "-c",
                                  insertion(13)}});
    wait_for_waiting(3);
    const core::lsn written = lsn_from(value("SELECT pg_current_wal_flush_lsn()"));
    wait_until("the last safekeeper has it", [&] { return flushed_by(last) >= before_page_header(written); });
    if (!last_is_there) cluster.signal_safekeeper(last, SIGSTOP);

    // Nobody hears of the client's end: its transaction waits on, and nobody sees it.
    client.signal(SIGKILL);
    client.wait();
    BOOST_TEST(value(std::string("SELECT count(*) ") + waiting) == "3");
    BOOST_TEST(found() == "1 2 3");
    const json before = cluster.compute();
    execute("SELECT pg_cancel_backend(" + first_pid + "); SELECT pg_terminate_backend(" + second_pid + ")");
    cancelled.get();
    BOOST_CHECK_THROW(ended.get(), std::runtime_error);
    wait_until(
        "its Postgres has been ended", [&] { return cluster.compute().at("state") != "running"; }, 15s);

    // What is still on its way to the others is lost, as with the machine that sent it.
    for (const auto& each : links) each->reset();
    if (last_is_there) links[0]->cut();
    links[1]->heal();
    if (!last_is_there) links[0]->heal();
    wait_until("it runs again", [&] {
      const json now = cluster.compute();
      return now.at("state") == "running" && now.at("incarnations") == before.at("incarnations").get<int>() + 1;
    });
    const std::string kept = last_is_there ? "1 2 3 11 12 13" : "1 2 3";
    BOOST_TEST(found() == kept);
    execute(insertion(21));

    // All three come together again, and the compute is lost: it stays as it was.
    for (const auto& each : links) each->heal();
    if (!last_is_there) cluster.signal_safekeeper(last, SIGCONT);
    execute(insertion(22));
    wait_until("all three have it", [&] {
      const core::lsn end = before_page_header(lsn_from(value("SELECT pg_current_wal_flush_lsn()")));
      return std::ranges::all_of(ids, [&](int id) { return flushed_by(id) >= end; });
    });
    cluster.kill_compute();
    cluster.start_compute();
    BOOST_TEST(found() == kept + " 21 22");
  }

  quorum_cluster cluster;
  const std::string path = cluster.strata().timeline_path("s", "dev");
  std::vector<int> ids;
  std::vector<std::unique_ptr<chaos_proxy>> links;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(quorum_cancelled_wait, linked_compute)

BOOST_AUTO_TEST_CASE(transactions_that_one_of_the_electing_safekeepers_has_are_there_in_the_next_life) {
  three_ways_to_stop_waiting(true);
}

BOOST_AUTO_TEST_CASE(transactions_that_none_of_the_electing_safekeepers_has_are_gone_for_good) {
  three_ways_to_stop_waiting(false);
}

BOOST_AUTO_TEST_SUITE_END()
