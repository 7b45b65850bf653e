#include <boost/test/unit_test.hpp>

#include "pg/files/slru.hpp"
#include "storage/mapping/start_files.hpp"
#include "tests/storage/mapping/mapping_fixture.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;
using pg::files::commit_timestamp;
using pg::wal::resource_manager;

namespace {

constexpr std::uint32_t xids_per_segment = 819 * 32;

wal_record tracking(bool on) {
  return {.manager = resource_manager::xlog,
          .info = 0x60,
          .main_data =
              payload_of(100u, 8u, 10u, 5u, 64u, 1u, std::uint8_t{0}, static_cast<std::uint8_t>(on), std::uint16_t{0})};
}
wal_record commit(pg::transaction_id xid, std::int64_t time, const std::vector<pg::transaction_id>& children = {},
                  std::uint8_t operation = 0x80) {
  wal_record record{.manager = resource_manager::transaction, .info = operation, .xid = xid};
  record.main_data = payload_of(time, std::uint32_t{2}, static_cast<std::uint32_t>(children.size()));
  for (const pg::transaction_id child : children) core::append_le(record.main_data, child);
  return record;
}
wal_record replicated_commit(pg::transaction_id xid, std::int64_t time, std::uint16_t origin,
                             std::int64_t origin_time) {
  return {.manager = resource_manager::transaction,
          .info = 0x80,
          .xid = xid,
          .origin = origin,
          .main_data = payload_of(time, std::uint32_t{0x20}, std::uint64_t{0x2000}, origin_time)};
}
wal_record zero_page(std::uint32_t page) {
  return {.manager = resource_manager::commit_ts, .info = 0x00, .main_data = payload_of(page)};
}

struct timestamps_fixture : mapping_fixture {
  using mapping_fixture::mapping_fixture;
  commit_timestamp of(pg::transaction_id xid) {
    return pg::files::commit_timestamp_of(
        page(slru_page_key(pg::slru_kind::commit_ts, pg::files::commit_ts_page_of(xid))), xid);
  }
  bool has_segment(std::uint32_t segment) {
    return value(slru_catalog_key(pg::slru_kind::commit_ts, segment)).has_value();
  }
};

struct tracking_fixture : timestamps_fixture {
  tracking_fixture() { ingest(tracking(true)); }
};

pg::files::checkpoint counters_with(pg::files::full_transaction_id next, pg::transaction_id oldest) {
  pg::files::checkpoint counters = mapping_fixture::first_counters();
  counters.next_xid = next;
  counters.oldest_commit_timestamp_xid = oldest;
  return counters;
}
std::pair<pg::transaction_id, pg::transaction_id> range_of(const pg::files::checkpoint& counters,
                                                           const std::vector<std::uint32_t>& segments) {
  std::vector<mapping::slru_segment_entry> entries;
  for (const std::uint32_t each : segments) entries.push_back({each, 32});
  const auto made = mapping::with_commit_timestamps(counters, entries);
  return {made.oldest_commit_timestamp_xid, made.newest_commit_timestamp_xid};
}
using range = std::pair<pg::transaction_id, pg::transaction_id>;

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_commit_timestamps)

