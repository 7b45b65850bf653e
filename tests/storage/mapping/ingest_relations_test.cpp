#include <boost/test/unit_test.hpp>

#include "pg/redo/visibility_map.hpp"
#include "tests/storage/mapping/mapping_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using pg::wal::resource_manager;

namespace {

constexpr pg::relation_fork heap{pg::default_tablespace, 5, 16384, pg::fork::main};
constexpr pg::relation_fork map{pg::default_tablespace, 5, 16384, pg::fork::vm};
constexpr pg::relation_fork space{pg::default_tablespace, 5, 16384, pg::fork::fsm};

wal_record create(const pg::relation_fork& of) {
  return {.manager = resource_manager::storage,
          .info = 0x10,
          .main_data = payload_of(of.tablespace, of.database, of.relation, static_cast<std::uint32_t>(of.fork))};
}
wal_record truncate(const pg::relation_fork& of, std::uint32_t blocks) {
  return {.manager = resource_manager::storage,
          .info = 0x20,
          .main_data = payload_of(blocks, of.tablespace, of.database, of.relation, std::uint32_t{7})};
}
/// A commit or abort that drops one relation.
wal_record end_dropping(std::uint8_t operation, const pg::relation_fork& of) {
  return {.manager = resource_manager::transaction,
          .info = static_cast<std::uint8_t>(operation | 0x80),
          .xid = 740,
          .main_data = payload_of(std::int64_t{1000}, std::uint32_t{4}, std::uint32_t{1}, of.tablespace, of.database,
                                  of.relation)};
}
/// A heap insert or delete whose flags say that the page is no longer all-visible.
wal_record heap_delete(pg::block_number block) {
  return {.manager = resource_manager::heap,
          .info = 0x10,
          .xid = 740,
          .blocks = {{.id = 0, .relation = heap, .block = block, .image = image_of(make_page(1))}},
          .main_data = payload_of(std::uint32_t{740}, std::uint16_t{1}, std::uint8_t{0}, std::uint8_t{1})};
}
std::uint8_t map_bits(const core::bytes& page, pg::block_number heap_block) {
  return page[24 + heap_block % pg::redo::heap_blocks_per_vm_page / 4] >> (2 * (heap_block % 4)) & 3;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_ingest_relations)

BOOST_FIXTURE_TEST_CASE(a_page_image_is_read_back_with_its_lsn_and_the_relation_has_its_size, mapping_fixture) {
  const core::bytes content = make_page(0xAB);
  const core::lsn end = ingest(page_image(heap, 0, content));
  BOOST_TEST(size(heap).value() == 1u);
  BOOST_TEST(page(heap, 0) == stamped(content, end));
  BOOST_TEST(!size(heap, start));
}

BOOST_FIXTURE_TEST_CASE(blocks_between_the_old_end_and_a_new_block_are_zeros, mapping_fixture) {
  ingest(page_image(heap, 0, make_page(1)));
  const core::lsn end = ingest(page_image(heap, 40, make_page(2)));
  BOOST_TEST(size(heap).value() == 41u);
  for (pg::block_number block = 1; block < 40; ++block) BOOST_TEST(all_zero(page(heap, block)));
  BOOST_TEST(page(heap, 40) == stamped(make_page(2), end));
}

BOOST_FIXTURE_TEST_CASE(a_block_absurdly_far_behind_the_end_is_refused, mapping_fixture) {
  const auto refused = try_ingest(page_image(heap, 100'000'000, make_page(1)));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(a_relation_cut_and_grown_again_shows_zeros_not_its_old_pages, mapping_fixture) {
  for (pg::block_number block = 0; block < 8; ++block) ingest(page_image(heap, block, make_page(0x11)));
  const core::lsn before = now();
  ingest(truncate(heap, 2));
  BOOST_TEST(size(heap).value() == 2u);
  ingest(page_image(heap, 6, make_page(0x22)));
  BOOST_TEST(size(heap).value() == 7u);
  BOOST_TEST(!all_zero(page(heap, 1)));
  for (pg::block_number block = 2; block < 6; ++block) BOOST_TEST(all_zero(page(heap, block)));
  BOOST_TEST(size(heap, before).value() == 8u);
  BOOST_TEST(!all_zero(page(storage::relation_page_key(heap, 3), before)));
}

BOOST_FIXTURE_TEST_CASE(commit_and_abort_drop_all_forks, mapping_fixture) {
  for (const std::uint8_t operation : {0x00, 0x20}) {
    ingest(page_image(heap, 0, make_page(1)));
    ingest(page_image(map, 0, make_page(0xFF)));
    ingest(create({heap.tablespace, heap.database, heap.relation, pg::fork::init}));
    const core::lsn before = now();
    ingest(end_dropping(operation, heap));
    BOOST_TEST(!size(heap));
    BOOST_TEST(!size(map));
    BOOST_TEST(!size({heap.tablespace, heap.database, heap.relation, pg::fork::init}));
    BOOST_TEST(size(heap, before).value() == 1u);
  }
}

BOOST_FIXTURE_TEST_CASE(a_relation_number_used_again_starts_empty, mapping_fixture) {
  for (pg::block_number block = 0; block < 4; ++block) ingest(page_image(heap, block, make_page(0x11)));
  ingest(end_dropping(0x00, heap));
  ingest(create(heap));
  BOOST_TEST(size(heap).value() == 0u);
  ingest(page_image(heap, 3, make_page(0x22)));
  for (pg::block_number block = 0; block < 3; ++block) BOOST_TEST(all_zero(page(heap, block)));
}

BOOST_FIXTURE_TEST_CASE(creating_a_relation_that_exists_keeps_its_size, mapping_fixture) {
  ingest(page_image(heap, 3, make_page(1)));
  ingest(create(heap));
  BOOST_TEST(size(heap).value() == 4u);
}

BOOST_FIXTURE_TEST_CASE(sizes_in_a_batch_on_its_way_are_remembered, mapping_fixture) {
  hold();
  ingest(page_image(heap, 0, make_page(1)));
  ingest(page_image(heap, 4, make_page(2)));
  ingest(truncate(heap, 3));
  const core::lsn end = ingest(page_image(heap, 3, make_page(3)));
  BOOST_TEST(!size(heap));
  release();
  BOOST_TEST(size(heap).value() == 4u);
  BOOST_TEST(all_zero(page(heap, 2)));
  BOOST_TEST(page(heap, 3) == stamped(make_page(3), end));
}

BOOST_FIXTURE_TEST_CASE(a_restarted_ingest_knows_what_the_store_knows, mapping_fixture) {
  ingest(page_image(heap, 9, make_page(1)));
  restart_ingest();
  ingest(page_image(heap, 2, make_page(2)));
  BOOST_TEST(size(heap).value() == 10u);
}

BOOST_FIXTURE_TEST_CASE(a_manager_that_is_not_built_in_spoils_its_own_pages_only, mapping_fixture) {
  ingest(page_image(heap, 0, make_page(1)));
  ingest(page_image(heap, 1, make_page(2)));
  ingest({.manager = resource_manager{130},
          .info = 0x30,
          .blocks = {{.id = 0, .relation = heap, .block = 1, .data = {1, 2, 3}}},
          .main_data = {9, 9}});
  BOOST_TEST(!all_zero(page(heap, 0)));
  core::bytes content(pg::page_size);
  storage::page_read read{storage::relation_page_key(heap, 1), content, {}};
  store->read_pages({&read, 1}, now(), storage::read_mode::may_block);
  BOOST_REQUIRE(read.failure);
  BOOST_TEST(read.failure->code == core::errc::unsupported);
  // Its own image makes the page readable again.
  wal_record whole = page_image(heap, 1, make_page(3));
  whole.manager = resource_manager{130};
  const core::lsn end = ingest(whole);
  BOOST_TEST(page(heap, 1) == stamped(make_page(3), end));
}

BOOST_FIXTURE_TEST_CASE(the_timeline_names_the_managers_of_extensions_and_since_when, mapping_fixture) {
  using storage::custom_manager;
  const auto record_of = [](std::uint8_t id) { return wal_record{.manager = resource_manager{id}, .main_data = {1}}; };
  BOOST_TEST(store->record().custom_managers.empty());
  const core::lsn second = ingest(record_of(200));
  const core::lsn first = ingest(record_of(130));
  const std::vector<custom_manager> wanted{{130, first}, {200, second}};
  BOOST_TEST((store->record().custom_managers == wanted));
  ingest(record_of(200));
  restart_ingest();
  ingest(record_of(130));
  BOOST_TEST((store->record().custom_managers == wanted));
  // Durable before anybody sees the record, and not moved by WAL that comes again.
  const auto stored = metadata->timelines(store->record().tenant);
  BOOST_REQUIRE(stored);
  BOOST_TEST((stored->front().custom_managers == wanted));
  BOOST_REQUIRE(store->update({.custom_manager_seen = custom_manager{130, now()}}).has_value());
  BOOST_TEST((store->record().custom_managers == wanted));
}

BOOST_FIXTURE_TEST_CASE(metadata_that_does_not_decode_stops_ingest, mapping_fixture) {
  const auto refused = try_ingest({.manager = resource_manager::storage, .info = 0x10, .main_data = {1, 2, 3}});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(a_heap_record_clears_bits_of_a_map_that_exists, mapping_fixture) {
  core::bytes bits = make_page(0xFF);
  ingest(page_image(map, 0, bits));
  ingest(page_image(heap, 6, make_page(1)));
  // The page comes as an image: the bits go all the same.
  ingest(heap_delete(5));
  const core::bytes after = page(map, 0);
  BOOST_TEST(map_bits(after, 5) == 0);
  BOOST_TEST(map_bits(after, 4) == 3);
  BOOST_TEST(map_bits(after, 6) == 3);
}

BOOST_FIXTURE_TEST_CASE(an_update_clears_bits_of_two_blocks_on_one_map_page, mapping_fixture) {
  ingest(page_image(map, 0, make_page(0xFF)));
  wal_record update{.manager = resource_manager::heap,
                    .info = 0x20,
                    .xid = 740,
                    .blocks = {{.id = 0, .relation = heap, .block = 9, .image = image_of(make_page(1))},
                               {.id = 1, .relation = heap, .block = 3, .image = image_of(make_page(1))}},
                    .main_data = payload_of(std::uint32_t{740}, std::uint16_t{1}, std::uint8_t{0}, std::uint8_t{3},
                                            std::uint32_t{0}, std::uint16_t{1})};
  ingest(update);
  const core::bytes after = page(map, 0);
  BOOST_TEST(map_bits(after, 9) == 0);
  BOOST_TEST(map_bits(after, 3) == 0);
  BOOST_TEST(map_bits(after, 8) == 3);
}

BOOST_FIXTURE_TEST_CASE(a_heap_record_does_not_create_a_map_or_a_page_of_it, mapping_fixture) {
  ingest(heap_delete(5));
  BOOST_TEST(!size(map));
  ingest(page_image(map, 0, make_page(0xFF)));
  ingest(heap_delete(pg::redo::heap_blocks_per_vm_page));
  BOOST_TEST(size(map).value() == 1u);
}

BOOST_FIXTURE_TEST_CASE(truncation_cuts_the_visibility_map_and_clears_its_tail, mapping_fixture) {
  ingest(page_image(heap, 20, make_page(1)));
  ingest(page_image(map, 0, make_page(0xFF)));
  ingest(page_image(map, 1, make_page(0xFF)));
  ingest(truncate(heap, 6));
  BOOST_TEST(size(map).value() == 1u);
  const core::bytes after = page(map, 0);
  BOOST_TEST(map_bits(after, 5) == 3);
  BOOST_TEST(map_bits(after, 6) == 0);
  BOOST_TEST(map_bits(after, 7) == 0);
  BOOST_TEST(map_bits(after, 1000) == 0);
}

BOOST_FIXTURE_TEST_CASE(truncation_empties_the_last_page_of_the_free_space_map, mapping_fixture) {
  ingest(page_image(heap, 20, make_page(1)));
  for (pg::block_number block = 0; block < 6; ++block) ingest(page_image(space, block, make_page(0x33)));
  ingest(truncate(heap, 10));
  BOOST_TEST(size(space).value() == 3u);
  BOOST_TEST(all_zero(page(space, 2)));
  BOOST_TEST(!all_zero(page(space, 1)));
}

BOOST_AUTO_TEST_SUITE_END()
