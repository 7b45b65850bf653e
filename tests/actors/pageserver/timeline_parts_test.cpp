#include <boost/test/unit_test.hpp>

#include "actors/pageserver/ingest/followed_source.hpp"
#include "actors/pageserver/maintenance/last_errors.hpp"
#include "actors/pageserver/maintenance/maintenance_schedule.hpp"
#include "actors/pageserver/write_path.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::pageserver;
using core::lsn;
using phase = messages::source_status::phase;

core::monotonic_time at(std::chrono::milliseconds time) { return core::monotonic_time(time); }

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_pageserver_followed_source)

BOOST_AUTO_TEST_CASE(a_receiver_that_has_just_started_has_what_its_predecessors_received) {
  followed_source source;
  BOOST_TEST(source.head() == lsn());
  BOOST_TEST(source.state_text() == "nothing is received");
  source.reported({.now = phase::streaming, .received = lsn(10), .source_head = lsn(300)}, lsn(200));
  BOOST_TEST(source.status()->received == lsn(200));
  BOOST_TEST(source.head() == lsn(300));
  source.reported({.now = phase::streaming, .received = lsn(250), .source_head = lsn(300)}, lsn(200));
  BOOST_TEST(source.status()->received == lsn(250));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_receiver_shows_until_the_source_is_resumed) {
  followed_source source;
  source.receiver_failed({core::errc::conflict, "another server"});
  BOOST_TEST(!source.status().has_value());
  source.reported({.now = phase::streaming}, lsn(200));
  source.receiver_failed({core::errc::conflict, "another server"});
  BOOST_TEST((source.status()->now == phase::failed));
  BOOST_TEST(source.why_late(lsn(0x300), lsn(0x200)) ==
             "wait for 0/300: the timeline is at 0/200, cannot follow the source (another server)");
  source.resumed();
  BOOST_TEST((source.status()->now == phase::connecting));
  BOOST_TEST(source.status()->last_error == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_last_errors)

BOOST_AUTO_TEST_CASE(an_error_stays_until_its_work_succeeds) {
  last_errors errors;
  errors.set(timeline_work::flush, "flush: disk full");
  errors.set(timeline_work::collection, "collection: clocks disagree");
  BOOST_TEST(errors.text() == "collection: clocks disagree; flush: disk full");
  errors.set(timeline_work::flush, "flush: still full");
  BOOST_TEST(errors.has(timeline_work::flush));
  errors.set(timeline_work::collection, "");
  BOOST_TEST(errors.text() == "flush: still full");
  errors.set(timeline_work::flush, "");
  BOOST_TEST(!errors.has(timeline_work::flush));
  BOOST_TEST(errors.text() == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_maintenance_schedule)

BOOST_AUTO_TEST_CASE(work_is_due_once_a_period_and_shorter_periods_count_at_once) {
  config::tenant_options options;
  options.compaction_period = 20s;
  options.gc_period = 60s;
  options.lsn_lease_length = 100s;
  options.gc_horizon_bytes = 1;
  maintenance_schedule schedule;
  schedule.start(options, at(0s));
  BOOST_TEST(!schedule.compaction_due(options, at(19s)));
  BOOST_TEST(schedule.compaction_due(options, at(20s)));
  BOOST_TEST(!schedule.compaction_due(options, at(39s)));
  // Leases of the last run may last so long.
  BOOST_TEST(!schedule.collection_due(options, at(99s)));
  BOOST_TEST(schedule.collection_due(options, at(100s)));
  options.compaction_period = 1s;
  schedule.change(options, at(30s));
  BOOST_TEST(schedule.compaction_due(options, at(31s)));
  options.compaction_period = 0s;
  BOOST_TEST(!schedule.compaction_due(options, at(1000s)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_write_path)

BOOST_AUTO_TEST_CASE(the_last_commit_of_a_batch_need_not_be_the_latest) {
  storage::write_batch batch;
  BOOST_TEST(!commits_of(batch).last.has_value());
  batch.add_commit_time(1000, lsn(10));
  batch.add_commit_time(3000, lsn(20));
  batch.add_commit_time(2000, lsn(30));
  BOOST_TEST((commits_of(batch).last == pg::wall_time_of(2000)));
  BOOST_TEST((commits_of(batch).latest == pg::wall_time_of(3000)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
