// Computes whose pages are filled in when first touched (--pages fanotify).
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "page_files/fuse_mount.hpp"
#include "tests/integration/compute/filled_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

BOOST_FIXTURE_TEST_SUITE(integration_compute_filled_compute, with_large_branch,
                         *boost::unit_test::precondition(fanotify_works))

BOOST_AUTO_TEST_CASE(a_start_reads_few_pages_and_a_query_reads_the_others) {
  const json compute = start_filled();
  BOOST_TEST(compute.at("mode") == "branch");
  BOOST_TEST(compute.at("pages") == "fanotify");
  const json before = pages();
  BOOST_TEST(before.at("total").get<std::uint64_t>() > 4000u);
  BOOST_TEST(before.at("missing").get<std::uint64_t>() > 4000u);
  BOOST_TEST(value(compute, "select filler from large where i = 4711") ==
             source.value("select filler from large where i = 4711"));
  BOOST_TEST(value(compute, sums) == expected);
  wait_until("the status says so",
             [&] { return pages().at("missing") < before.at("missing").get<std::uint64_t>() - 3000; });

  // What Postgres writes goes into the same files.
  execute(compute, "update large set filler = 'new' where i % 7 = 0");
  execute(compute, "vacuum full large");
  execute(compute, "create table more as select * from large");
  execute(compute, "checkpoint");
  const std::string changed = value(compute, sums);
  BOOST_TEST(value(compute, "select count(*) from more where filler = 'new'") == "57142");
  strata.ask({"compute", "stop", "filled"});
  BOOST_TEST(value(start_filled(), sums) == changed);
}

