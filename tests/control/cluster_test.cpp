#include "control/cluster.hpp"

#include <boost/test/unit_test.hpp>

#include "config/time_text.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

using consensus::safekeeper_state;
using control::state_text;

BOOST_AUTO_TEST_SUITE(control_cluster)

BOOST_AUTO_TEST_CASE(a_state_is_shown_with_its_reason_and_silence_with_its_time) {
  consensus::safekeeper_status of;
  of.last_error = "not responding: it does not answer";
  BOOST_TEST(state_text(of) == "unreachable: not responding: it does not answer");
  of.since = core::wall_time(std::chrono::milliseconds(1'700'000'000'250));
  BOOST_TEST(state_text(of) == "unreachable since " +
                                   config::local_text(core::wall_time(std::chrono::seconds(1'700'000'000))) +
                                   ": not responding: it does not answer");
  of.state = safekeeper_state::down;
  of.last_error = "not running";
  BOOST_TEST(state_text(of) == "down: not running");
  of.state = safekeeper_state::up;
  of.last_error.clear();
  BOOST_TEST(state_text(of) == "up");
  of.disk_full = true;
  BOOST_TEST(state_text(of) == "up, disk full");
}

BOOST_AUTO_TEST_CASE(without_a_server_the_safekeepers_of_the_directory_are_asked) {
  const temp_dir home;
  const auto nobody = control::look_at_cluster({.directory = home.path().string()});
  BOOST_TEST(nobody.safekeepers.empty());
  std::filesystem::create_directories(home / "safekeepers" / "1");
  const auto one = control::look_at_cluster({.directory = home.path().string()});
  BOOST_REQUIRE(one.safekeepers.size() == 1u);
  BOOST_TEST((one.safekeepers[0].state == safekeeper_state::down));
  BOOST_TEST(!one.safekeepers[0].since.has_value());
  BOOST_TEST(one.health.can_lose == -1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