BOOST_FIXTURE_TEST_CASE(nothing_is_stored_while_they_are_not_tracked, timestamps_fixture) {
  ingest(commit(740, 1000, {741}));
  ingest(zero_page(1));
  BOOST_TEST(mapping::slru_segments(*store, pg::slru_kind::commit_ts, now())->empty());
  BOOST_TEST(counters().oldest_commit_timestamp_xid == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_commit_sets_them_for_a_transaction_and_its_children, tracking_fixture) {
  ingest(commit(740, 1000, {741, 900}));
  ingest(commit(742, 2000, {}, 0xA0));
  for (const pg::transaction_id xid : {740u, 741u, 900u}) BOOST_TEST((of(xid) == commit_timestamp{1000, 0}));
  for (const pg::transaction_id xid : {742u, 739u, 899u}) BOOST_TEST((of(xid) == commit_timestamp{}));
}

BOOST_FIXTURE_TEST_CASE(a_prepared_transaction_gets_its_time_at_the_commit, tracking_fixture) {
  ingest({.manager = resource_manager::transaction,
          .info = 0x80 | 0x30,
          .main_data = payload_of(std::int64_t{3000}, std::uint32_t{0x12}, 1u, 751u, 750u)});
  BOOST_TEST((of(750) == commit_timestamp{3000, 0}));
  BOOST_TEST((of(751) == commit_timestamp{3000, 0}));
}

BOOST_FIXTURE_TEST_CASE(what_was_replicated_has_its_origins_time_if_that_told_it, tracking_fixture) {
  ingest(replicated_commit(740, 1000, 3, 900));
  ingest(replicated_commit(741, 1000, 3, 0));
  ingest(replicated_commit(742, 1000, 0xFFFF, 900));
  BOOST_TEST((of(740) == commit_timestamp{900, 3}));
  BOOST_TEST((of(741) == commit_timestamp{1000, 3}));
  BOOST_TEST((of(742) == commit_timestamp{1000, 0xFFFF}));
}

BOOST_FIXTURE_TEST_CASE(a_new_page_is_zero_and_survives_a_restart, tracking_fixture) {
  ingest(zero_page(1));
  ingest(zero_page(2));
  BOOST_TEST(all_zero(page(slru_page_key(pg::slru_kind::commit_ts, 2))));
  restart_ingest();
  ingest(commit(819 * 2 + 5, 1000));
  BOOST_TEST((of(819 * 2 + 5) == commit_timestamp{1000, 0}));
}

BOOST_FIXTURE_TEST_CASE(tracking_begins_before_the_next_transaction_and_ends_with_nothing, timestamps_fixture) {
  ingest({.manager = resource_manager::xlog, .info = 0x20, .xid = 5000});
  ingest(tracking(true));
  BOOST_TEST(counters().next_xid == 5120u);
  BOOST_TEST(counters().oldest_commit_timestamp_xid == 4096u);
  BOOST_TEST((of(4096) == commit_timestamp{}));
  ingest(commit(5001, 1000));
  const core::lsn tracked = now();
  ingest(tracking(false));
  BOOST_TEST(counters().oldest_commit_timestamp_xid == 0u);
  BOOST_TEST(mapping::slru_segments(*store, pg::slru_kind::commit_ts, now())->empty());
  BOOST_TEST(mapping::slru_segments(*store, pg::slru_kind::commit_ts, tracked)->size() == 1u);
  ingest(commit(5002, 1000));
  ingest(tracking(true));
  ingest(commit(5003, 2000));
  BOOST_TEST((of(5001) == commit_timestamp{}));
  BOOST_TEST((of(5002) == commit_timestamp{}));
  BOOST_TEST((of(5003) == commit_timestamp{2000, 0}));
}

BOOST_FIXTURE_TEST_CASE(a_truncation_drops_whole_segments_and_moves_the_oldest, tracking_fixture) {
  for (std::uint32_t segment = 0; segment < 4; ++segment) ingest(commit(segment * xids_per_segment + 900, 1000));
  ingest({.manager = resource_manager::commit_ts,
          .info = 0x10,
          .main_data = payload_of(std::uint32_t{2 * 32 + 5}, std::uint32_t{(2 * 32 + 5) * 819})});
  BOOST_TEST(!has_segment(0));
  BOOST_TEST(!has_segment(1));
  BOOST_TEST(has_segment(2));
  BOOST_TEST(has_segment(3));
  BOOST_TEST(counters().oldest_commit_timestamp_xid == (2u * 32 + 5) * 819);
}

BOOST_FIXTURE_TEST_CASE(a_checkpoint_of_before_a_truncation_does_not_move_the_oldest_back, tracking_fixture) {
  const auto checkpoint = [this](pg::transaction_id oldest) {
    pg::files::checkpoint taken = first_counters();
    taken.oldest_commit_timestamp_xid = oldest;
    taken.newest_commit_timestamp_xid = oldest + 10;
    const auto encoded = taken.encode();
    ingest({.manager = resource_manager::xlog, .info = 0x10, .main_data = {encoded.begin(), encoded.end()}});
    return counters().oldest_commit_timestamp_xid;
  };
  BOOST_TEST(checkpoint(735) == 735u);
  BOOST_TEST(checkpoint(720) == 735u);
  BOOST_TEST(checkpoint(740) == 740u);
  BOOST_TEST(checkpoint(0) == 0u);
}

BOOST_AUTO_TEST_CASE(a_server_is_told_the_range_that_the_segments_can_answer) {
  BOOST_TEST((range_of(counters_with(2048, 800), {0}) == range{800, 2047}));
  BOOST_TEST((range_of(counters_with(2048, 0), {0}) == range{0, 0}));
  BOOST_TEST((range_of(counters_with(2048, 800), {}) == range{0, 0}));
  BOOST_TEST((range_of(counters_with(3 * xids_per_segment, 800), {0, 1, 2}) == range{800, 3 * xids_per_segment - 1}));
  // The next transaction runs ahead into a segment that nothing was written to yet.
  BOOST_TEST(
      (range_of(counters_with(2 * xids_per_segment + 100, 800), {0, 1}) == range{800, 2 * xids_per_segment - 1}));
  BOOST_TEST((range_of(counters_with(3 * xids_per_segment + 100, 800), {0, 1}) == range{0, 0}));
  // Segments that are missing, as in a timeline that began before they were kept.
  BOOST_TEST((range_of(counters_with(4 * xids_per_segment + 100, 800), {0, 2, 3, 4}) ==
              range{2 * xids_per_segment, 4 * xids_per_segment + 99}));
  BOOST_TEST((range_of(counters_with(xids_per_segment + 100, xids_per_segment + 50), {0}) == range{0, 0}));
}

BOOST_AUTO_TEST_CASE(the_range_of_commit_timestamps_may_wrap) {
  constexpr pg::files::full_transaction_id round = pg::files::full_transaction_id{1} << 32;
  constexpr std::uint32_t last = ~0u / xids_per_segment;
  BOOST_TEST((range_of(counters_with(round + 1024, 0xFFFFFF00), {0, last}) == range{0xFFFFFF00, 1023}));
  BOOST_TEST((range_of(counters_with(round + 1024, 0xFFFFFF00), {last}) == range{0xFFFFFF00, 0xFFFFFFFF}));
  BOOST_TEST((range_of(counters_with(round + 1024, 0xFFFFFF00), {0}) == range{3, 1023}));
  // The first number of a round comes next: the newest is the last of the round before, not one of the special ones.
  for (const auto& segments : {std::vector<std::uint32_t>{last}, std::vector<std::uint32_t>{0, last}}) {
    BOOST_TEST((range_of(counters_with(round + 3, 0xFFFFFF00), segments) == range{0xFFFFFF00, 0xFFFFFFFF}));
    BOOST_TEST((range_of(counters_with(round - 1, 0xFFFFFF00), segments) == range{0xFFFFFF00, 0xFFFFFFFE}));
  }
  BOOST_TEST((range_of(counters_with(round + 4, 0xFFFFFF00), {0, last}) == range{0xFFFFFF00, 3}));
}

BOOST_AUTO_TEST_SUITE_END()
