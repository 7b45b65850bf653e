#include <boost/test/unit_test.hpp>
#include <fstream>

#include "storage/mapping/directory.hpp"
#include "tests/support/timeline_pipeline.hpp"

using namespace strata;
using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_commit_timestamp)

namespace {

/// Every row's transaction, when that committed and where it came from; "-" where the server has no answer.
std::vector<std::string> timestamps_of(postgres_cluster& cluster) {
  std::vector<std::string> found;
  for (const sql_row& row : cluster.query(
           "select t.name || ' ' || t.xmin || ' ' || coalesce(extract(epoch from c.timestamp)::text, '-') || ' ' || "
           "coalesce(c.roident::text, '-') from written t, pg_xact_commit_timestamp_origin(t.xmin) c order by t.name"))
    found.push_back(*row[0]);
  return found;
}
/// The same of thousands of transactions, in one line.
std::string many_timestamps_of(postgres_cluster& cluster) {
  return cluster.value(
      "select count(*) || ' ' || count(distinct xmin::text) || ' ' || count(pg_xact_commit_timestamp(xmin)) || ' ' || "
      "coalesce(sum(hashtextextended(xmin::text || extract(epoch from pg_xact_commit_timestamp(xmin)), 0)), 0) "
      "from many");
}

void commit_many(postgres_cluster& source, int count) {
  sql_session session(source.conninfo());
  session.execute("set synchronous_commit = off");
  session.execute("do $$ begin for i in 1.." + std::to_string(count) +
                  " loop insert into many values (i); commit; end loop; end $$");
}

core::lsn flushed(postgres_cluster& of) {
  return core::parse_lsn(of.value("select pg_current_wal_flush_lsn()")).value();
}

/// A stock server on the timeline as of the LSN.
struct started_export {
  started_export(timeline_home& home, core::lsn at) : directory(home.directory / "export") {
    export_to(home, at, directory);
    std::ofstream(directory / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
    server = postgres_cluster::adopt(directory, {"autovacuum = off"});
    server->start();
  }
  ~started_export() {
    server.reset();
    std::filesystem::remove_all(directory);
  }
  std::filesystem::path directory;
  std::unique_ptr<postgres_cluster> server;
};

void check_equal(const std::vector<std::string>& source, const std::vector<std::string>& copy) {
  BOOST_TEST(source == copy, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_export_answers_as_its_source_for_transactions_before_and_after_the_import) {
  postgres_cluster source({.config = {"track_commit_timestamp = on", "max_prepared_transactions = 5",
                                      "wal_keep_size = 1GB", "autovacuum = off"}});
  source.start();
  source.execute("create table written (name text); create table many (i int)");
  source.execute("insert into written values ('before')");
  source.execute(
      "begin; insert into written values ('before, top'); savepoint s"
      "; insert into written values ('before, sub'); release s; commit");
  source.execute(
      "begin; insert into written values ('prepared before, top'); savepoint s"
      "; insert into written values ('prepared before, sub'); prepare transaction 'before'");
  commit_many(source, 2000);
  timeline_home home;
  const taken_backup backup = take_backup(source, source.work_directory() / "backup");

  source.execute("insert into written values ('after')");
  source.execute(
      "begin; insert into written values ('after, top'); savepoint s"
      "; insert into written values ('after, sub'); savepoint u; insert into written values ('after, gone')"
      "; rollback to u; commit");
  source.execute("commit prepared 'before'");
  source.execute("begin; insert into written values ('prepared after'); prepare transaction 'after'");
  source.execute("select pg_replication_origin_create('elsewhere')");
  {
    sql_session session(source.conninfo());
    session.execute("select pg_replication_origin_session_setup('elsewhere')");
    session.execute("begin; select pg_replication_origin_xact_setup('0/1000', '2020-02-02 02:02:02.020202+00')");
    session.execute("insert into written values ('replicated, told'); commit");
    session.execute("select pg_replication_origin_xact_reset()");
    session.execute("insert into written values ('replicated, not told')");
  }
  // Beyond a segment of 26208 transactions, and a checkpoint in between.
  commit_many(source, 20000);
  source.execute("checkpoint");
  commit_many(source, 8000);
  source.execute("commit prepared 'after'");
  source.execute("begin; insert into written values ('prepared at the end'); prepare transaction 'end'");
  source.execute("insert into written values ('at the end')");
  const core::lsn middle = flushed(source);
  const std::vector<std::string> at_middle = timestamps_of(source);
  const std::string many_at_middle = many_timestamps_of(source);
  source.execute("insert into written values ('too late')");
  const core::lsn end = flushed(source);
  const std::string next = source.value("select pg_snapshot_xmax(pg_current_snapshot())");
  source.stop();
  import_backup(home, backup);
  ingest_wal(home, source.data_directory() / "pg_wal", end);

  const started_export copy(home, middle);
  BOOST_TEST_MESSAGE(at_middle.size() << " rows; " << many_at_middle);
  BOOST_TEST(at_middle.size() == 12u);
  check_equal(at_middle, timestamps_of(*copy.server));
  BOOST_TEST(many_timestamps_of(*copy.server) == many_at_middle);
  // Transactions that never were, up to the next one, and those of before tracking began have none.
  BOOST_TEST(copy.server->value("select count(pg_xact_commit_timestamp(x::text::xid)) from generate_series(" + next +
                                ", txid_current() - 1) x") == "0");
  BOOST_TEST(copy.server->value("select coalesce(pg_xact_commit_timestamp('4')::text, 'none')") == "none");
  // The copy goes on with timestamps of its own and keeps the old ones.
  copy.server->execute("commit prepared 'end'");
  copy.server->execute("insert into written values ('on the copy')");
  BOOST_TEST(copy.server->value("select count(*) from written where pg_xact_commit_timestamp(xmin) is null") == "0");
  commit_many(*copy.server, 2000);
  copy.server->restart();
  BOOST_TEST(copy.server->value("select count(*) || '/' || count(pg_xact_commit_timestamp(xmin)) from many") ==
             "32000/32000");
  copy.server->stop();
}

BOOST_AUTO_TEST_CASE(tracking_that_is_switched_on_and_off_behind_the_import_is_followed) {
  postgres_cluster source({.config = {"wal_keep_size = 1GB", "autovacuum = off"}});
  source.start();
  source.execute("create table written (name text); create table many (i int)");
  source.execute("insert into written values ('untracked')");
  commit_many(source, 1500);
  timeline_home home;
  const taken_backup backup = take_backup(source, source.work_directory() / "backup");
  struct moment {
    core::lsn at;
    std::vector<std::string> timestamps;
    std::string many;
  };
  std::vector<moment> tracked;
  const auto track = [&](const std::string& name) {
    source.configure("track_commit_timestamp = on");
    source.restart();
    source.execute("insert into written values ('" + name + "')");
    // No checkpoint tells yet where the source's timestamps begin.
    tracked.push_back({flushed(source), timestamps_of(source), many_timestamps_of(source)});
    commit_many(source, 1000);
    source.execute("checkpoint; insert into written values ('" + name + ", behind a checkpoint')");
    tracked.push_back({flushed(source), timestamps_of(source), many_timestamps_of(source)});
  };
  track("first");
  source.configure("track_commit_timestamp = off");
  source.restart();
  source.execute("insert into written values ('untracked again')");
  const core::lsn untracked = flushed(source);
  track("second");
  source.execute("insert into written values ('last')");
  const core::lsn end = flushed(source);
  source.stop();
  import_backup(home, backup);
  ingest_wal(home, source.data_directory() / "pg_wal", end);

  using storage::mapping::slru_segments;
  for (const core::lsn at : {home.store->record().readable_from, untracked})
    BOOST_TEST(slru_segments(*home.store, pg::slru_kind::commit_ts, at)->empty());
  for (const moment& then : tracked) {
    BOOST_TEST_CONTEXT("at " << core::to_string(then.at)) {
      const started_export copy(home, then.at);
      check_equal(then.timestamps, timestamps_of(*copy.server));
      BOOST_TEST(many_timestamps_of(*copy.server) == then.many);
      copy.server->stop();
    }
  }
  const started_export copy(home, untracked);
  BOOST_TEST(copy.server->value("show track_commit_timestamp") == "off");
  BOOST_TEST(copy.server->value("select count(*) from written") == "4");
  copy.server->stop();
}

BOOST_AUTO_TEST_SUITE_END()
