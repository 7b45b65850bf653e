#include <boost/test/unit_test.hpp>
#include <chrono>

#include "control/recover_table_name.hpp"
#include "control/recover_table_plan.hpp"

namespace strata::control {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(control_recover_table)

BOOST_AUTO_TEST_CASE(a_table_is_named_as_in_sql_and_the_time_begins_at_the_first_free_at_sign) {
  const auto plain = parse_past_table_name("Shop.Public.Orders@2026-11-22 14:06:41.5 Europe/Berlin");
  BOOST_REQUIRE(plain);
  BOOST_TEST((plain->table == table_name{"shop", "public", "orders"}));
  BOOST_TEST(plain->when == "2026-11-22 14:06:41.5 Europe/Berlin");

  const auto quoted = parse_past_table_name("\"My Schema\".\"a.b@c\"\"d\"@0/3B21F08");
  BOOST_REQUIRE(quoted);
  BOOST_TEST((quoted->table == table_name{"", "My Schema", "a.b@c\"d"}));
  BOOST_TEST(quoted->when == "0/3B21F08");

  const auto alone = parse_table_name("orders_old");
  BOOST_REQUIRE(alone);
  BOOST_TEST((*alone == table_name{"", "", "orders_old"}));
}

BOOST_AUTO_TEST_CASE(a_shown_name_is_read_back) {
  for (const table_name& each : {table_name{"", "public", "orders_2"}, table_name{"", "My Schema", "a.b@c\"d"},
                                 table_name{"", "s", "1st"}, table_name{"", "", "größe"}, table_name{"", "A", "x y"}}) {
    const auto back = parse_table_name(to_string(each));
    BOOST_REQUIRE(back);
    BOOST_TEST((*back == each), to_string(each));
  }
  BOOST_TEST(to_string({"db", "public", "orders"}) == "public.orders");
}

BOOST_AUTO_TEST_CASE(names_that_mean_nothing_are_refused) {
  for (const char* text : {"", "@10m", "orders", "orders@", "a..b@1m", ".b@1m", "a.@1m", "a.b.c.d@1m", "\"open@1m",
                           "\"a\"b@1m", "a\"b@1m", "\"\"@1m"})
    BOOST_TEST(!parse_past_table_name(text), text);
  BOOST_TEST(!parse_past_table_name(std::string(64, 'a') + "@1m"));
  BOOST_TEST(parse_past_table_name(std::string(63, 'a') + "@1m").has_value());
  BOOST_TEST(!parse_table_name("a@1m"));
}

BOOST_AUTO_TEST_CASE(a_script_of_pg_dump_is_split_at_semicolons_outside_of_quotes_and_parentheses) {
  const std::string script =
      "--\n-- PostgreSQL; dump\n--\n\n\\restrict aX9;b\n\nSET lock_timeout = 0;\n"
      "CREATE TABLE \"a;b\" (\n    x text DEFAULT ';'';\\' || E'\\';' -- a comment; of it\n);\n"
      "/* one; /* nested; */ comment */COMMENT ON TABLE t IS $x$ a;$$;b $x$;\n"
      "CREATE RULE r AS ON INSERT TO t DO ( SELECT 1; SELECT 2; );\n"
      "SELECT 'é', a$b$c;;\n\\unrestrict aX9;b\n";
  const strings expected{"SET lock_timeout = 0", "CREATE TABLE \"a;b\" (\n    x text DEFAULT ';'';\\' || E'\\';' \n)",
                         "COMMENT ON TABLE t IS $x$ a;$$;b $x$",
                         "CREATE RULE r AS ON INSERT TO t DO ( SELECT 1; SELECT 2; )", "SELECT 'é', a$b$c"};
  BOOST_TEST(statements_of(script) == expected, boost::test_tools::per_element());
  // What is cut off is no reason to read beyond it.
  for (const char* text : {"'", "\"a", "$x$ b", "/* c", "E'\\", "--", "\\restrict", "(;"}) statements_of(text);
}

BOOST_AUTO_TEST_CASE(what_may_be_left_out_is_told_from_what_makes_the_table) {
  const auto is = [](const char* statement, statement_use use) { BOOST_TEST((use_of(statement) == use), statement); };
  is("SET default_tablespace = ''", statement_use::skipped);
  is("SELECT pg_catalog.set_config('search_path', '', false)", statement_use::skipped);
  is("SET default_table_access_method = \"heap\"", statement_use::required);
  is("CREATE TABLE \"public\".\"t\" (\"a\" integer)", statement_use::required);
  is("ALTER TABLE ONLY \"public\".\"t\" ADD CONSTRAINT \"x OWNER TO y\" PRIMARY KEY (\"a\")", statement_use::required);
  is("ALTER TABLE \"public\".\"t\" ENABLE ROW LEVEL SECURITY", statement_use::required);
  is("ALTER TABLE \"public\".\"t\" OWNER TO \"app\"", statement_use::closing);
  is("GRANT SELECT ON TABLE \"public\".\"t\" TO \"app\"", statement_use::closing);
  is("CREATE TRIGGER \"tr\" BEFORE INSERT ON \"t\" EXECUTE FUNCTION \"f\"()", statement_use::optional);
  is("ALTER TABLE \"public\".\"t\" DISABLE TRIGGER \"tr\"", statement_use::optional);
  is("COMMENT ON COLUMN \"t\".\"a\" IS 'x'", statement_use::optional);
}

BOOST_AUTO_TEST_CASE(objects_get_names_that_are_free_and_what_replaces_gets_those_of_what_goes) {
  BOOST_TEST(derived_name("orders_pkey", "orders", "old") == "old_pkey");
  BOOST_TEST(derived_name("by_day", "orders", "old") == "old_by_day");
  BOOST_TEST(derived_name("by_day", "orders", "orders") == "by_day");
  BOOST_TEST(free_name("a", {"a", "a_1"}) == "a_2");
  const std::string longest = free_name(std::string(62, 'a') + "ö", {});
  BOOST_TEST(longest == std::string(62, 'a'));  // no half a character
  BOOST_TEST(free_name(std::string(63, 'a'), {std::string(63, 'a')}) == std::string(61, 'a') + "_1");

  const std::vector<object_name> then{{"TABLE", "1", "public", "orders"},
                                      {"INDEX", "2", "public", "orders_pkey"},
                                      {"SEQUENCE", "3", "other", "numbers"},
                                      {"STATISTICS", "4", "public", "orders_pkey"}};
  auto beside = then;
  choose_names(beside, "archive", "old", {.relations = {{"archive", {"old_pkey"}}}}, {});
  BOOST_TEST(beside[0].new_schema == "archive");
  BOOST_TEST(beside[0].created == "old");
  BOOST_TEST(beside[1].created == "old_pkey_1");
  BOOST_TEST(beside[1].final_name == "old_pkey_1");
  BOOST_TEST(beside[2].new_schema == "other");
  BOOST_TEST(beside[2].created == "old_numbers");
  BOOST_TEST(beside[3].created == "old_pkey");  // relations and statistics have names of their own

  auto instead = then;
  choose_names(instead, "public", "orders", {.relations = {{"public", {"orders", "orders_pkey", "orders_1"}}}},
               {.relations = {{"public", {"orders", "orders_pkey"}}}});
  BOOST_TEST(instead[0].created == "orders_2");
  BOOST_TEST(instead[0].final_name == "orders");
  BOOST_TEST(instead[1].created == "orders_pkey_1");
  BOOST_TEST(instead[1].final_name == "orders_pkey");
}

BOOST_AUTO_TEST_CASE(columns_are_matched_by_name_and_those_that_differ_are_named) {
  const auto match = match_columns(
      {{"id", "bigint"}, {"gone", "text"}, {"sum", "numeric", true}, {"price", "integer"}},
      {{"price", "numeric"}, {"id", "bigint"}, {"must", "text", false, true}, {"may", "text"}, {"made", "text", true}});
  BOOST_TEST(match.copied == (strings{"id", "price"}), boost::test_tools::per_element());
  BOOST_TEST(match.missing == strings{"gone"}, boost::test_tools::per_element());
  BOOST_TEST(match.unfilled == strings{"must"}, boost::test_tools::per_element());
  BOOST_TEST(match.defaulted == strings{"may"}, boost::test_tools::per_element());
  BOOST_TEST(match.other_type == strings{"price (integer, now numeric)"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_time_left_follows_from_the_density_when_the_table_was_analyzed) {
  BOOST_TEST(expected_rows({.known_rows = 1000, .known_pages = 10, .heap_bytes = 20 * 8192}) == 2000);
  BOOST_TEST(expected_rows({.known_rows = -1, .known_pages = 0, .heap_bytes = 8192}) == 0);
  BOOST_TEST((time_left(500, 2000, 10s) == 30s));
  BOOST_TEST(!time_left(0, 2000, 10s));
  BOOST_TEST(!time_left(2001, 2000, 10s));
  BOOST_TEST((time_left(1e-300, 1e300, 10s) == std::chrono::hours(365 * 24)));
  BOOST_TEST(grouped(1234567) == "1,234,567");
  BOOST_TEST(grouped(999) == "999");
  BOOST_TEST(progress_text(500, 2048, 2000, 0, 10s) == "500 rows, 2.0 KiB, 50 rows/s, about 30s left");
  BOOST_TEST(progress_text(500, 2048, 0, 4096, 10s) == "500 rows, 2.0 KiB, 50 rows/s, about 10s left");
  BOOST_TEST(progress_text(1, 10, 2000, 0, 1ms) == "1 rows, 10 B");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
