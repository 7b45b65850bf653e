#include <boost/test/unit_test.hpp>

#include "pg/files/control_file.hpp"
#include "tests/storage/mapping/mapping_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;
using pg::wal::resource_manager;

namespace {

wal_record database(std::uint8_t operation, const core::bytes& payload) {
  return {.manager = resource_manager::database, .info = operation, .main_data = payload};
}
wal_record checkpoint_record(bool shutdown, const pg::files::checkpoint& counters) {
  const auto encoded = counters.encode();
  return {.manager = resource_manager::xlog,
          .info = static_cast<std::uint8_t>(shutdown ? 0x00 : 0x10),
          .main_data = {encoded.begin(), encoded.end()}};
}
wal_record parameters(std::uint32_t wal_level, bool log_hints) {
  return {.manager = resource_manager::xlog,
          .info = 0x60,
          .main_data =
              payload_of(std::uint32_t{200}, std::uint32_t{9}, std::uint32_t{11}, std::uint32_t{7}, std::uint32_t{65},
                         wal_level, static_cast<std::uint8_t>(log_hints), std::uint8_t{1}, std::uint16_t{0})};
}
constexpr pg::relation_fork table{pg::default_tablespace, 5, 16384, pg::fork::main};

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_ingest_cluster)

BOOST_FIXTURE_TEST_CASE(the_next_transaction_number_runs_ahead_in_steps, mapping_fixture) {
  ingest({.manager = resource_manager::xlog, .info = 0x20, .xid = 1023});
  BOOST_TEST(counters().next_xid == 1024u);
  ingest({.manager = resource_manager::xlog, .info = 0x20, .xid = 1024});
  BOOST_TEST(counters().next_xid == 2048u);
  const core::lsn before = now();
  ingest({.manager = resource_manager::xlog, .info = 0x20, .xid = 1500});
  BOOST_TEST(counters().next_xid == 2048u);
  BOOST_TEST((now() > before));
}

BOOST_AUTO_TEST_CASE(the_next_transaction_number_carries_into_its_epoch) {
  pg::files::checkpoint counters = mapping_fixture::first_counters();
  counters.next_xid = 0x2FFFFFC00;
  mapping_fixture cluster(counters);
  cluster.ingest({.manager = resource_manager::xlog, .info = 0x20, .xid = 0xFFFFFFFF});
  BOOST_TEST(cluster.counters().next_xid == 0x300000003u);
  cluster.ingest({.manager = resource_manager::xlog, .info = 0x20, .xid = 3});
  BOOST_TEST(cluster.counters().next_xid == 0x300000400u);
  cluster.ingest({.manager = resource_manager::xlog, .info = 0x20, .xid = 0xFFFFFF00});
  BOOST_TEST(cluster.counters().next_xid == 0x300000400u);
}

BOOST_AUTO_TEST_CASE(running_transactions_tell_of_the_last_number_of_a_round) {
  const auto running = [](pg::transaction_id next) {
    return wal_record{.manager = resource_manager::standby,
                      .info = 0x10,
                      .main_data = payload_of(std::int32_t{0}, std::int32_t{0}, std::uint32_t{0}, next, next,
                                              pg::transaction_id{next - 1})};
  };
  pg::files::checkpoint counters = mapping_fixture::first_counters();
  counters.next_xid = 0x2FFFFF800;
  mapping_fixture cluster(counters);
  cluster.ingest(running(0xFFFFFC00));
  BOOST_TEST(cluster.counters().next_xid == 0x2FFFFFC00u);
  cluster.ingest(running(3));
  BOOST_TEST(cluster.counters().next_xid == 0x300000003u);
  mapping_fixture fresh;
  fresh.ingest(running(3));
  BOOST_TEST(fresh.counters().next_xid == 1024u);
}

