#include "pg/records/transaction.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/pg/records/record_bytes.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::records;
using tests::held_record;
using tests::record_bytes;

namespace {

constexpr auto manager = pg::wal::resource_manager::transaction;
constexpr auto v14 = pg::major_version::v14;
constexpr auto v15 = pg::major_version::v15;
constexpr auto v18 = pg::major_version::v18;

/// A commit with every part; `statistics_size` is what one dropped statistics entry takes.
core::bytes full_commit(std::size_t statistics_size) {
  record_bytes to;
  to.i64(777).u32(0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x80 | (statistics_size ? 0x100 : 0));
  to.u32(5).u32(1663);
  to.u32(2).u32(1001).u32(1002);
  to.u32(2).u32(1663).u32(5).u32(16384).u32(16400).u32(6).u32(16385);
  if (statistics_size) to.u32(3).zeros(3 * statistics_size);
  to.u32(1).zeros(16);
  to.u32(999).text(std::string_view("gid\0", 4));
  to.u64(0x1234).i64(888);
  return to.bytes();
}

record_bytes prepared_state(pg::major_version major, std::uint16_t gid_size = 4) {
  record_bytes to;
  const bool statistics = major >= v15;
  const std::uint32_t size = (statistics ? 72 : 64) + (gid_size + 7) / 8 * 8 + 8 + 8;
  to.u32(0x57F94534).u32(size + 4).u32(4711).u32(5).i64(777).u32(10);
  to.u32(2).u32(0).u32(0);
  if (statistics) to.u32(0).u32(0);
  to.u32(0).u8(0).u8(0).u16(gid_size).u64(0).i64(0);
  if (to.bytes().size() % 8 != 0) to.zeros(4);
  to.zeros((gid_size + 7u) / 8 * 8);
  to.u32(4712).u32(4713);
  to.zeros(8);
  return to;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_records_transaction)

BOOST_AUTO_TEST_CASE(a_plain_commit_has_only_a_time) {
  const held_record record(manager, 0x00, record_bytes().i64(777).bytes(), 1000);
  const auto end = decode_transaction_end(record, v15);
  BOOST_REQUIRE(end);
  BOOST_TEST(end->committed);
  BOOST_TEST(!end->prepared);
  BOOST_TEST(end->xid == 1000u);
  BOOST_TEST(end->time == 777);
  BOOST_TEST(end->subtransactions.empty());
  BOOST_TEST(end->dropped.empty());
}

BOOST_AUTO_TEST_CASE(every_part_of_a_commit_is_found_in_each_major) {
  const std::pair<pg::major_version, std::size_t> cases[] = {{v14, 0}, {v15, 12}, {v18, 16}};
  for (const auto& [major, statistics_size] : cases) {
    const held_record record(manager, 0xB0, full_commit(statistics_size), 1000);
    const auto end = decode_transaction_end(record, major);
    BOOST_REQUIRE(end);
    BOOST_TEST(end->committed);
    BOOST_TEST(end->prepared);
    BOOST_TEST(end->xid == 999u);
    BOOST_TEST(end->database == 5u);
    BOOST_TEST(end->tablespace == 1663u);
    BOOST_REQUIRE_EQUAL(end->subtransactions.size(), 2u);
    BOOST_TEST(end->subtransactions[1] == 1002u);
    BOOST_REQUIRE_EQUAL(end->dropped.size(), 2u);
    BOOST_TEST((end->dropped[0] == pg::relation_fork{1663, 5, 16384, pg::fork::main}));
    BOOST_TEST((end->dropped[1] == pg::relation_fork{16400, 6, 16385, pg::fork::main}));
    BOOST_TEST(end->origin_lsn.value == 0x1234u);
    BOOST_TEST(end->origin_time == 888);
    std::vector<pg::transaction_id> iterated(end->subtransactions.begin(), end->subtransactions.end());
    BOOST_TEST((iterated == std::vector<pg::transaction_id>{1001, 1002}));
  }
}

BOOST_AUTO_TEST_CASE(aborts_drop_relations_too) {
  const held_record record(manager, 0x20 | 0x80,
                           record_bytes().i64(1).u32(0x06).u32(1).u32(1001).u32(1).u32(1663).u32(5).u32(16384).bytes(),
                           1000);
  const auto end = decode_transaction_end(record, v15);
  BOOST_REQUIRE(end);
  BOOST_TEST(!end->committed);
  BOOST_TEST(!end->prepared);
  BOOST_TEST(end->subtransactions[0] == 1001u);
  BOOST_TEST(end->dropped.size() == 1u);
  const held_record prepared(manager, 0x40 | 0x80, record_bytes().i64(1).u32(0x10).u32(999).bytes(), 1000);
  const auto prepared_end = decode_transaction_end(prepared, v15);
  BOOST_REQUIRE(prepared_end);
  BOOST_TEST(prepared_end->prepared);
  BOOST_TEST(prepared_end->xid == 999u);
}

BOOST_AUTO_TEST_CASE(wrong_lengths_and_counts_are_refused) {
  BOOST_TEST(tests::only_the_exact_length_is_accepted(manager, 0xB0, full_commit(12),
                                                      [](const auto& of) { return decode_transaction_end(of, v15); }));
  for (const std::uint32_t count : {3u, 0x40000000u, 0xFFFFFFFFu}) {
    const held_record record(manager, 0x80, record_bytes().i64(1).u32(0x02).u32(count).u32(1).u32(2).bytes());
    BOOST_TEST(decode_transaction_end(record, v15).error().code == core::errc::corrupt);
  }
  const held_record endless(manager, 0xB0, record_bytes().i64(1).u32(0x90).u32(9).text("abc").bytes());
  BOOST_TEST(decode_transaction_end(endless, v15).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_prepared_end_without_its_transaction_is_refused) {
  const held_record record(manager, 0x30, record_bytes().i64(1).bytes(), 1000);
  BOOST_TEST(decode_transaction_end(record, v15).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(other_operations_are_not_ends) {
  for (const std::uint8_t info : {0x10, 0x50, 0x60}) {
    const held_record record(manager, info, record_bytes().i64(1).bytes(), 1000);
    BOOST_TEST(!decode_transaction_end(record, v15));
  }
}

BOOST_AUTO_TEST_CASE(a_prepared_state_is_read_in_each_layout) {
  for (const auto major : {v14, v15, v18})
    for (const std::uint16_t gid_size : {4, 8, 9}) {
      const held_record record(manager, 0x10, prepared_state(major, gid_size).bytes(), 4711);
      const auto prepare = decode_transaction_prepare(record, major);
      if (!prepare) BOOST_FAIL(core::to_string(prepare.error()));
      BOOST_TEST(prepare->xid == 4711u);
      BOOST_TEST(prepare->database == 5u);
      BOOST_TEST(prepare->time == 777);
      BOOST_REQUIRE_EQUAL(prepare->subtransactions.size(), 2u);
      BOOST_TEST(prepare->subtransactions[1] == 4713u);
      BOOST_TEST(prepare->state.size() == record.bytes.size());
    }
}

BOOST_AUTO_TEST_CASE(a_damaged_prepared_state_is_refused) {
  const core::bytes state = prepared_state(v15).bytes();
  BOOST_TEST(tests::only_the_exact_length_is_accepted(
      manager, 0x10, state, [](const auto& of) { return decode_transaction_prepare(of, v15); }));
  core::bytes damaged = state;
  damaged[0] ^= 1;
  BOOST_TEST(!decode_prepared_state(damaged, v15));
  damaged = state;
  core::store_le(damaged.data() + 28, std::uint32_t{0x40000001});
  BOOST_TEST(decode_prepared_state(damaged, v15).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_SUITE_END()
