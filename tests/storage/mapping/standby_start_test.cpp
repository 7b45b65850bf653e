#include "storage/mapping/standby_start.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage::mapping;

namespace {

core::lsn at(std::uint64_t value) { return core::lsn(value); }

pg::records::running_transactions running(pg::transaction_id next, pg::transaction_id oldest) {
  return {.next_xid = next, .oldest_running = oldest};
}

struct with_tracker {
  void runs(core::lsn start, pg::transaction_id next, pg::transaction_id oldest, pg::transaction_id before = 0) {
    pg::files::checkpoint after;
    // The counters run ahead in steps.
    after.next_xid = 7 * round + 2048;
    tracker.transactions_running(start, running(next, oldest), before, after);
  }
  static constexpr std::uint64_t round = std::uint64_t{1} << 32;
  standby_start_tracker tracker;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_mapping_standby_start, with_tracker)

BOOST_AUTO_TEST_CASE(there_is_no_start_before_the_first_record) {
  BOOST_TEST(!tracker.newest().has_value());
  BOOST_TEST(!tracker.take_changed());
  tracker.locks_logged(at(64));
  BOOST_TEST(!tracker.newest().has_value());
}

BOOST_AUTO_TEST_CASE(a_standby_begins_at_the_record_of_running_transactions_with_its_exact_number) {
  runs(at(1000), 1500, 1490, 1200);
  BOOST_TEST((tracker.newest() == standby_start{at(1000), 7 * round + 1500, 1490}));
  BOOST_TEST(tracker.take_changed());
  BOOST_TEST(!tracker.take_changed());
}

BOOST_AUTO_TEST_CASE(locks_that_belong_to_the_record_are_replayed_too) {
  runs(at(1000), 1500, 1490);
  tracker.locks_logged(at(1100));
  tracker.locks_logged(at(1200));
  runs(at(1300), 1600, 1550, 1490);
  BOOST_TEST((tracker.newest() == standby_start{at(1100), 7 * round + 1600, 1490}));
  // Two processes may log them at once: those of this record may stand before the last one.
  runs(at(1400), 1600, 1550, 1550);
  BOOST_TEST((tracker.newest()->at == at(1100)));
  runs(at(1500), 1600, 1550, 1550);
  BOOST_TEST((tracker.newest() == standby_start{at(1500), 7 * round + 1600, 1550}));
}

BOOST_AUTO_TEST_CASE(after_a_shutdown_checkpoint_nothing_runs) {
  tracker.locks_logged(at(900));
  runs(at(1000), 1500, 1490);
  tracker.locks_logged(at(1100));
  tracker.shut_down(at(1300), 4711);
  BOOST_TEST((tracker.newest() == standby_start{at(1300), 4711, 0}));
  runs(at(1400), 1600, 1600);
  BOOST_TEST((tracker.newest()->at == at(1400)));
}

BOOST_AUTO_TEST_CASE(all_of_it_survives_a_restart) {
  tracker.locks_logged(at(900));
  runs(at(1000), 1500, 1490);
  tracker.locks_logged(at(1100));
  auto again = standby_start_tracker::decode(tracker.encode());
  BOOST_REQUIRE(again);
  BOOST_TEST((again->newest() == tracker.newest()));
  tracker = *again;
  runs(at(1300), 1600, 1550);
  BOOST_TEST((tracker.newest()->at == at(900)));
  runs(at(1400), 1600, 1550);
  BOOST_TEST((tracker.newest()->at == at(1100)));
  core::bytes shorter = tracker.encode();
  shorter.pop_back();
  BOOST_TEST(!standby_start_tracker::decode(shorter).has_value());
}

BOOST_AUTO_TEST_CASE(what_runs_on_the_ancestor_does_not_run_on_the_branch) {
  const standby_start inherited{at(900), 1500, 1490};
  BOOST_TEST((choose_standby_start(inherited, at(1000), 2048) == standby_start{at(1000), 2048, 0}));
  BOOST_TEST((choose_standby_start({}, at(1000), 2048) == standby_start{at(1000), 2048, 0}));
  const standby_start there{at(1000), 1500, 1490};
  BOOST_TEST((choose_standby_start(there, at(1000), 2048) == standby_start{at(1000), 2048, 0}));
  const standby_start own{at(1100), 2100, 2090};
  BOOST_TEST((choose_standby_start(own, at(1000), 2048) == own));
  // Without an ancestor there is only what the source has told.
  BOOST_TEST((choose_standby_start(own, {}, 0) == own));
  BOOST_TEST(!choose_standby_start({}, {}, 0).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
