// strata recover table: one table as it was, into a living database.
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "tests/integration/compute/branch_fixture.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;

bool says(const finished& done, const std::string& text) {
  return (done.out + done.err).find(text) != std::string::npos;
}

/// Tables that were there, and then were changed or dropped.
struct with_lost_tables : with_branch {
  with_lost_tables() {
    source.execute(
        "create role app; create type mood as enum ('sad', 'ok');"
        "create table customers (id int primary key);"
        "insert into customers select generate_series(1, 10);"
        "create table orders (id bigint generated always as identity primary key, customer int references customers,"
        " price numeric check (price >= 0), double numeric generated always as (price * 2) stored,"
        " feeling mood default 'ok', note text);"
        "insert into orders (customer, price, note) select 1 + i % 10, i, E'tab\\t\\\\ ' || i from"
        " generate_series(1, 2000) i;"
        "insert into orders (price, note) values (1, repeat(md5('x'), 10000));"
        "create index orders_note on orders (left(note, 10));"
        "create statistics orders_numbers on customer, price from orders;"
        "grant select on orders to app; comment on table orders is 'it''s; ours';"
        "create table parts (id int, k int, primary key (id, k)) partition by list (k);"
        "create table parts_a partition of parts for values in (1);"
        "create table parts_b partition of parts default;"
        "insert into parts select i, i % 3 from generate_series(1, 90) i;"
        "create schema \"My Schema\"; create table \"My Schema\".\"a.b@c\" (\"X y\" serial, v text);"
        "insert into \"My Schema\".\"a.b@c\" (v) values ('quoted');"
        "create unlogged table passing (a int); insert into passing values (1)");
    expected = source.value(sums);
    // Holds a lock on the table in the past, for ever.
    source.execute("begin; insert into orders (price) values (7); prepare transaction 'pending'");
    then = source.value("select pg_current_wal_flush_lsn()");
    source.execute("rollback prepared 'pending'");
    source.execute("drop table orders, parts; drop table \"My Schema\".\"a.b@c\"; create table later (a int)");
    strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  }
  [[nodiscard]] finished recover(const std::string& table, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"recover", "table", table + "@" + then, source.conninfo()};
    words.insert(words.end(), more.begin(), more.end());
    return strata.cli(words);
  }
  [[nodiscard]] bool has_temporary_compute() const {
    for (const auto& each : strata.ask({"compute", "list"}))
      if (each.at("name").get<std::string>().starts_with("recover-")) return true;
    return false;
  }
  [[nodiscard]] std::string tables() {
    return source.value(
        "select coalesce(string_agg(relname, ',' order by relname), '') from pg_class where relkind in"
        " ('r', 'p') and relnamespace = 'public'::regnamespace");
  }

  static constexpr const char* sums =
      "select count(*) || ' ' || sum(price) || ' ' || sum(double) || ' ' || sum(hashtext(note)) from orders";
  std::string expected;
  std::string then;
};

BOOST_FIXTURE_TEST_SUITE(integration_compute_recover_table, with_lost_tables)

BOOST_AUTO_TEST_CASE(a_table_comes_back_whole_and_nothing_is_replaced_or_left_by_accident) {
  // -- a dropped table, into the source that its branch follows
  const finished back = recover("orders");
  BOOST_TEST(back.exit_code == 0, back.err);
  BOOST_TEST(says(back, "2,001 rows"), back.out);
  BOOST_TEST(source.value(sums) == expected);
  BOOST_TEST(source.value("select string_agg(conname || convalidated, ' ' order by conname) from pg_constraint"
                          " where conrelid = 'orders'::regclass and contype in ('p', 'c', 'f')") ==
             "orders_customer_fkeytrue orders_pkeytrue orders_price_checktrue");
  BOOST_TEST(source.value("select count(*) from pg_indexes where tablename = 'orders'") == "2");
  BOOST_TEST(source.value("select stxname from pg_statistic_ext") == "orders_numbers");
  BOOST_TEST(source.value("select has_table_privilege('app', 'orders', 'select')") == "t");
  BOOST_TEST(source.value("select obj_description('orders'::regclass)") == "it's; ours");
  BOOST_TEST(source.value("insert into orders (price) values (1) returning id > 2001") == "t");

  // -- one that exists
  const finished refused = recover("orders");
  BOOST_TEST(refused.exit_code == 4, refused.err);
  BOOST_TEST(says(refused, "--into public.orders_recovered"), refused.err);
  BOOST_TEST(says(refused, "--replace"), refused.err);
  source.execute("delete from customers where id = 3 and not exists (select from orders where customer = 3)");
  source.execute("truncate orders; delete from customers where id = 3; create view v as select id from orders");
  const finished beside = recover("orders", {"--into", "orders_recovered", "--no-indexes"});
  BOOST_TEST(beside.exit_code == 0, beside.err);
  BOOST_TEST(says(beside, "orders_customer_fkey is NOT VALID"), beside.err);
  BOOST_TEST(source.value("select string_agg(indexname, ' ') from pg_indexes where tablename = 'orders_recovered'") ==
             "orders_recovered_pkey");
  BOOST_TEST(source.value("select count(*) from orders") == "0");
  const finished depended = recover("orders", {"--replace"});
  BOOST_TEST(depended.exit_code == 4, depended.err);
  BOOST_TEST(says(depended, "view public.v"), depended.err);
  const finished replaced = recover("orders", {"--replace", "--cascade"});
  BOOST_TEST(replaced.exit_code == 0, replaced.err);
  BOOST_TEST(says(replaced, "CREATE VIEW public.v AS"), replaced.err);
  BOOST_TEST(source.value(sums) == expected);
  BOOST_TEST(source.value("select string_agg(indexname, ' ' order by indexname) from pg_indexes where tablename = "
                          "'orders'") == "orders_note orders_pkey");

  // -- rows only
  source.execute("truncate orders; alter table orders rename note to remark; alter sequence orders_id_seq restart");
  const finished renamed = recover("orders", {"--data-only"});
  BOOST_TEST(renamed.exit_code == 4, renamed.err);
  BOOST_TEST(says(renamed, "it has no columns note; nothing was changed"), renamed.err);
  source.execute(
      "alter table orders rename remark to note; alter table orders drop constraint orders_customer_fkey,"
      " drop column double, alter customer type bigint, add extra int default 5");
  const finished added = recover("orders", {"--data-only"});
  BOOST_TEST(added.exit_code == 0, added.err);
  BOOST_TEST(says(added, "customer (integer, now bigint)"), added.err);
  BOOST_TEST(source.value("select count(*) || ' ' || min(extra) from orders") == "2001 5");
  BOOST_TEST(source.value("insert into orders (price) values (1) returning id > 2001") == "t");
  BOOST_TEST(recover("orders", {"--data-only"}).exit_code == 4);  // the keys exist
  BOOST_TEST(source.value("select count(*) from orders") == "2002");
}