BOOST_AUTO_TEST_CASE(a_killed_filler_is_replaced_and_its_readers_only_wait) {
  const json compute = start_filled();
  for (std::uint32_t filler = 1; filler <= 4; ++filler) {
    wait_for_filler(filler);
    std::thread query([&] {
      BOOST_TEST(value(compute, "set enable_indexscan = off; select count(*) from large where i <= " +
                                    std::to_string(100'000 * filler)) == std::to_string(100'000 * filler));
    });
    ::kill(pages().at("filler_pid"), SIGKILL);
    query.join();
  }
  wait_for_filler(5);
  BOOST_TEST(value(compute, sums) == expected);
  BOOST_TEST(now("filled").at("incarnations") == 1);
}

BOOST_AUTO_TEST_CASE(a_complete_compute_needs_neither_a_filler_nor_the_server) {
  const json compute = strata.ask({"compute", "start", "filled", "--pages", "fanotify"});
  sql_session before(compute.at("uri"));
  // What is dropped is never filled, and no reason to wait.
  before.execute("create table copied as select * from large limit 10; drop table large");
  wait_until("it is complete", [&] { return pages().at("complete") == true; });
  wait_until("its filler is gone", [&] { return pages().at("filler_pid") == 0; });
  const json complete = pages();
  BOOST_TEST(complete.at("missing") == 0);
  BOOST_TEST(complete.at("fillers") == 1);
  BOOST_TEST((children_of(agent_of(compute)) == std::vector<pid_t>{postmaster_of(compute)}));
  BOOST_TEST(strata.cli({"compute", "list"}).out.find("fanotify, complete") != std::string::npos);

  strata.kill();
  BOOST_TEST(before.value("select count(*) from copied") == "10");
  BOOST_TEST(value(compute, "select sum(pg_relation_size(oid)) > 0 and count(*) > 300 from pg_class") == "t");
  BOOST_TEST(value(compute, "select count(*) from pg_proc where prosrc like '%x%'") != "0");
  before.execute("create table more as select generate_series(1, 10000) i");
  strata.start();

  // Killed now, it begins again as an incomplete one.
  const pid_t postmaster = postmaster_of(compute);
  ::kill(agent_of(compute), SIGKILL);
  wait_until("its processes are gone", [&] { return !exists(postmaster); });
  const json next = start_filled();
  BOOST_TEST(pages().at("complete") == false);
  BOOST_TEST(value(next, "select count(*) from more") == "10000");
}

BOOST_AUTO_TEST_CASE(filler_and_agent_killed_together_leave_no_process_and_no_wrong_page) {
  const json compute = start_filled();
  wait_for_filler(1);
  execute(compute, "insert into large values (-1, 'acknowledged')");
  const pid_t filler = pages().at("filler_pid");
  const pid_t postmaster = postmaster_of(compute);
  ::kill(filler, SIGKILL);
  ::kill(agent_of(compute), SIGKILL);
  wait_until("its processes are gone", [&] { return !exists(filler) && !exists(postmaster); });
  const json next = start_filled();
  BOOST_TEST(value(next, "select filler from large where i = -1") == "acknowledged");
  execute(next, "delete from large where i = -1");
  BOOST_TEST(value(next, sums) == expected);
}

BOOST_AUTO_TEST_CASE(a_compute_at_an_lsn_is_read_only_and_sees_what_was_there) {
  const std::string then = source.value("select pg_current_wal_flush_lsn()");
  source.execute("delete from large where i > 1000");
  strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  const json compute = strata.ask({"compute", "start", "main@" + then, "--name", "then", "--no-fill"});
  BOOST_TEST(compute.at("mode") == "read_only");
  BOOST_TEST(compute.at("pages") == "fanotify");
  for (const char* of_a_writer : {"term", "commit_lsn", "has_quorum", "safekeepers"})
    BOOST_TEST(!compute.contains(of_a_writer), of_a_writer);
  BOOST_TEST(strata.ask({"compute", "start", "main", "--no-fill"}).at("mode") == "read_only");
  const finished url = strata.cli({"url", "main"});
  BOOST_TEST(url.err == "", url.err);
  strata.ask({"compute", "stop", "main", "--remove"});
  const finished older = strata.cli({"url", "main"});
  BOOST_TEST(older.err.find("compute then reads an older state of main") != std::string::npos, older.err);
  BOOST_TEST(value(compute, sums) == expected);
  BOOST_CHECK_THROW(execute(compute, "delete from large"), std::runtime_error);
  // A killed one begins at the same place.
  const pid_t killed = postmaster_of(compute);
  ::kill(killed, SIGKILL);
  wait_until("another Postgres runs", [&] { return now("then").at("incarnations") == 2; });
  wait_for_state("running", "then");
  BOOST_TEST(value(compute, sums) == expected);
  // Stopped and started, too, and with what was chosen.
  strata.ask({"compute", "stop", "then"});
  const json resumed = strata.ask({"compute", "start", "main", "--name", "then"});
  BOOST_TEST(resumed.at("lsn") == compute.at("lsn"));
  BOOST_TEST(pages("then").at("missing").get<std::uint64_t>() > 4000u);
  BOOST_TEST(value(compute, sums) == expected);
  strata.ask({"compute", "stop", "then", "--remove"});
  const auto seen = strata.cli({"psql", "main@" + then, "--", "-Atc", "select count(*) from large"});
  BOOST_TEST(seen.out == "400000\n", seen.err);

  // Nobody ends it in order when its psql's command is killed.
  command slow = strata.program({"psql", "main@" + then, "--", "-c", "select pg_sleep(600)"});
  process interrupted(slow);
  wait_until("its query runs", [&] { return strata.ask({"compute", "list"}).size() == 1u; });
  wait_for_state("running", strata.ask({"compute", "list"}).at(0).at("name"));
  const json left = strata.ask({"compute", "list"}).at(0);
  ::kill(interrupted.pid(), SIGKILL);
  wait_until("its agent ends", [&] { return !exists(agent_of(left)); });
  BOOST_TEST(now(left.at("name")).at("state") == "interrupted");
  strata.ask({"compute", "stop", left.at("name"), "--remove"});
  BOOST_TEST(strata.ask({"compute", "list"}).empty());
}

BOOST_AUTO_TEST_CASE(a_stopped_reader_whose_history_is_gone_says_what_to_do) {
  strata.set_options("shop", {{"lsn_lease_length", "1s"}, {"pitr_interval", "0s"}});
  // Where a branch begins history stays.
  source.execute("update rows set filler = 'then'");
  const std::string then = source.value("select pg_current_wal_flush_lsn()");
  strata.wait_for_lsn("shop", lsn_from(then));
  strata.ask({"compute", "start", "main@" + then, "--name", "then", "--no-fill"});
  strata.ask({"compute", "stop", "then"});
  source.execute("update rows set filler = 'later'");
  strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  const std::string path = strata.timeline_path("shop");
  // This question leases the point, too.
  strata.set_options("shop", {{"lsn_lease_length", "1ms"}, {"pitr_interval", "0s"}});
  wait_until("its point is collected", [&] {
    strata.api("PUT", path + "/checkpoint");
    strata.api("PUT", path + "/do_gc", {{"gc_horizon", 0}});
    return strata.http("GET", path + "/export?lsn=" + then + "&relations=listed").status == 422;
  });
  const finished refused = strata.cli({"compute", "start", "main", "--name", "then"});
  BOOST_TEST(refused.exit_code != 0);
  BOOST_TEST(refused.err.find("reads main as of") != std::string::npos, refused.err);
  BOOST_TEST(refused.err.find("strata compute stop then --remove") != std::string::npos, refused.err);
  strata.ask({"compute", "stop", "then", "--remove"});
}

BOOST_AUTO_TEST_CASE(the_mode_that_was_chosen_is_chosen_again_and_another_one_is_told,
                     *boost::unit_test::precondition(fuse_works)) {
  BOOST_TEST(start_filled("fuse").at("pages") == "fuse");
  strata.ask({"compute", "stop", "filled"});
  BOOST_TEST(strata.ask({"compute", "start", "filled"}).at("pages") == "fuse");
  BOOST_TEST(now("filled").at("page_counts").at("complete") == false);  // --no-fill, too
  strata.ask({"compute", "stop", "filled", "--remove"});
  strata.ask({"compute", "start", "filled", "--no-fill"});
  strata.ask({"compute", "stop", "filled"});
  // As if this host had not allowed fanotify then.
  const fs::path record = strata.directory() / "computes" / "filled" / "compute.json";
  json of = json::parse(std::ifstream(record));
  of["pages"] = "fuse";
  std::ofstream(record) << of;
  const finished again = strata.cli({"compute", "start", "filled"});
  BOOST_TEST(again.exit_code == 0, again.err);
  BOOST_TEST(
      again.err.find("compute filled uses --pages fanotify; at its last start fuse was used") != std::string::npos,
      again.err);
}

BOOST_AUTO_TEST_CASE(a_start_that_was_killed_leaves_an_interrupted_compute_and_no_process) {
  const fs::path computes = strata.directory() / "computes";
  const auto is_there = [&](const char* file) { return [=] { return fs::exists(computes / "filled" / file); }; };
  for (const auto& reached :
       {is_there("server.lock"), is_there("compute-agent.json"), is_there("data/postmaster.pid")}) {
    process killed(strata.program({"compute", "start", "filled", "--no-fill"}));
    wait_until("it starts", [&] { return reached() || !killed.running(); });
    killed.signal(SIGKILL);
    killed.wait();
    const json left = now("filled");
    // It may have been faster than this test.
    if (left.at("state") == "running") {
      strata.ask({"compute", "stop", "filled", "--remove"});
      continue;
    }
    BOOST_TEST(left.at("state") == "interrupted");
    if (left.contains("agent_pid")) wait_until("its agent ends", [&] { return !exists(agent_of(left)); });
    BOOST_TEST(now("filled").at("state") == "interrupted");
    strata.ask({"compute", "stop", "filled", "--remove"});
  }
  // Its name can be used again, also while the agent still runs.
  process killed(strata.program({"compute", "start", "filled", "--no-fill"}));
  wait_until("it starts", [&] { return is_there("data/postmaster.pid")() || !killed.running(); });
  killed.signal(SIGKILL);
  killed.wait();
  if (now("filled").at("state") == "interrupted") {
    BOOST_TEST(start_filled().at("state") == "running");
    BOOST_TEST(now("filled").at("incarnations") == 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(integration_compute_mounted_compute, with_large_branch,
                         *boost::unit_test::precondition(fuse_works))

BOOST_AUTO_TEST_CASE(a_mounted_directory_is_read_and_written_and_its_end_is_the_end_of_an_incarnation) {
  const json compute = start_filled("fuse");
  BOOST_TEST(compute.at("pages") == "fuse");
  BOOST_TEST(pages().at("missing").get<std::uint64_t>() > 4000u);
  BOOST_TEST(value(compute, sums) == expected);
  execute(compute, "update large set filler = 'new' where i % 7 = 0");
  execute(compute, "vacuum full large");
  execute(compute, "checkpoint");
  const std::string changed = value(compute, sums);

  ::kill(pages().at("filler_pid"), SIGKILL);
  wait_until("another Postgres runs", [&] { return now("filled").at("incarnations") == 2; });
  wait_for_state("running", "filled");
  BOOST_TEST(value(compute, sums) == changed);

  // One that hangs keeps nobody from stopping the compute.
  const pid_t server = postmaster_of(compute);
  ::kill(pages().at("filler_pid"), SIGSTOP);
  const auto stopped = strata.cli({"compute", "stop", "filled", "--limit", "2s"}, 60s);
  BOOST_TEST(!exists(server), stopped.err);
  BOOST_TEST(value(start_filled("fuse"), sums) == changed);

  // What a killed agent leaves is no reason not to start.
  const pid_t filler = pages().at("filler_pid");
  lose(now("filled"));
  wait_until("the filler ends with its guard", [&] { return !exists(filler); });
  BOOST_TEST(value(start_filled("fuse"), sums) == changed);
  const std::string data = now("filled").at("data_directory");
  strata.ask({"compute", "stop", "filled", "--remove"});
  BOOST_TEST(!page_files::fuse_mount_device(data).has_value());
  BOOST_TEST(!fs::exists(fs::path(data).parent_path()));
}

BOOST_AUTO_TEST_CASE(a_mounted_directory_is_filled_in_the_background_and_its_filler_stays) {
  const json compute = strata.ask({"compute", "start", "filled", "--pages", "fuse"});
  execute(compute, "update large set filler = 'new' where i % 7 = 0");
  const std::string changed = value(compute, sums);
  wait_until("it is complete", [&] { return pages().at("complete") == true; });
  BOOST_TEST(pages().at("missing") == 0);
  BOOST_TEST(pages().at("filler_state") == "running");
  BOOST_TEST(pages().at("work").at("pages_filled").get<std::uint64_t>() > 1000u);
  BOOST_TEST(strata.cli({"compute", "list"}).out.find("fuse, complete") != std::string::npos);
  strata.kill();
  BOOST_TEST(value(compute, sums) == changed);
  strata.start();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