BOOST_FIXTURE_TEST_CASE(an_online_checkpoint_moves_what_is_newer_and_not_the_object_number, mapping_fixture) {
  ingest({.manager = resource_manager::xlog, .info = 0x30, .main_data = payload_of(std::uint32_t{24576})});
  pg::files::checkpoint taken = first_counters();
  taken.next_oid = 20000;
  taken.next_multixact = 7;
  taken.next_multixact_offset = 20;
  taken.oldest_xid = 720;
  taken.oldest_active_xid = 735;
  ingest(checkpoint_record(false, taken));
  BOOST_TEST(counters().next_oid == 24576u);
  BOOST_TEST(counters().next_multixact == 7u);
  BOOST_TEST(counters().next_multixact_offset == 20u);
  BOOST_TEST(counters().oldest_xid == 720u);
  BOOST_TEST(counters().oldest_active_xid == 735u);
  taken.next_multixact = 3;
  taken.oldest_xid = 700;
  taken.oldest_active_xid = 0;
  ingest(checkpoint_record(true, taken));
  BOOST_TEST(counters().next_oid == 20000u);
  BOOST_TEST(counters().next_multixact == 7u);
  BOOST_TEST(counters().oldest_xid == 720u);
  BOOST_TEST(counters().oldest_active_xid == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_database_copied_by_files_has_all_pages_of_its_source, mapping_fixture) {
  hold();
  const core::lsn written = ingest(page_image(table, 2, make_page(0x44)));
  ingest(
      database(0x00, payload_of(std::uint32_t{77}, pg::default_tablespace, std::uint32_t{5}, pg::default_tablespace)));
  const core::lsn copied = next;
  release();
  pg::relation_fork copy = table;
  copy.database = 77;
  BOOST_TEST(size(copy).value() == 3u);
  BOOST_TEST(page(copy, 2) == stamped(make_page(0x44), written));
  BOOST_TEST(all_zero(page(copy, 0)));
  BOOST_TEST(value(relation_map_key(pg::default_tablespace, 77)).value() == core::bytes(512, 7));
  BOOST_TEST(mapping::databases(*store, now())->size() == 2u);
  BOOST_TEST(!size(copy, written));
  // Later changes of the source stay there.
  ingest(page_image(table, 2, make_page(0x55)));
  BOOST_TEST(page(copy, 2) == stamped(make_page(0x44), written));
  BOOST_TEST((copied < now()));
}

BOOST_FIXTURE_TEST_CASE(a_dropped_database_takes_everything_with_it, mapping_fixture) {
  ingest(page_image(table, 2, make_page(0x44)));
  const core::lsn before = now();
  hold();
  pg::relation_fork second = table;
  second.relation = 16400;
  ingest(page_image(second, 0, make_page(0x45)));
  ingest(database(0x20, payload_of(std::uint32_t{5}, std::uint32_t{1}, pg::default_tablespace)));
  release();
  BOOST_TEST(!size(table));
  BOOST_TEST(!size(second));
  BOOST_TEST(!value(relation_map_key(pg::default_tablespace, 5)));
  BOOST_TEST(mapping::databases(*store, now())->empty());
  BOOST_TEST(size(table, before).value() == 3u);
  // The number may come back: nothing of the old one shows.
  ingest(database(0x10, payload_of(std::uint32_t{5}, pg::default_tablespace)));
  ingest(page_image(table, 1, make_page(0x46)));
  BOOST_TEST(size(table).value() == 2u);
  BOOST_TEST(all_zero(page(table, 0)));
}

BOOST_FIXTURE_TEST_CASE(a_database_created_by_logging_gets_its_map_from_a_record_of_its_own, mapping_fixture) {
  ingest(database(0x10, payload_of(std::uint32_t{78}, pg::default_tablespace)));
  core::bytes update = payload_of(std::uint32_t{78}, pg::default_tablespace, std::uint32_t{512});
  update.resize(update.size() + 512, 9);
  ingest({.manager = resource_manager::relmap, .info = 0x00, .main_data = update});
  BOOST_TEST(value(relation_map_key(pg::default_tablespace, 78)).value() == core::bytes(512, 9));
  BOOST_TEST(mapping::databases(*store, now())->size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_relation_in_a_tablespace_brings_the_directory_of_its_database, mapping_fixture) {
  core::bytes create = payload_of(std::uint32_t{16500});
  for (const char c : {'/', 't', '\0'}) create.push_back(static_cast<std::uint8_t>(c));
  ingest({.manager = resource_manager::tablespace, .info = 0x00, .main_data = create});
  ingest(page_image({16500, 5, 16501, pg::fork::main}, 0, make_page(1)));
  BOOST_TEST(mapping::tablespaces(*store, now()).value() == std::vector<pg::oid>{16500});
  BOOST_TEST(mapping::databases(*store, now())->size() == 2u);
  BOOST_TEST(mapping::database_size_bytes(*store, 5, now()).value() == pg::page_size);
  ingest({.manager = resource_manager::tablespace, .info = 0x10, .main_data = payload_of(std::uint32_t{16500})});
  BOOST_TEST(mapping::tablespaces(*store, now())->empty());
}

BOOST_FIXTURE_TEST_CASE(parameters_change_the_control_file_and_the_record, mapping_fixture) {
  ingest(parameters(2, true));
  const auto stored = value(control_file_key());
  BOOST_REQUIRE(stored);
  const auto control = pg::files::decode_control_file(*stored);
  BOOST_REQUIRE(control);
  BOOST_TEST(control->max_connections == 200);
  BOOST_TEST(control->max_prepared_transactions == 7);
  BOOST_TEST(control->wal_level == pg::files::wal_level::logical);
  BOOST_TEST(control->track_commit_timestamp);
  BOOST_TEST(store->record().wal_log_hints);
  BOOST_TEST(store->redo_context().hints_are_logged);
}

BOOST_FIXTURE_TEST_CASE(a_source_that_stops_logging_everything_is_refused, mapping_fixture) {
  const auto refused = try_ingest(parameters(0, false));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::unsupported);
}

BOOST_FIXTURE_TEST_CASE(origins_follow_their_records_and_commits, mapping_fixture) {
  ingest({.manager = resource_manager::replication_origin,
          .info = 0x00,
          .main_data =
              payload_of(std::uint64_t{0x1000}, std::uint16_t{3}, std::uint8_t{0}, std::uint8_t{0}, std::uint32_t{0})});
  BOOST_TEST(core::load_le<std::uint64_t>(value(replication_origin_key(3))->data()) == 0x1000u);
  ingest({.manager = resource_manager::transaction,
          .info = 0x80,
          .xid = 740,
          .origin = 3,
          .main_data = payload_of(std::int64_t{5}, std::uint32_t{0x20}, std::uint64_t{0x2000}, std::int64_t{4})});
  BOOST_TEST(core::load_le<std::uint64_t>(value(replication_origin_key(3))->data()) == 0x2000u);
  ingest({.manager = resource_manager::replication_origin, .info = 0x10, .main_data = payload_of(std::uint16_t{3})});
  BOOST_TEST(!value(replication_origin_key(3)));
}

BOOST_FIXTURE_TEST_CASE(progress_of_an_origin_goes_back_only_by_force, mapping_fixture) {
  const auto set = [this](std::uint64_t remote, bool force) {
    ingest({.manager = resource_manager::replication_origin,
            .info = 0x00,
            .main_data = payload_of(remote, std::uint16_t{3}, static_cast<std::uint8_t>(force), std::uint8_t{0}, 0u)});
    return core::load_le<std::uint64_t>(value(replication_origin_key(3))->data());
  };
  BOOST_TEST(set(0x3000, false) == 0x3000u);
  BOOST_TEST(set(0x2000, false) == 0x3000u);
  restart_ingest();
  BOOST_TEST(set(0x2000, false) == 0x3000u);
  BOOST_TEST(set(0x1000, true) == 0x1000u);
  BOOST_TEST(set(0x2000, false) == 0x2000u);
}

BOOST_FIXTURE_TEST_CASE(a_prepared_transaction_moves_its_origin_already, mapping_fixture) {
  core::bytes state(80);
  core::store_le(state.data(), std::uint32_t{0x57F94534});
  core::store_le(state.data() + 4, static_cast<std::uint32_t>(state.size() + 4));
  core::store_le(state.data() + 8, pg::transaction_id{740});
  core::store_le(state.data() + 54, std::uint16_t{2});
  core::store_le(state.data() + 56, std::uint64_t{0x5000});
  ingest({.manager = resource_manager::transaction, .info = 0x10, .xid = 740, .origin = 4, .main_data = state});
  BOOST_TEST(core::load_le<std::uint64_t>(value(replication_origin_key(4))->data()) == 0x5000u);
  ingest({.manager = resource_manager::transaction, .info = 0x10, .xid = 740, .origin = 0xFFFF, .main_data = state});
  BOOST_TEST(!value(replication_origin_key(0xFFFF)));
}

BOOST_AUTO_TEST_SUITE_END()
