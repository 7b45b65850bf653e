#include "host/log_watch.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

constexpr const char* cancelled =
    "2026-11-27 03:00:00.000 UTC [77] WARNING:  canceling wait for synchronous replication due to user request\n";
constexpr const char* terminated =
    "2026-11-27 03:00:00.000 UTC [77] WARNING:  canceling the wait for synchronous replication and terminating "
    "connection due to administrator command\n";

struct with_log {
  void write(const std::string& text) const { std::ofstream(path, std::ios::app) << text; }
  tests::temp_dir home;
  std::string path = (home / "postgres.log").string();
};

BOOST_FIXTURE_TEST_SUITE(host_log_watch, with_log)

BOOST_AUTO_TEST_CASE(both_ways_of_not_waiting_are_known) {
  BOOST_TEST(tells_of_cancelled_wait(cancelled));
  BOOST_TEST(tells_of_cancelled_wait(terminated));
  BOOST_TEST(!tells_of_cancelled_wait("LOG:  checkpoint starting: time"));
  // What a client makes Postgres write is not what Postgres says.
  BOOST_TEST(!tells_of_cancelled_wait("STATEMENT:  select 'canceling wait for synchronous replication'"));
}

BOOST_AUTO_TEST_CASE(a_log_has_changed_until_it_was_read) {
  write("before\n");
  log_watch watch(path);
  BOOST_TEST(!watch.has_changed());
  write("LOG:  checkpoint starting: time\n");
  BOOST_TEST(watch.has_changed());
  BOOST_TEST(!watch.look());
  BOOST_TEST(!watch.has_changed());
}

BOOST_AUTO_TEST_CASE(a_standby_that_has_paused_for_good_is_known) {
  const std::string paused =
      "2026-12-01 04:00:00.000 GMT [7] WARNING:  hot standby is not possible because of insufficient parameter "
      "settings";
  BOOST_TEST(tells_of_outgrown_settings(paused));
  BOOST_TEST(!tells_of_outgrown_settings(cancelled));
  log_watch watch(path, tells_of_outgrown_settings);
  write(cancelled);
  BOOST_TEST(!watch.look());
  write(paused + "\n");
  BOOST_TEST(watch.look());
}

BOOST_AUTO_TEST_CASE(only_what_is_written_after_the_beginning_counts_and_only_once) {
  write(cancelled);
  log_watch watch(path);
  BOOST_TEST(!watch.look());
  write("LOG:  something else\n");
  BOOST_TEST(!watch.look());
  write(std::string("LOG:  x\n") + terminated + "LOG:  y\n");
  BOOST_TEST(watch.look());
  BOOST_TEST(!watch.look());
}

BOOST_AUTO_TEST_CASE(a_line_that_is_written_in_pieces_is_seen_when_it_is_whole) {
  log_watch watch(path);  // there is no file yet
  BOOST_TEST(!watch.look());
  const std::string line = cancelled;
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    write(line.substr(i, 1));
    BOOST_TEST_REQUIRE(!watch.look());
  }
  write("\n");
  BOOST_TEST(watch.look());
}

BOOST_AUTO_TEST_CASE(a_lot_of_log_and_long_lines_hide_nothing) {
  log_watch watch(path);
  write(std::string(100'000, 'x') + "\n");
  for (int i = 0; i < 2000; ++i) write("LOG:  line " + std::to_string(i) + "\n");
  write(cancelled);
  BOOST_TEST(watch.look());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
