#include "pg/redo/visibility_map.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "pg/page/page.hpp"
#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_visibility_map)

namespace {

using namespace strata;
using namespace strata::pg::redo;
using pg::wal::resource_manager;

struct map_page {
  std::array<std::uint8_t, pg::page_size> bytes{};
  int bits(pg::block_number heap_block) const {
    const auto on_page = heap_block % heap_blocks_per_vm_page;
    return bytes[24 + on_page / 4] >> 2 * (on_page % 4) & 3;
  }
};

pg::wal::record record_of(resource_manager manager, std::uint8_t info, const core::bytes& main_data,
                          std::initializer_list<std::pair<std::uint8_t, pg::block_number>> blocks) {
  pg::wal::record record;
  record.manager = manager;
  record.info = info;
  record.main_data = main_data;
  for (const auto& [id, block] : blocks) {
    auto& reference = record.blocks[record.block_count++];
    reference.id = id;
    reference.relation = {1663, 5, 16384, pg::fork::main};
    reference.block = block;
  }
  return record;
}

using clears = std::vector<std::pair<pg::block_number, int>>;
clears clears_of(const pg::wal::record& record) {
  clears found;
  const auto all = visibility_clears(record);
  for (std::size_t i = 0; i < all.count; ++i) {
    BOOST_TEST((all.clears[i].heap == pg::relation_fork{1663, 5, 16384, pg::fork::main}));
    found.emplace_back(all.clears[i].heap_block, all.clears[i].bits);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bits_of_the_last_heap_block_of_a_page_are_its_last_bits) {
  map_page map;
  const pg::block_number last = heap_blocks_per_vm_page - 1;
  BOOST_TEST(vm_block_of(last) == 0u);
  BOOST_TEST(vm_block_of(last + 1) == 1u);
  BOOST_TEST(set_visibility(map.bytes, last, vm_both_bits));
  BOOST_TEST(map.bytes.back() == 0xC0);
  BOOST_TEST(core::load_le<std::uint16_t>(map.bytes.data() + 14) == 8192);
  BOOST_TEST(clear_visibility(map.bytes, last, vm_all_frozen));
  BOOST_TEST(map.bits(last) == 1);
  BOOST_TEST(!clear_visibility(map.bytes, last, vm_all_frozen));
}

BOOST_AUTO_TEST_CASE(clearing_on_a_new_page_changes_nothing) {
  map_page map;
  BOOST_TEST(!clear_visibility(map.bytes, 0, vm_both_bits));
  truncate_visibility_map(map.bytes, 0);
  BOOST_TEST((map.bytes == map_page{}.bytes));
}

BOOST_AUTO_TEST_CASE(truncating_clears_the_first_cut_block_and_everything_behind) {
  map_page map;
  for (pg::block_number block = 0; block < 100; ++block) set_visibility(map.bytes, block, vm_both_bits);
  set_visibility(map.bytes, heap_blocks_per_vm_page - 1, vm_all_visible);
  truncate_visibility_map(map.bytes, 50);
  BOOST_TEST(map.bits(49) == 3);
  BOOST_TEST(map.bits(50) == 0);
  BOOST_TEST(map.bits(51) == 0);
  BOOST_TEST(map.bits(52) == 0);
  BOOST_TEST(map.bits(heap_blocks_per_vm_page - 1) == 0);
  BOOST_TEST(map.bytes[18] == 4);
  truncate_visibility_map(map.bytes, 0);
  BOOST_TEST(map.bits(0) == 0);
}

BOOST_AUTO_TEST_CASE(heap_records_clear_bits_by_their_flags) {
  const auto heap = resource_manager::heap;
  const core::bytes insert{1, 0, 1}, quiet_insert{1, 0, 0};
  BOOST_TEST((clears_of(record_of(heap, 0x00, insert, {{0, 8}})) == clears{{8, 3}}));
  BOOST_TEST((clears_of(record_of(heap, 0x80, insert, {{0, 8}})) == clears{{8, 3}}));
  BOOST_TEST(clears_of(record_of(heap, 0x00, quiet_insert, {{0, 8}})).empty());

  const core::bytes marked{0, 0, 0, 0, 1, 0, 0, 1}, unmarked{1, 1, 1, 1, 1, 1, 1, 0};
  BOOST_TEST((clears_of(record_of(heap, 0x10, marked, {{0, 8}})) == clears{{8, 3}}));
  BOOST_TEST((clears_of(record_of(heap, 0x60, marked, {{0, 8}})) == clears{{8, 2}}));
  BOOST_TEST(clears_of(record_of(heap, 0x10, unmarked, {{0, 8}})).empty());
  BOOST_TEST(clears_of(record_of(heap, 0x70, marked, {{0, 8}})).empty());

  const auto heap2 = resource_manager::heap2;
  BOOST_TEST((clears_of(record_of(heap2, 0x50, {1, 0, 1, 0}, {{0, 8}})) == clears{{8, 3}}));
  BOOST_TEST((clears_of(record_of(heap2, 0x60, marked, {{0, 8}})) == clears{{8, 2}}));
  BOOST_TEST(clears_of(record_of(heap2, 0x10, marked, {{0, 8}})).empty());
  BOOST_TEST(clears_of(record_of(resource_manager::btree, 0x10, marked, {{0, 8}})).empty());
  BOOST_TEST(clears_of(record_of(heap, 0x10, {1, 2}, {{0, 8}})).empty());
}

BOOST_AUTO_TEST_CASE(an_update_clears_the_old_and_the_new_block) {
  core::bytes main(14);
  const auto with_flags = [&](std::uint8_t flags) {
    main[7] = flags;
    return main;
  };
  const auto heap = resource_manager::heap;
  BOOST_TEST((clears_of(record_of(heap, 0x20, with_flags(1), {{0, 8}, {1, 4}})) == clears{{4, 3}}));
  BOOST_TEST((clears_of(record_of(heap, 0x20, with_flags(2), {{0, 8}, {1, 4}})) == clears{{8, 3}}));
  BOOST_TEST((clears_of(record_of(heap, 0x20, with_flags(3), {{0, 8}, {1, 4}})) == clears{{4, 3}, {8, 3}}));
  BOOST_TEST((clears_of(record_of(heap, 0x40, with_flags(1), {{0, 8}})) == clears{{8, 3}}));
}

BOOST_AUTO_TEST_CASE(a_record_that_names_the_map_block_clears_it_through_that_block) {
  const core::bytes main = tests::payload().put<std::uint16_t>(1).put<std::uint8_t>(1);
  auto record = record_of(resource_manager::heap, 0x00, main, {{0, 8}, {1, 0}});
  record.blocks[1].relation.fork = pg::fork::vm;
  BOOST_TEST(clears_of(record).empty());

  tests::test_page map;
  tests::sample sample{.manager = resource_manager::heap, .info = 0x00, .main_data = main, .block_id = 1};
  sample.reference(0, 8).reference(1, 0, pg::fork::vm);
  set_visibility(map.bytes, 7, vm_both_bits);
  set_visibility(map.bytes, 8, vm_both_bits);
  map.apply(sample, 1000);
  BOOST_TEST(map.bytes[24 + 1] == 0xC0);
  BOOST_TEST(map.bytes[24 + 2] == 0x00);
  BOOST_TEST(map.view().lsn().value == 1000u);
  map.apply(sample, 2000);
  BOOST_TEST(map.view().lsn().value == 1000u);
}

BOOST_AUTO_TEST_CASE(each_map_block_of_an_update_clears_its_own_heap_blocks) {
  core::bytes main(14);
  main[7] = 3;
  const pg::block_number far = heap_blocks_per_vm_page + 6;
  tests::sample sample{.manager = resource_manager::heap, .info = 0x20, .main_data = main};
  sample.reference(0, far).reference(1, 4).reference(2, 1, pg::fork::vm).reference(3, 0, pg::fork::vm);
  for (const bool is_new : {true, false}) {
    tests::test_page map;
    for (const pg::block_number block : {4u, 6u}) set_visibility(map.bytes, block, vm_both_bits);
    sample.block_id = is_new ? 2 : 3;
    map.apply(sample, 1000);
    BOOST_TEST(map.bytes[24 + 1] == (is_new ? 0x03 : 0x30));
  }
}

// Found by tests/fuzz: GIN wrote on such a page, and it was accepted without a header.
BOOST_AUTO_TEST_CASE(a_new_page_of_the_map_is_for_the_heap_alone) {
  for (const auto manager : {resource_manager::btree, resource_manager::hash, resource_manager::gin,
                             resource_manager::gist, resource_manager::spgist, resource_manager::brin}) {
    tests::test_page map;
    core::store_le<std::uint16_t>(map.bytes.data() + 16, 1024);
    tests::sample sample{.manager = manager, .info = 0x20, .main_data = core::bytes(16)};
    sample.reference(0, 5, pg::fork::vm);
    const auto refused = map.try_apply(sample, 1000);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().code == core::errc::corrupt);
    BOOST_TEST(refused.error().detail.ends_with("page was never initialised"));
  }
}

BOOST_AUTO_TEST_SUITE_END()
