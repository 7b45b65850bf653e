#include "pg/records/cluster.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/pg/records/record_bytes.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::records;
using pg::wal::resource_manager;
using tests::held_record;
using tests::part;
using tests::record_bytes;

namespace {

constexpr auto v15 = pg::major_version::v15;
constexpr auto v17 = pg::major_version::v17;

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_records_cluster)

BOOST_AUTO_TEST_CASE(checkpoints_give_their_counters) {
  pg::files::checkpoint counters;
  counters.redo = core::lsn(0x3000028);
  counters.next_xid = 815;
  const auto data = counters.encode();
  const auto online = part<checkpoint_taken>(decode_xlog(held_record(resource_manager::xlog, 0x10, data), v15));
  BOOST_TEST(!online.shutdown);
  BOOST_TEST((online.counters == counters));
  BOOST_TEST(part<checkpoint_taken>(decode_xlog(held_record(resource_manager::xlog, 0x00, data), v15)).shutdown);
  BOOST_TEST(tests::only_the_exact_length_is_accepted(resource_manager::xlog, 0x00, {data.begin(), data.end()},
                                                      [](const auto& of) { return decode_xlog(of, v15); }));
}

BOOST_AUTO_TEST_CASE(small_xlog_records_are_read) {
  BOOST_TEST(
      part<next_oid>(decode_xlog(held_record(resource_manager::xlog, 0x30, record_bytes().u32(24576).bytes()), v15))
          .value == 24576u);
  BOOST_TEST(part<backup_ended>(
                 decode_xlog(held_record(resource_manager::xlog, 0x50, record_bytes().u64(0x2000028).bytes()), v15))
                 .start.value == 0x2000028u);
  BOOST_TEST(part<full_page_writes_changed>(
                 decode_xlog(held_record(resource_manager::xlog, 0x80, record_bytes().u8(1).bytes()), v15))
                 .on);
  for (const std::uint8_t info : {0x20, 0x40, 0x70, 0xA0, 0xB0, 0xD0, 0xE0})
    BOOST_TEST(std::holds_alternative<nothing_to_do>(*decode_xlog(held_record(resource_manager::xlog, info, {}), v15)));
  BOOST_TEST(!decode_xlog(held_record(resource_manager::xlog, 0x30, record_bytes().u16(1).bytes()), v15));
}

BOOST_AUTO_TEST_CASE(changed_parameters_are_read) {
  const core::bytes data = record_bytes().u32(100).u32(8).u32(10).u32(20).u32(64).u32(1).u8(1).u8(0).zeros(2).bytes();
  const auto changed = part<parameters_changed>(decode_xlog(held_record(resource_manager::xlog, 0x60, data), v15));
  BOOST_TEST(changed.max_connections == 100);
  BOOST_TEST(changed.max_worker_processes == 8);
  BOOST_TEST(changed.max_wal_senders == 10);
  BOOST_TEST(changed.max_prepared_transactions == 20);
  BOOST_TEST(changed.max_locks_per_transaction == 64);
  BOOST_TEST(changed.wal_level == pg::files::wal_level::replica);
  BOOST_TEST(changed.wal_log_hints);
  BOOST_TEST(!changed.track_commit_timestamp);
  core::bytes strange = data;
  strange[20] = 9;
  BOOST_TEST(!decode_xlog(held_record(resource_manager::xlog, 0x60, strange), v15));
}

BOOST_AUTO_TEST_CASE(the_end_of_recovery_grew_in_17) {
  const core::bytes narrow = record_bytes().i64(777).u32(2).u32(1).bytes();
  const auto ended = part<recovery_ended>(decode_xlog(held_record(resource_manager::xlog, 0x90, narrow), v15));
  BOOST_TEST(ended.timeline == 2u);
  BOOST_TEST(ended.previous_timeline == 1u);
  BOOST_TEST(!decode_xlog(held_record(resource_manager::xlog, 0x90, narrow), v17));
  const core::bytes wide = record_bytes().i64(777).u32(2).u32(1).u32(1).u32(0).bytes();
  BOOST_TEST(part<recovery_ended>(decode_xlog(held_record(resource_manager::xlog, 0x90, wide), v17)).time == 777);
}

BOOST_AUTO_TEST_CASE(running_transactions_are_counted) {
  const core::bytes data =
      record_bytes().u32(2).u32(1).u8(1).zeros(3).u32(820).u32(815).u32(818).u32(815).u32(816).u32(817).bytes();
  const auto running = part<running_transactions>(decode_standby(held_record(resource_manager::standby, 0x10, data)));
  BOOST_TEST(running.count == 2);
  BOOST_TEST(running.subtransaction_count == 1);
  BOOST_TEST(running.subtransactions_overflowed);
  BOOST_TEST(running.next_xid == 820u);
  BOOST_TEST(running.oldest_running == 815u);
  BOOST_TEST(running.latest_completed == 818u);
  BOOST_TEST(tests::only_the_exact_length_is_accepted(resource_manager::standby, 0x10, data,
                                                      [](const auto& of) { return decode_standby(of); }));
  BOOST_TEST(std::holds_alternative<locks_taken>(*decode_standby(held_record(resource_manager::standby, 0x00, data))));
  BOOST_TEST(
      std::holds_alternative<nothing_to_do>(*decode_standby(held_record(resource_manager::standby, 0x20, data))));
}

BOOST_AUTO_TEST_CASE(origins_are_set_and_dropped) {
  const core::bytes data = record_bytes().u64(0x1234).u16(7).u8(1).zeros(5).bytes();
  const auto set = part<origin_set>(decode_origin(held_record(resource_manager::replication_origin, 0x00, data)));
  BOOST_TEST(set.origin == 7u);
  BOOST_TEST(set.remote.value == 0x1234u);
  BOOST_TEST(set.force);
  const held_record gone(resource_manager::replication_origin, 0x10, record_bytes().u16(7).bytes());
  BOOST_TEST(part<origin_drop>(decode_origin(gone)).origin == 7u);
  BOOST_TEST(!decode_origin(held_record(resource_manager::replication_origin, 0x20, data)));
  BOOST_TEST(tests::only_the_exact_length_is_accepted(resource_manager::replication_origin, 0x00, data,
                                                      [](const auto& of) { return decode_origin(of); }));
}

BOOST_AUTO_TEST_CASE(errors_name_the_record) {
  const auto refused = decode_origin(held_record(resource_manager::replication_origin, 0x20, {}));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::corrupt);
  BOOST_TEST(refused.error().detail.find("0/3000028") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