BOOST_AUTO_TEST_CASE(what_can_be_recovered_is_and_a_command_that_ends_in_the_middle_leaves_nothing) {
  const finished parts = recover("parts", {"--json"});
  BOOST_TEST(parts.exit_code == 0, parts.err);
  BOOST_TEST(json::parse(parts.out).at("rows") == 90);
  BOOST_TEST(source.value("select string_agg(name, ' ' order by name) from (select distinct"
                          " tableoid::regclass::text collate \"C\" as name from parts) t") == "parts_a parts_b");
  BOOST_TEST(recover("parts_b", {"--into", "alone"}).exit_code == 0);
  BOOST_TEST(source.value("select count(*) from alone") == "60");
  BOOST_TEST(recover("parts", {"--into", "parts_then"}).exit_code == 0);
  BOOST_TEST(source.value("select count(*) from parts_then_b") == "60");

  const finished quoted = recover("\"My Schema\".\"a.b@c\"");
  BOOST_TEST(quoted.exit_code == 0, quoted.err);
  BOOST_TEST(source.value("insert into \"My Schema\".\"a.b@c\" (v) values ('next') returning \"X y\" > 1") == "t");

  const finished unlogged = recover("passing", {"--into", "passed"});
  BOOST_TEST(unlogged.exit_code == 0, unlogged.err);
  BOOST_TEST(says(unlogged, "recovered empty"), unlogged.err);

  const finished later = recover("later", {"--into", "x"});
  BOOST_TEST(later.exit_code == 3, later.err);
  BOOST_TEST(says(later, "it exists in the target now"), later.err);
  BOOST_TEST(says(later, "; it was there at 0/"), later.err);
  BOOST_TEST(says(later, "next:  strata recover table public.later@0/"), later.err);
  BOOST_TEST(recover("nowhere.public.orders", {"--into", "x"}).exit_code == 3);
  BOOST_TEST(strata.cli({"recover", "table", "orders", source.conninfo()}).exit_code == 2);
  BOOST_TEST(strata.cli({"recover", "table", "orders@" + then, "main"}).exit_code == 4);

  // -- what the target lacks
  source.execute("create role weak login");
  const finished weak = strata.cli({"recover", "table", "orders@" + then, source.conninfo() + " user=weak"});
  BOOST_TEST(weak.exit_code == 1, weak.err);
  BOOST_TEST(says(weak, "GRANT CREATE ON SCHEMA \"public\" TO \"weak\""), weak.err);
  source.execute("create database empty");
  const finished typeless =
      strata.cli({"recover", "table", "postgres.public.orders@" + then, source.conninfo("empty")});
  BOOST_TEST(typeless.exit_code == 3, typeless.err);
  BOOST_TEST(says(typeless, "public.mood; nothing was changed"), typeless.err);
  BOOST_TEST(!has_temporary_compute());

  // -- into a branch, whose writer is started
  strata.ask({"branch", "create", "living", "--from", "main@" + then});
  const finished branch = strata.cli({"recover", "table", "orders@" + then, "living", "--into", "again"});
  BOOST_TEST(branch.exit_code == 0, branch.err);
  BOOST_TEST(strata.cli({"psql", "living", "--", "-Atc", "select count(*) from again"}).out == "2001\n");

  // -- a command that ends in the middle
  const std::string before = tables();
  // Its last step waits for this lock.
  sql_session holder(source.conninfo());
  holder.execute("begin; lock table customers in share mode");
  for (const int signal : {SIGINT, SIGKILL}) {
    process recovering(strata.program({"recover", "table", "orders@" + then, source.conninfo()}));
    wait_until("the rows are copied", [&] {
      return source.value(
                 "select count(*) from pg_stat_activity where application_name = 'strata' and"
                 " wait_event_type = 'Lock'") == "1";
    });
    recovering.signal(signal);
    recovering.wait();
    wait_until("its session is gone", [&] {
      return source.value(
                 "select count(*) from pg_stat_activity where application_name = 'strata' and"
                 " backend_type = 'client backend'") == "0";
    });
    BOOST_TEST(tables() == before);
  }
  holder.execute("rollback");
  const finished after = recover("orders");
  BOOST_TEST(after.exit_code == 0, after.err);
  BOOST_TEST(source.value(sums) == expected);
  BOOST_TEST(says(after, "left by an interrupted command"), after.err);
  BOOST_TEST(!has_temporary_compute());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
