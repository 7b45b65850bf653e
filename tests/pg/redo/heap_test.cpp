#include <boost/test/unit_test.hpp>

#include "pg/redo/heap_format.hpp"
#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_heap)

namespace {

using namespace strata;
using namespace strata::tests;
using pg::wal::resource_manager;

using pg::redo::hot_updated;
using pg::redo::xmax_invalid;
using namespace pg::redo::tuple;

struct heap_page : test_page {
  heap_page() {
    apply(heap_insert(1, "one", true), 100);
    apply(heap_insert(2, "two"), 200);
    apply(heap_insert(3, "three"), 300);
  }
};

sample heap(std::uint8_t info, core::bytes main, core::bytes data = {}) {
  return {.manager = resource_manager::heap, .info = info, .main_data = std::move(main), .data = std::move(data)};
}
sample heap2(std::uint8_t info, core::bytes main, core::bytes data = {}) {
  return {.manager = resource_manager::heap2, .info = info, .main_data = std::move(main), .data = std::move(data)};
}

core::bytes delete_of(pg::page::item_number at, std::uint8_t flags) {
  return payload().put<std::uint32_t>(900).put(at).put<std::uint8_t>(0).put(flags);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_inserted_tuple_points_to_itself, heap_page) {
  BOOST_TEST(view().lsn().value == 300u);
  BOOST_TEST(view().item_count() == 3);
  BOOST_TEST(item_text(2, 24) == "two");
  BOOST_TEST(item_field<std::uint32_t>(2, xmin) == 700u);
  BOOST_TEST(item_field<std::uint16_t>(2, ctid + 2) == 5);
  BOOST_TEST(item_field<std::uint16_t>(2, ctid + 4) == 2);
  BOOST_TEST(item_field<std::uint16_t>(2, infomask) == (xmax_invalid | has_variable_width));  // no has_combo_command
}

BOOST_FIXTURE_TEST_CASE(a_record_at_or_below_the_page_is_skipped, heap_page) {
  const auto before = bytes;
  apply(heap_insert(4, "four"), 300);
  BOOST_TEST((bytes == before));
  apply(heap_insert(4, "four"), 308);
  BOOST_TEST(view().item_count() == 4);
}

BOOST_FIXTURE_TEST_CASE(a_will_init_record_forgets_what_was_on_the_page, heap_page) {
  apply(heap_insert(1, "fresh", true), 50);
  BOOST_TEST(view().item_count() == 1);
  BOOST_TEST(view().lsn().value == 50u);
}

BOOST_FIXTURE_TEST_CASE(initialising_and_announcing_it_go_together, heap_page) {
  sample unannounced = heap_insert(1, "x", true);
  unannounced.will_init = false;
  BOOST_TEST(refusal(unannounced, 400) == core::errc::corrupt);
  sample announced = heap_insert(4, "x");
  announced.will_init = true;
  BOOST_TEST(refusal(announced, 400) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_page_that_was_never_initialised_is_refused) {
  test_page page;
  BOOST_TEST(page.refusal(heap_insert(1, "x"), 400) == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(a_delete_sets_xmax_and_marks_the_page_prunable, heap_page) {
  apply(heap(0x10, delete_of(2, 0)), 400);
  BOOST_TEST(item_field<std::uint32_t>(2, xmax) == 900u);
  BOOST_TEST(item_field<std::uint16_t>(2, infomask) == has_variable_width);
  BOOST_TEST(view().prune_xid() == 700u);
  sample older = heap(0x10, delete_of(1, 0));
  older.xid = 600;
  apply(older, 500);
  BOOST_TEST(view().prune_xid() == 600u);
}

BOOST_FIXTURE_TEST_CASE(a_super_delete_takes_back_the_insert, heap_page) {
  apply(heap(0x10, delete_of(2, 0x08)), 400);
  BOOST_TEST(item_field<std::uint32_t>(2, xmin) == 0u);
  BOOST_TEST(item_field<std::uint32_t>(2, xmax) == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_row_moved_to_another_partition_says_so, heap_page) {
  apply(heap(0x10, delete_of(2, 0x10)), 400);
  BOOST_TEST(item_field<std::uint32_t>(2, ctid) == 0xFFFFFFFFu);
  BOOST_TEST(item_field<std::uint16_t>(2, ctid + 4) == 0xFFFD);
}

BOOST_FIXTURE_TEST_CASE(an_update_takes_both_ends_from_the_old_version, heap_page) {
  const core::bytes main = payload()
                               .put<std::uint32_t>(900)
                               .put<std::uint16_t>(3)
                               .put<std::uint8_t>(0)
                               .put<std::uint8_t>(0x60)
                               .put<std::uint32_t>(0)
                               .put<std::uint16_t>(4);
  const core::bytes data = payload()
                               .put<std::uint16_t>(2)
                               .put<std::uint16_t>(1)
                               .put<std::uint16_t>(2)
                               .put<std::uint16_t>(xmax_invalid | has_variable_width)
                               .put<std::uint8_t>(24)
                               .put<std::uint8_t>(0)
                               .put_text("-is-");
  apply(heap(0x40, main, data), 400);
  BOOST_TEST(item_text(4, 24) == "th-is-e");
  BOOST_TEST(item_field<std::uint16_t>(3, infomask2) == (2 | hot_updated));
  BOOST_TEST(item_field<std::uint16_t>(3, ctid + 4) == 4);
  core::bytes too_long = data;
  too_long[0] = 200;
  BOOST_TEST(refusal(heap(0x40, main, too_long), 500) == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(an_operation_that_redo_does_not_know_is_unsupported, heap_page) {
  BOOST_TEST(refusal(heap(0x30, {}), 400) == core::errc::unsupported);
  BOOST_TEST(refusal(heap2(0x70, {}), 400) == core::errc::unsupported);
  sample gin = heap(0xA0, {});
  gin.manager = resource_manager::gin;
  BOOST_TEST(refusal(gin, 400) == core::errc::unsupported);
}

BOOST_FIXTURE_TEST_CASE(an_error_names_the_record_and_the_block, heap_page) {
  const auto applied = try_apply(heap(0x10, delete_of(9, 0)), 0x5000);
  BOOST_REQUIRE(!applied.has_value());
  BOOST_TEST(applied.error().detail.find("Heap/DELETE that ends at 0/5000 on block 5") != std::string::npos,
             applied.error().detail);
}

BOOST_FIXTURE_TEST_CASE(setting_all_visible_moves_the_lsn_only_where_hints_are_logged, heap_page) {
  sample visible = heap2(0x40, payload().put<std::uint32_t>(0).put<std::uint8_t>(1));
  visible.block_id = 1;
  visible.reference(0, 0, pg::fork::vm).reference(1, 5);
  apply(visible, 400);
  BOOST_TEST((view().flags() & pg::page::all_visible) != 0);
  BOOST_TEST(view().lsn().value == 300u);
  context.hints_are_logged = true;
  apply(visible, 400);
  BOOST_TEST(view().lsn().value == 400u);
}

BOOST_AUTO_TEST_CASE(a_new_page_of_the_map_is_initialised_by_the_first_bit) {
  test_page map;
  sample visible = heap2(0x40, payload().put<std::uint32_t>(0).put<std::uint8_t>(7));
  visible.reference(0, 0, pg::fork::vm).reference(1, 5);
  map.apply(visible, 400);
  BOOST_TEST(map.bytes[25] == 3 << 2);
  BOOST_TEST(map.view().lsn().value == 400u);
  map.apply(visible, 500);
  BOOST_TEST(map.view().lsn().value == 400u);
}

// Found by tests/fuzz: the page was accepted with flags and without a header.
BOOST_AUTO_TEST_CASE(a_new_page_of_the_map_is_no_heap_page_to_be_marked) {
  test_page map;
  sample visible = heap2(0x40, payload().put<std::uint32_t>(0).put<std::uint8_t>(1));
  visible.block_id = 1;
  visible.reference(0, 0, pg::fork::vm).reference(1, 5, pg::fork::vm);
  BOOST_TEST(map.refusal(visible, 400) == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(major_14_keeps_unused_line_pointers_at_the_end_when_it_prunes, heap_page) {
  const sample prune = heap2(0x10, payload().put<std::uint32_t>(0).put<std::uint16_t>(0).put<std::uint16_t>(0),
                             payload().put<std::uint16_t>(3));
  auto older = *this;
  older.context.major = pg::major_version::v14;
  apply(prune, 400);
  BOOST_TEST(view().item_count() == 2);
  older.apply(prune, 400);
  BOOST_TEST(older.view().item_count() == 3);
}

BOOST_FIXTURE_TEST_CASE(major_16_freezes_by_plans, heap_page) {
  context.major = pg::major_version::v16;
  const core::bytes data = payload()
                               .put<std::uint32_t>(0)
                               .put<std::uint16_t>(2)
                               .put<std::uint16_t>(xmax_invalid | xmin_frozen | has_variable_width)
                               .put<std::uint8_t>(0)
                               .put<std::uint8_t>(0)
                               .put<std::uint16_t>(2)
                               .put<std::uint16_t>(1)
                               .put<std::uint16_t>(3);
  const core::bytes main = payload().put<std::uint32_t>(800).put<std::uint16_t>(1).put<std::uint8_t>(0);
  apply(heap2(0x30, main, data), 400);
  BOOST_TEST(item_field<std::uint16_t>(1, infomask) == (xmax_invalid | xmin_frozen | has_variable_width));
  BOOST_TEST(item_field<std::uint16_t>(2, infomask) == (xmax_invalid | has_variable_width));
  BOOST_TEST(item_field<std::uint16_t>(3, infomask) == (xmax_invalid | xmin_frozen | has_variable_width));
}

BOOST_FIXTURE_TEST_CASE(major_17_prunes_and_freezes_in_one_record, heap_page) {
  context.major = pg::major_version::v17;
  const core::bytes data = payload()
                               .put<std::uint16_t>(1)  // one plan
                               .put<std::uint16_t>(0)
                               .put<std::uint32_t>(0)
                               .put<std::uint16_t>(2)
                               .put<std::uint16_t>(xmax_invalid | xmin_frozen | has_variable_width)
                               .put<std::uint8_t>(0)
                               .put<std::uint8_t>(0)
                               .put<std::uint16_t>(1)
                               .put<std::uint16_t>(1)  // one dead
                               .put<std::uint16_t>(2)
                               .put<std::uint16_t>(1)  // one unused
                               .put<std::uint16_t>(3)
                               .put<std::uint16_t>(1);  // frozen
  const core::bytes main = payload().put<std::uint8_t>(0).put<std::uint8_t>(0x04 | 0x10 | 0x40 | 0x80);
  apply(heap2(0x20, main, data), 400);
  BOOST_TEST(view().item_count() == 2);
  BOOST_TEST(item_field<std::uint16_t>(1, infomask) == (xmax_invalid | xmin_frozen | has_variable_width));
  BOOST_TEST(view().pointer(2).state() == pg::page::item_state::dead);
}

BOOST_AUTO_TEST_SUITE_END()
