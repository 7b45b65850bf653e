#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <thread>

#include "page_files/fuse_mount.hpp"
#include "tests/page_files_fuse/mounted_cluster.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;

boost::test_tools::assertion_result postgres_can_use_fuse(boost::unit_test::test_unit_id id) {
  if (const auto available = page_files::fuse_available(postgres_account().has_value()); !available) {
    boost::test_tools::assertion_result no(false);
    no.message() << available.error().detail;
    std::cout << "SKIPPED: " << available.error().detail << std::endl;
    return no;
  }
  return fuse_works(id);
}

/// What is in the tables, in one line.
constexpr const char* digest =
    "select (select sum(hashint4extended(id, 1)::numeric) || ' ' || sum(hashtextextended(note, 1)::numeric) from "
    "items) || "
    "' ' || (select count(*) from pg_class)";

struct stopped_cluster {
  explicit stopped_cluster(int rows) {
    postgres_cluster& on = *cluster;
    on.start();
    on.execute("create extension amcheck");
    on.execute("create table items (id int primary key, note text); create index on items (note)");
    on.execute("insert into items select i, 'note ' || i * 7 % 1000 || repeat('x', i % 90) from generate_series(1, " +
               std::to_string(rows) + ") i");
    on.execute("vacuum analyze items");
    before = on.value(digest);
    on.stop();
  }
  std::unique_ptr<postgres_cluster> cluster = std::make_unique<postgres_cluster>();
  std::string before;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_fuse_postgres, *boost::unit_test::precondition(postgres_can_use_fuse))

BOOST_AUTO_TEST_CASE(postgres_lives_on_a_mount_that_fills_itself) {
  stopped_cluster image(60000);
  mounted_cluster mounted(image.cluster->data_directory(),
                          {"shared_buffers = 4MB", "checkpoint_timeout = 30s", "maintenance_work_mem = 1MB",
                           "max_parallel_workers_per_gather = 2"});
  mounted.source().set_delay(300us);
  postgres_cluster& on = mounted.postgres();
  const auto all_missing = mounted.map().missing();
  on.start();
  BOOST_TEST_MESSAGE("started with " << all_missing - mounted.map().missing() << " of " << all_missing << " pages");
  BOOST_TEST(mounted.map().missing() > all_missing / 2);
  BOOST_TEST(on.value(digest) == image.before);
  const finished first_check = on.run("pg_amcheck", {"--all", "--heapallindexed"});
  BOOST_TEST(first_check.exit_code == 0, first_check.out << first_check.err);

  on.execute("update items set note = note || '!' where id % 10 = 0; delete from items where id % 17 = 0");
  on.execute("create table copied as select * from items; create index on copied (note, id)");
  on.execute("vacuum full items");
  on.execute("checkpoint");
  on.execute("create database by_files template template0 strategy file_copy");
  on.execute("create database by_log template template1 strategy wal_log");
  on.execute("create table inside (id int); insert into inside select generate_series(1, 10000)", "by_files");
  BOOST_TEST(on.value("select count(*) from inside", "by_files") == "10000");
  on.execute("drop database by_files");
  on.execute("set work_mem = '64kB'; create table sorted as select * from items order by note desc, id");
  on.execute(
      "create unlogged table fast as select * from items; truncate copied; insert into copied select * from fast");
  on.execute("begin; drop table sorted; rollback");
  on.execute("delete from copied where id > 30000");
  on.execute("vacuum copied");
  const std::string after = on.value(digest);
  BOOST_TEST(on.value("select count(*) from copied") == on.value("select count(*) from items where id <= 30000"));
  on.restart();
  BOOST_TEST(on.value(digest) == after);
  on.kill_all();
  on.start();
  BOOST_TEST(on.value(digest) == after);
  const finished second_check = on.run("pg_amcheck", {"--all", "--heapallindexed"});
  BOOST_TEST(second_check.exit_code == 0, second_check.out << second_check.err);
  on.stop();
  BOOST_TEST(!mounted.door().failure());
  const auto counts = mounted.door().counts();
  BOOST_TEST_MESSAGE(counts.fetches << " fetches of " << counts.pages << " pages");
}

BOOST_AUTO_TEST_CASE(a_query_that_waits_for_pages_is_cancelled_and_a_session_ended) {
  stopped_cluster image(20000);
  mounted_cluster mounted(image.cluster->data_directory(), {"shared_buffers = 4MB"});
  postgres_cluster& on = mounted.postgres();
  on.start();
  sql_session watcher(on.conninfo());
  watcher.query("select pg_cancel_backend(0), pid from pg_stat_activity");
  for (const std::string how : {"pg_cancel_backend", "pg_terminate_backend"}) {
    sql_session reader(on.conninfo());
    const std::string pid = reader.value("select pg_backend_pid()");
    const std::string query =
        how == "pg_cancel_backend" ? "select count(*) from items" : "select count(*) from items where note like '%9%'";
    mounted.source().hold_only(static_cast<pg::oid>(std::stoul(reader.value("select pg_relation_filenode('items')"))));
    mounted.source().hold(true);
    std::atomic<bool> failed = false;
    std::thread waits([&] {
      try {
        reader.query(query);
      } catch (const std::exception& why) {
        BOOST_TEST_MESSAGE(why.what());
        failed = true;
      }
    });
    BOOST_TEST(comes_true([&] { return mounted.door().counts().waiting > 0; }));
    const auto before = std::chrono::steady_clock::now();
    watcher.query("select " + how + "(" + pid + ")");
    BOOST_TEST(comes_true([&] { return failed.load(); }));
    BOOST_TEST_MESSAGE(how << ": " << (std::chrono::steady_clock::now() - before) / 1ms << " ms");
    mounted.source().hold(false);
    waits.join();
  }
  BOOST_TEST(on.value(digest) == image.before);
  on.stop();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
