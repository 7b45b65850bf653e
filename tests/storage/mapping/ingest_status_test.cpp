#include <boost/test/unit_test.hpp>

#include "pg/files/slru.hpp"
#include "tests/storage/mapping/mapping_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using pg::slru_kind;
using pg::files::clog_status;
using pg::wal::resource_manager;
using storage::slru_catalog_key;
using storage::slru_page_key;

namespace {

wal_record end_of(std::uint8_t operation, pg::transaction_id xid, const std::vector<pg::transaction_id>& children = {},
                  std::int64_t time = 1000) {
  wal_record record{.manager = resource_manager::transaction, .info = operation, .xid = xid};
  record.main_data = payload_of(time);
  if (children.empty()) return record;
  record.info |= 0x80;
  core::append(record.main_data, payload_of(std::uint32_t{2}, static_cast<std::uint32_t>(children.size())));
  for (const pg::transaction_id child : children) core::append_le(record.main_data, child);
  return record;
}
wal_record clog_zero(std::uint32_t page) {
  return {.manager = resource_manager::clog, .info = 0x00, .main_data = payload_of(page)};
}
wal_record offsets_zero(std::uint32_t page) {
  return {.manager = resource_manager::multixact, .info = 0x00, .main_data = payload_of(page)};
}
wal_record multixact(pg::multixact_id id, std::uint32_t offset,
                     const std::vector<std::pair<pg::transaction_id, std::uint32_t>>& members) {
  wal_record record{.manager = resource_manager::multixact, .info = 0x20};
  record.main_data = payload_of(id, offset, static_cast<std::uint32_t>(members.size()));
  for (const auto& [xid, status] : members) core::append(record.main_data, payload_of(xid, status));
  return record;
}

struct status_fixture : mapping_fixture {
  using mapping_fixture::mapping_fixture;
  clog_status status_of(pg::transaction_id xid) {
    return pg::files::clog_status_of(page(slru_page_key(slru_kind::clog, pg::files::clog_page_of(xid))), xid);
  }
  std::uint32_t offset_of(pg::multixact_id id) {
    return pg::files::multixact_offset_of(
        page(slru_page_key(slru_kind::multixact_offsets, pg::files::multixact_offsets_page_of(id))), id);
  }
  pg::files::multixact_member member_at(std::uint32_t offset) {
    return pg::files::multixact_member_at(
        page(slru_page_key(slru_kind::multixact_members, pg::files::multixact_members_page_of(offset))), offset);
  }
  std::optional<std::uint32_t> pages(slru_kind kind, std::uint32_t segment) {
    const auto stored = value(slru_catalog_key(kind, segment));
    return stored ? std::optional(core::load_le<std::uint32_t>(stored->data())) : std::nullopt;
  }
};

pg::files::checkpoint counters_before_multixact_wrap() {
  pg::files::checkpoint counters = mapping_fixture::first_counters();
  counters.next_multixact = 2040;
  counters.next_multixact_offset = 0xFFFFFFF0;
  return counters;
}
struct wrap_fixture : status_fixture {
  wrap_fixture() : status_fixture(counters_before_multixact_wrap()) {}
};

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_ingest_status)

BOOST_FIXTURE_TEST_CASE(commit_and_abort_set_the_status_of_a_transaction_and_its_children, status_fixture) {
  ingest(end_of(0x00, 740, {741, 742}));
  ingest(end_of(0x20, 743, {744}));
  for (const pg::transaction_id xid : {740u, 741u, 742u}) BOOST_TEST(status_of(xid) == clog_status::committed);
  for (const pg::transaction_id xid : {743u, 744u}) BOOST_TEST(status_of(xid) == clog_status::aborted);
  BOOST_TEST(status_of(745) == clog_status::in_progress);
}

