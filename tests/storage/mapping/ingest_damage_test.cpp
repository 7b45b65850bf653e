#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/storage/mapping/mapping_fixture.hpp"

using namespace strata;
using namespace strata::tests;
using pg::wal::resource_manager;

namespace {

constexpr pg::relation_fork heap{pg::default_tablespace, 5, 16384, pg::fork::main};

/// Records of every manager whose payload ingest reads.
std::vector<wal_record> samples() {
  const auto of = [](resource_manager manager, std::uint8_t info, const core::bytes& payload) {
    return wal_record{.manager = manager, .info = info, .xid = 740, .main_data = payload};
  };
  return {of(resource_manager::transaction, 0x80,
             payload_of(std::int64_t{1}, std::uint32_t{6}, std::uint32_t{2}, std::uint32_t{741}, std::uint32_t{742},
                        std::uint32_t{1}, pg::default_tablespace, std::uint32_t{5}, std::uint32_t{16384})),
          of(resource_manager::transaction, 0x10, core::bytes(120, 1)),
          of(resource_manager::storage, 0x10, payload_of(pg::default_tablespace, 5u, 16384u, 0u)),
          of(resource_manager::storage, 0x20, payload_of(1u, pg::default_tablespace, 5u, 16384u, 7u)),
          of(resource_manager::clog, 0x00, payload_of(3u)),
          of(resource_manager::clog, 0x10, payload_of(3u, 100000u, 5u)),
          of(resource_manager::commit_ts, 0x00, payload_of(3u)),
          of(resource_manager::commit_ts, 0x10, payload_of(3u, 2500u)),
          of(resource_manager::multixact, 0x00, payload_of(1u)),
          of(resource_manager::multixact, 0x20, payload_of(1u, 1u, 2u, 740u, 1u, 741u, 5u)),
          of(resource_manager::multixact, 0x30, payload_of(5u, 1u, 9u, 1u, 9u)),
          of(resource_manager::database, 0x00, payload_of(77u, pg::default_tablespace, 5u, pg::default_tablespace)),
          of(resource_manager::database, 0x20, payload_of(5u, 1u, pg::default_tablespace)),
          of(resource_manager::tablespace, 0x00, payload_of(16500u, std::uint16_t{0x742F}, std::uint8_t{0})),
          of(resource_manager::relmap, 0x00, payload_of(5u, pg::default_tablespace, 8u, 1u, 2u)),
          of(resource_manager::standby, 0x10, payload_of(1u, 0u, 0u, 800u, 740u, 799u, 740u)),
          of(resource_manager::replication_origin, 0x00,
             payload_of(std::uint64_t{9}, std::uint16_t{3}, std::uint16_t{0}, 0u)),
          of(resource_manager::xlog, 0x10, core::bytes(88, 1)),
          of(resource_manager::xlog, 0x60, payload_of(1u, 1u, 1u, 1u, 1u, 1u, std::uint32_t{0x0100})),
          {.manager = resource_manager::heap,
           .info = 0x20,
           .xid = 740,
           .blocks = {{.id = 0, .relation = heap, .block = 1, .image = image_of(make_page(1))}},
           .main_data = payload_of(740u, std::uint16_t{1}, std::uint8_t{0}, std::uint8_t{3}, 0u, std::uint16_t{1})}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_ingest_damage)

BOOST_FIXTURE_TEST_CASE(damaged_payloads_are_taken_or_refused_and_what_was_there_stays_readable, mapping_fixture) {
  std::mt19937 random(23);
  ingest(page_image(heap, 0, make_page(1)));
  const core::lsn before = now();
  const core::bytes content = page(heap, 0);
  const std::vector<wal_record> originals = samples();
  int refused = 0;
  int taken = 0;
  for (int round = 0; round < 3000; ++round) {
    wal_record damaged = originals[random() % originals.size()];
    core::bytes& payload = damaged.main_data;
    for (std::uint32_t changes = random() % 4; changes > 0; --changes)
      payload[random() % payload.size()] = static_cast<std::uint8_t>(random());
    if (random() % 4 == 0) payload.resize(random() % (payload.size() + 8));
    if (random() % 8 == 0) damaged.info ^= static_cast<std::uint8_t>(1u << (4 + random() % 4));
    if (try_ingest(damaged)) {
      ++taken;
      continue;
    }
    ++refused;
    batch = storage::write_batch();
    restart_ingest();
  }
  BOOST_TEST(refused > 200);
  BOOST_TEST(taken > 200);
  BOOST_TEST(page(storage::relation_page_key(heap, 0), before) == content);
}

BOOST_AUTO_TEST_SUITE_END()
