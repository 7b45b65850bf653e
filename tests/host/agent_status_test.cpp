#include "host/agent_status.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

struct with_directory {
  tests::temp_dir home;
  std::string directory = home.path().string();
};

BOOST_FIXTURE_TEST_SUITE(host_agent_status, with_directory)

BOOST_AUTO_TEST_CASE(what_was_saved_is_loaded) {
  agent_status status;
  status.pid = 4711;
  status.tenant_id = core::make_id<core::tenant_id>();
  status.timeline_id = core::make_id<core::timeline_id>();
  status.branch = "shop/dev";
  status.state = agent_state::superseded;
  status.detail = "another \"compute\"";
  status.term = 7;
  status.generation = 2;
  status.start_lsn = core::lsn(0x3000000);
  status.written_lsn = core::lsn(0x3000500);
  status.commit_lsn = core::lsn(0x3000400);
  status.applied_lsn = core::lsn(0x3000300);
  status.has_quorum = true;
  status.restored_bytes = 1u << 30;
  status.incarnations = 3;
  status.port = 20001;
  status.since = core::wall_time(std::chrono::microseconds(1700000000123456));
  status.safekeepers = {{1, "127.0.0.1:5454", "streaming", core::lsn(0x3000400)}, {2, "b:1", "away: refused", {}}};
  status.pages = {.total = 5, .missing = 2, .complete = true, .waits = "nobody", .fillers = 3, .filler = 77};
  status.pages.filler_state = "restarting";
  status.pages.work = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  BOOST_TEST_REQUIRE(save_status(directory, status));
  const auto loaded = load_status(directory);
  BOOST_TEST_REQUIRE(loaded.has_value(), (loaded ? "" : loaded.error().detail));
  BOOST_TEST((*loaded == status));
}

BOOST_AUTO_TEST_CASE(an_unknown_lag_of_a_standby_stays_unknown) {
  agent_status status;
  status.standby = {.upstream = "safekeeper 2",
                    .head_lsn = core::lsn(0x3000400),
                    .received_lsn = core::lsn(0x3000300),
                    .replayed_lsn = core::lsn(0x3000200),
                    .lag_bytes = 0x200,
                    .lag = std::chrono::milliseconds(1500)};
  status.lag_as_of = core::wall_time(std::chrono::seconds(1700000000));
  BOOST_TEST_REQUIRE(save_status(directory, status));
  BOOST_TEST((*load_status(directory) == status));
  status.standby->lag_bytes.reset();
  status.standby->lag.reset();
  BOOST_TEST_REQUIRE(save_status(directory, status));
  BOOST_TEST((load_status(directory)->standby == status.standby));
  status.standby.reset();
  BOOST_TEST_REQUIRE(save_status(directory, status));
  BOOST_TEST(!load_status(directory)->standby.has_value());
}

BOOST_AUTO_TEST_CASE(a_lag_is_known_for_three_seconds_after_it_was_written) {
  const core::wall_time written(std::chrono::seconds(1700000000));
  const auto is_known = [&](std::chrono::seconds later) {
    agent_status status;
    status.standby = {.lag_bytes = 0, .lag = std::chrono::milliseconds(0)};
    status.lag_as_of = written;
    forget_old_lag(status, written + later);
    BOOST_TEST(status.standby->lag.has_value() == status.standby->lag_bytes.has_value());
    return status.standby->lag_bytes.has_value();
  };
  BOOST_TEST(is_known(std::chrono::seconds(0)));
  BOOST_TEST(is_known(std::chrono::seconds(3)));
  BOOST_TEST(!is_known(std::chrono::seconds(4)));
  // The clock was set back: how old it is is unknown.
  BOOST_TEST(!is_known(std::chrono::seconds(-4)));
  agent_status writer;
  forget_old_lag(writer, written);
  BOOST_TEST((writer == agent_status()));
}

BOOST_AUTO_TEST_CASE(nothing_is_not_found_and_damage_is_named) {
  BOOST_TEST(load_status(directory).error().code == core::errc::not_found);
  BOOST_TEST_REQUIRE(save_status(directory, {}));
  std::ofstream(directory + "/compute-agent.json") << R"({"pid": 1, "state": "dancing"})";
  const auto loaded = load_status(directory);
  BOOST_TEST_REQUIRE(!loaded.has_value());
  BOOST_TEST(loaded.error().code == core::errc::corrupt);
  BOOST_TEST(loaded.error().detail.find("dancing") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_last_three_states_are_final) {
  BOOST_TEST(!is_final(agent_state::stopping));
  BOOST_TEST(is_final(agent_state::stopped));
  BOOST_TEST(is_final(agent_state::failed));
  BOOST_TEST(is_final(agent_state::superseded));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
