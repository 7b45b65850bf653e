#include "control/cluster.hpp"

#include <boost/test/unit_test.hpp>

#include "config/time_text.hpp"
#include "control/failure.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

using consensus::safekeeper_state;
using control::state_text;

BOOST_AUTO_TEST_SUITE(control_cluster)

BOOST_AUTO_TEST_CASE(a_state_is_shown_with_its_reason_and_silence_with_its_time) {
  consensus::safekeeper_status of;
  of.last_error = "it does not answer";
  BOOST_TEST(state_text(of) == "unreachable: it does not answer");
  of.since = core::wall_time(std::chrono::milliseconds(1'700'000'000'250));
  BOOST_TEST(state_text(of) == "unreachable since " +
                                   config::local_text(core::wall_time(std::chrono::seconds(1'700'000'000))) +
                                   ": it does not answer");
  of.state = safekeeper_state::down;
  of.last_error = "not running";
  BOOST_TEST(state_text(of) == "down: not running");
  of.state = safekeeper_state::up;
  of.last_error.clear();
  BOOST_TEST(state_text(of) == "up");
  of.disk_full = true;
  BOOST_TEST(state_text(of) == "up, disk full");
}

BOOST_AUTO_TEST_CASE(in_a_table_a_state_is_short_and_its_reason_a_line_below) {
  consensus::safekeeper_status down;
  down.id = {3};
  down.state = safekeeper_state::down;
  down.last_error = "not running: safekeeper.json is damaged";
  consensus::safekeeper_status silent;
  silent.id = {12};
  silent.last_error = "safekeeper 12 at 127.0.0.1:7001 did not answer within 3 s";
  consensus::safekeeper_status full;
  full.id = {1};
  full.state = safekeeper_state::up;
  full.disk_full = true;
  BOOST_TEST(control::short_state(down) == "down");
  BOOST_TEST(control::short_state(silent) == "unreachable");
  BOOST_TEST(control::short_state(full) == "up, disk full");
  const auto lines = control::reasons_of({full, down, silent});
  BOOST_REQUIRE(lines.size() == 2u);
  BOOST_TEST(lines[0] == "safekeeper 3 is down: not running: safekeeper.json is damaged");
  BOOST_TEST(lines[1] == "safekeeper 12 is unreachable: safekeeper 12 at 127.0.0.1:7001 did not answer within 3 s");
}

BOOST_AUTO_TEST_CASE(the_reasons_of_copies_are_named_once_for_each_safekeeper) {
  const auto quorum = [](const std::string& branch, const std::string& first, const std::string& second) {
    consensus::quorum_view made;
    made.branch = branch;
    made.rows = {{{1}, first, {}}, {{2}, second, {}}};
    return made;
  };
  const std::string moved = "active; unreachable at 127.0.0.1:7002: connection refused";
  const std::vector<consensus::quorum_view> all{quorum("s/a", "active; disk full", moved),
                                                quorum("s/b", "broken: checksum: page 4", moved),
                                                quorum("s/c", "missing", moved)};
  BOOST_TEST(control::short_state(all[0].rows[0]) == "active; disk full");
  BOOST_TEST(control::short_state(all[0].rows[1]) == "active; unreachable");
  BOOST_TEST(control::short_state(all[1].rows[0]) == "broken");
  BOOST_TEST(control::short_state(all[2].rows[0]) == "missing");
  const auto lines = control::reasons_of(all);
  BOOST_REQUIRE(lines.size() == 2u);
  BOOST_TEST(lines[0] == "safekeeper 1: s/b: broken: checksum: page 4");
  BOOST_TEST(lines[1] == "safekeeper 2: s/a and 2 more branches: " + moved);
}

BOOST_AUTO_TEST_CASE(without_a_server_the_safekeepers_of_the_directory_are_asked) {
  const temp_dir home;
  std::filesystem::create_directories(home / "safekeepers" / "1");
  const auto one = control::look_at_cluster({.directory = home.path().string()});
  BOOST_REQUIRE(one.safekeepers.size() == 1u);
  BOOST_TEST((one.safekeepers[0].state == safekeeper_state::down));
  BOOST_TEST(!one.safekeepers[0].since.has_value());
  BOOST_TEST(one.health.can_lose == -1);
}

BOOST_AUTO_TEST_CASE(a_directory_with_neither_server_nor_safekeepers_has_no_cluster) {
  const temp_dir home;
  for (const std::string& directory : {(home / "nowhere").string(), home.path().string()}) {
    const auto is_refusal = [&](const control::failure& e) {
      return e.what() == "no server runs on " + directory && e.code() == core::errc::unavailable;
    };
    BOOST_CHECK_EXCEPTION(control::look_at_cluster({.directory = directory}), control::failure, is_refusal);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
