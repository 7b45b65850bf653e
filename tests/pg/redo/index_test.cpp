#include <boost/test/unit_test.hpp>

#include "pg/redo/btree_format.hpp"
#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_index)

namespace {

using namespace strata;
using namespace strata::tests;
using pg::wal::resource_manager;
namespace tuples = pg::redo::index_tuple;

core::bytes heap_tid(std::uint32_t block, std::uint16_t item) {
  return payload().put(static_cast<std::uint16_t>(block >> 16)).put(static_cast<std::uint16_t>(block)).put(item);
}
core::bytes leaf_tuple(std::uint32_t block, std::uint64_t key) {
  return payload().put_bytes(heap_tid(block, 1)).put<std::uint16_t>(16).put(key);
}

sample btree(std::uint8_t info, core::bytes main, core::bytes data = {}) {
  return {.manager = resource_manager::btree, .info = info, .main_data = std::move(main), .data = std::move(data)};
}

/// A leaf without right neighbour and four equal keys.
struct leaf_page : test_page {
  leaf_page() {
    sample root = btree(0xA0, payload().put<std::uint32_t>(5).put<std::uint32_t>(0));
    root.will_init = true;
    apply(root, 100);
    for (std::uint16_t at = 1; at <= 4; ++at)
      apply(btree(0x00, payload().put(at), leaf_tuple(10 * at, 7)), 100 + 8 * at);
  }
  void dedup() {
    apply(btree(0x60, payload().put<std::uint16_t>(1), payload().put<std::uint16_t>(1).put<std::uint16_t>(4)), 200);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(dedup_merges_a_run_into_one_posting_list, leaf_page) {
  dedup();
  BOOST_TEST(view().item_count() == 1);
  const auto parts = tuples::split(view().item(1).view());
  BOOST_TEST(parts.posting);
  BOOST_TEST(parts.count() == 4u);
  BOOST_TEST(parts.key.size() == 16u);
  BOOST_TEST(view().item(1).size() == 40u);
}

BOOST_FIXTURE_TEST_CASE(an_insert_into_a_posting_list_pushes_its_last_entry_out, leaf_page) {
  dedup();
  apply(btree(0x50, payload().put<std::uint16_t>(2), payload().put<std::uint16_t>(2).put_bytes(leaf_tuple(25, 7))),
        300);
  BOOST_TEST(view().item_count() == 2);
  const auto parts = tuples::split(view().item(1).view());
  BOOST_TEST(parts.count() == 4u);
  BOOST_TEST(tuples::block(view().item(2).view()) == 40u);
  BOOST_TEST(core::load_le<std::uint16_t>(parts.heap_tids.data() + 12 + 2) == 25);
  BOOST_TEST(core::load_le<std::uint16_t>(parts.heap_tids.data() + 18 + 2) == 30);
}

BOOST_FIXTURE_TEST_CASE(vacuum_shortens_posting_lists_before_it_removes_items, leaf_page) {
  dedup();
  apply(btree(0x00, payload().put<std::uint16_t>(2), leaf_tuple(99, 8)), 300);
  const core::bytes main = payload().put<std::uint16_t>(1).put<std::uint16_t>(1);
  const core::bytes data = payload()
                               .put<std::uint16_t>(2)  // removed
                               .put<std::uint16_t>(1)  // shortened: entries 0, 1 and 3
                               .put<std::uint16_t>(3)
                               .put<std::uint16_t>(0)
                               .put<std::uint16_t>(1)
                               .put<std::uint16_t>(3);
  auto newer = *this;
  apply(btree(0xC0, main, data), 400);
  BOOST_TEST(view().item_count() == 1);
  const auto parts = tuples::split(view().item(1).view());
  BOOST_TEST(!parts.posting);
  BOOST_TEST(tuples::block(view().item(1).view()) == 30u);

  newer.context.major = pg::major_version::v18;
  newer.view().special_area(16).store<std::uint16_t>(14, 9);
  newer.apply(btree(0xC0, main, data), 400);
  BOOST_TEST(newer.view().special_area(16).load<std::uint16_t>(14) == 0);
}

BOOST_FIXTURE_TEST_CASE(places_outside_a_posting_list_are_refused, leaf_page) {
  dedup();
  for (const std::uint16_t place : {0, 4, 5})
    BOOST_TEST(refusal(btree(0x50, payload().put<std::uint16_t>(2), payload().put(place).put_bytes(leaf_tuple(25, 7))),
                       300) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_sequence_record_is_the_whole_page) {
  test_page page;
  sample log{.manager = resource_manager::sequence, .info = 0, .main_data = core::bytes(12 + 30, 9), .will_init = true};
  page.apply(log, 100);
  BOOST_TEST(page.view().item_count() == 1);
  BOOST_TEST(page.view().item(1).size() == 30u);
  BOOST_TEST(page.view().special_area(8).load<std::uint32_t>(0) == 0x1717u);
}

BOOST_FIXTURE_TEST_CASE(a_generic_record_writes_ranges_and_zeroes_the_hole, leaf_page) {
  bytes[4000] = 5;
  const sample generic{.manager = resource_manager::generic,
                       .data = payload().put<std::uint16_t>(8188).put<std::uint16_t>(2).put<std::uint16_t>(0x4242)};
  apply(generic, 500);
  BOOST_TEST(bytes[8188] == 0x42);
  BOOST_TEST(bytes[4000] == 0);
  const sample beyond{.manager = resource_manager::generic,
                      .data = payload().put<std::uint16_t>(8191).put<std::uint16_t>(2).put<std::uint16_t>(0x4242)};
  BOOST_TEST(refusal(beyond, 600) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(the_left_child_of_a_gist_split_is_finished_after_its_image) {
  test_page before;
  before.view().init(16);
  before.view().special_area(16).store<std::uint16_t>(12, 0x09);
  for (const std::uint8_t id : {std::uint8_t{0}, std::uint8_t{1}}) {
    sample update{.manager = resource_manager::gist, .info = 0x00, .block_id = id};
    update.reference(1, 6);
    auto record = update.record();
    record.has_image = true;
    record.image.stored = before.bytes;
    test_page after;
    BOOST_REQUIRE(pg::redo::apply(record, core::lsn(0x100000777), after.context, after.bytes).has_value());
    const auto special = after.view().special_area(16);
    BOOST_TEST(special.load<std::uint16_t>(12) == (id == 1 ? 0x01 : 0x09));
    BOOST_TEST(special.load<std::uint32_t>(0) == (id == 1 ? 1u : 0u));
    BOOST_TEST(special.load<std::uint32_t>(4) == (id == 1 ? 0x777u : 0u));
    BOOST_TEST(after.view().lsn().value == 0x100000777u);
  }
}

BOOST_FIXTURE_TEST_CASE(a_hint_without_an_image_changes_nothing, leaf_page) {
  const auto before = bytes;
  apply({.manager = resource_manager::xlog, .info = 0xA0}, 900);
  BOOST_TEST((bytes == before));
  BOOST_TEST(refusal({.manager = resource_manager::xlog, .info = 0xB0}, 900) == core::errc::corrupt);
}

BOOST_AUTO_TEST_SUITE_END()