BOOST_FIXTURE_TEST_CASE(children_on_other_pages_get_their_status_there, status_fixture) {
  ingest(clog_zero(1));
  ingest(clog_zero(2));
  ingest(end_of(0x00, 32760, {32761, 32768, 40000, 65536, 65537}));
  for (const pg::transaction_id xid : {32760u, 32761u, 32768u, 40000u, 65536u, 65537u})
    BOOST_TEST(status_of(xid) == clog_status::committed);
  BOOST_TEST(status_of(32769) == clog_status::in_progress);
  BOOST_TEST(pages(slru_kind::clog, 0).value() == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_record_that_names_a_transaction_many_times_sets_it_once, status_fixture) {
  ingest(end_of(0x00, 740, std::vector<pg::transaction_id>(70'000, 741)));
  BOOST_TEST(status_of(741) == clog_status::committed);
  BOOST_TEST(status_of(742) == clog_status::in_progress);
}

BOOST_FIXTURE_TEST_CASE(a_status_on_a_page_that_is_missing_creates_it, status_fixture) {
  ingest(end_of(0x00, 5 * 32768 + 1));
  BOOST_TEST(status_of(5 * 32768 + 1) == clog_status::committed);
  BOOST_TEST(pages(slru_kind::clog, 0).value() == 6u);
  BOOST_TEST(all_zero(page(slru_page_key(slru_kind::clog, 3))));
}

BOOST_FIXTURE_TEST_CASE(ends_of_transactions_leave_their_times, status_fixture) {
  const core::lsn first = ingest(end_of(0x00, 740, {}, 1'000'000));
  const core::lsn second = ingest(end_of(0x20, 741, {}, 2'000'000));
  const auto at_first = store->find_time(first);
  BOOST_REQUIRE(at_first && *at_first);
  BOOST_TEST(**at_first == 1'000'000);
  BOOST_TEST(store->find_time(second)->value() == 2'000'000);
}

BOOST_FIXTURE_TEST_CASE(a_multixact_stores_its_members_and_where_the_next_one_begins, status_fixture) {
  ingest(multixact(1, 1, {{740, 0}, {741, 5}}));
  BOOST_TEST(offset_of(1) == 1u);
  BOOST_TEST(offset_of(2) == 3u);
  BOOST_TEST((member_at(1) == pg::files::multixact_member{740, 0}));
  BOOST_TEST((member_at(2) == pg::files::multixact_member{741, 5}));
  BOOST_TEST(counters().next_multixact == 2u);
  BOOST_TEST(counters().next_multixact_offset == 3u);
}

BOOST_FIXTURE_TEST_CASE(the_next_offset_on_a_new_page_survives_the_zeroing_of_that_page, status_fixture) {
  ingest(multixact(2047, 500, {{740, 0}, {741, 1}}));
  BOOST_TEST(offset_of(2047) == 500u);
  BOOST_TEST(offset_of(2048) == 502u);
  BOOST_TEST(pages(slru_kind::multixact_offsets, 0).value() == 2u);
  ingest(offsets_zero(1));
  BOOST_TEST(offset_of(2048) == 502u);
  BOOST_TEST(offset_of(2049) == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_page_of_offsets_zeroed_before_its_time_is_all_zero, status_fixture) {
  ingest(multixact(1500, 1, {{740, 0}}));
  ingest(offsets_zero(1));
  BOOST_TEST(all_zero(page(slru_page_key(slru_kind::multixact_offsets, 1))));
}

BOOST_FIXTURE_TEST_CASE(members_are_split_at_page_ends, status_fixture) {
  std::vector<std::pair<pg::transaction_id, std::uint32_t>> many;
  for (std::uint32_t i = 0; i < 3000; ++i) many.emplace_back(1000 + i, i % 6);
  ingest(multixact(1, 1000, many));
  for (std::uint32_t i = 0; i < 3000; i += 7)
    BOOST_TEST((member_at(1000 + i) == pg::files::multixact_member{1000 + i, static_cast<std::uint8_t>(i % 6)}));
  BOOST_TEST(pages(slru_kind::multixact_members, 0).value() == 3u);
}

BOOST_FIXTURE_TEST_CASE(members_wrap_around_the_end_of_their_numbers, wrap_fixture) {
  std::vector<std::pair<pg::transaction_id, std::uint32_t>> many;
  for (std::uint32_t i = 0; i < 40; ++i) many.emplace_back(2000 + i, i % 6);
  ingest(multixact(2040, 0xFFFFFFF0, many));
  for (std::uint32_t i = 0; i < 40; ++i)
    BOOST_TEST((member_at(0xFFFFFFF0 + i) == pg::files::multixact_member{2000 + i, static_cast<std::uint8_t>(i % 6)}));
  BOOST_TEST(counters().next_multixact_offset == 24u);
  BOOST_TEST(offset_of(2041) == 24u);
  BOOST_TEST(pages(slru_kind::multixact_members, pg::files::multixact_members_segment_last));
}

BOOST_FIXTURE_TEST_CASE(truncation_drops_whole_segments_before_the_cutoff, status_fixture) {
  constexpr std::uint32_t xids_per_segment = pg::files::clog_xids_per_page * pg::pages_per_slru_segment;
  for (std::uint32_t segment = 0; segment < 4; ++segment) ingest(end_of(0x00, segment * xids_per_segment + 1000));
  ingest({.manager = resource_manager::clog,
          .info = 0x10,
          .main_data = payload_of(std::uint32_t{2 * 32 + 5}, std::uint32_t{(2 * 32 + 5) * 32768}, std::uint32_t{5})});
  BOOST_TEST(!pages(slru_kind::clog, 0));
  BOOST_TEST(!pages(slru_kind::clog, 1));
  BOOST_TEST(pages(slru_kind::clog, 2));
  BOOST_TEST(pages(slru_kind::clog, 3));
  BOOST_TEST(counters().oldest_xid == (2u * 32 + 5) * 32768);
}

BOOST_FIXTURE_TEST_CASE(truncation_to_a_page_ahead_of_all_transactions_drops_nothing, status_fixture) {
  ingest({.manager = resource_manager::clog,
          .info = 0x10,
          .main_data = payload_of(std::uint32_t{64}, std::uint32_t{64 * 32768}, std::uint32_t{5})});
  BOOST_TEST(pages(slru_kind::clog, 0));
}

BOOST_FIXTURE_TEST_CASE(truncation_of_multixacts_drops_members_and_offsets, status_fixture) {
  constexpr std::uint32_t ids_per_segment = pg::files::multixact_offsets_per_page * pg::pages_per_slru_segment;
  constexpr std::uint32_t members_per_segment = pg::files::multixact_members_per_page * pg::pages_per_slru_segment;
  for (std::uint32_t segment = 0; segment < 3; ++segment)
    ingest(multixact(segment * ids_per_segment + 10, segment * members_per_segment + 10, {{740, 0}}));
  ingest({.manager = resource_manager::multixact,
          .info = 0x30,
          .main_data = payload_of(std::uint32_t{5}, std::uint32_t{1}, std::uint32_t{2 * ids_per_segment + 5},
                                  std::uint32_t{1}, std::uint32_t{2 * members_per_segment + 5})});
  for (const slru_kind kind : {slru_kind::multixact_members, slru_kind::multixact_offsets}) {
    BOOST_TEST(!pages(kind, 0));
    BOOST_TEST(!pages(kind, 1));
    BOOST_TEST(pages(kind, 2));
  }
  BOOST_TEST(counters().oldest_multixact == 2 * ids_per_segment + 5);
}

BOOST_AUTO_TEST_SUITE_END()
