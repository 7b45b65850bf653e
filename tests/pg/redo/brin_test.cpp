#include <boost/test/unit_test.hpp>

#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_brin)

namespace {

using namespace strata;
using namespace strata::tests;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;

enum : u8 { create = 0x00, insert = 0x10, update = 0x20, same_page = 0x30, extend_map = 0x40, desummarize = 0x50 };
constexpr u8 starts_page = 0x80;

sample brin(u8 info, u8 block_id, core::bytes main, std::string_view data = {}) {
  sample made{.manager = pg::wal::resource_manager::brin,
              .info = info,
              .main_data = std::move(main),
              .data = payload().put_text(data),
              .block_id = block_id};
  for (u8 id = 0; id < 3; ++id) made.reference(id, 0x10050u + id);
  return made;
}
sample announced(sample of) {
  of.will_init = true;
  return of;
}
core::bytes insert_main(u32 heap_block, u32 pages_per_range, u16 at) {
  return payload().put(heap_block).put(pages_per_range).put(at);
}
core::bytes update_main(u16 old_at, u16 at) {
  return payload().put(old_at).put<u16>(0xEEEE).put_bytes(insert_main(0, 1, at));
}

struct summaries : test_page {
  summaries() {
    apply(announced(brin(insert | starts_page, 0, insert_main(0, 1, 1), "first summary")), 100);
    apply(brin(insert, 0, insert_main(1, 1, 2), "second"), 200);
    apply(brin(insert, 0, insert_main(2, 1, 3), "third"), 300);
  }
};
struct range_map : test_page {
  range_map() { apply(announced(brin(extend_map, 1, payload().put<u32>(1))), 100); }
  core::bytes entry(std::size_t number) {
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(24 + 6 * number);
    return {from, from + 6};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_removed_summary_leaves_its_slot_unless_it_is_the_last, summaries) {
  BOOST_TEST(view().special_area(8).load<u16>(6) == 0xF093);
  apply(brin(update, 2, update_main(2, 1)), 400);
  BOOST_TEST(view().item_count() == 3);
  BOOST_TEST(!view().pointer(2).has_storage());
  BOOST_TEST(item_text(3, 0) == "third");
  apply(brin(insert, 0, insert_main(5, 1, 2), "another"), 500);
  BOOST_TEST(item_text(2, 0) == "another");
  apply(brin(desummarize, 1, payload().put<u32>(1).put<u32>(2).put<u16>(3)), 600);
  BOOST_TEST(view().item_count() == 2);
  BOOST_TEST(item_text(1, 0) == "first summary");
}

BOOST_FIXTURE_TEST_CASE(summaries_change_where_they_are_or_move_to_a_started_page, summaries) {
  apply(brin(same_page, 0, payload().put<u16>(1), "a summary that takes more room"), 400);
  BOOST_TEST(item_text(1, 0) == "a summary that takes more room");
  BOOST_TEST(item_text(3, 0) == "third");
  apply(announced(brin(update | starts_page, 0, update_main(3, 1), "moved")), 500);
  BOOST_TEST(view().item_count() == 1);
  BOOST_TEST(item_text(1, 0) == "moved");
}

BOOST_FIXTURE_TEST_CASE(an_entry_of_the_map_is_found_by_range, range_map) {
  apply(brin(insert, 1, insert_main(4 * 1361, 4, 7)), 200);
  BOOST_TEST(entry(1) == core::bytes(payload().put<u16>(1).put<u16>(0x50).put<u16>(7)),
             boost::test_tools::per_element());
  apply(brin(update, 1, payload().put<u16>(1).put<u16>(0).put_bytes(insert_main(1359, 1, 8))), 300);
  BOOST_TEST(bytes[8182] == 8);
  apply(brin(desummarize, 0, payload().put<u32>(4).put<u32>(4).put<u16>(7)), 400);
  BOOST_TEST(entry(1) == core::bytes(payload().put<u32>(0xFFFFFFFF).put<u16>(0)), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_meta_page_knows_the_last_page_of_the_map) {
  test_page meta;
  meta.apply(announced(brin(create, 0, payload().put<u32>(128).put<u16>(1))), 100);
  BOOST_TEST(meta.view().body().load<u32>(0) == 0xA8109CFAu);
  BOOST_TEST(meta.view().body().load<u32>(4) == 1u);
  BOOST_TEST(meta.view().body().load<u32>(8) == 128u);
  meta.view().set_lower(24);  // as an old version left it
  meta.apply(brin(extend_map, 0, payload().put<u32>(3)), 200);
  BOOST_TEST(meta.view().body().load<u32>(12) == 3u);
  BOOST_TEST(meta.view().lower() == 40);
  BOOST_TEST(meta.view().special_area(8).load<u16>(6) == 0xF091);
}

BOOST_FIXTURE_TEST_CASE(malformed_changes_of_summaries_are_refused, summaries) {
  const auto refused = [&](const sample& of) {
    auto page = *this;
    return page.refusal(of, 900) == core::errc::corrupt;
  };
  BOOST_TEST(refused(brin(insert, 0, insert_main(0, 1, 2), "in use")));
  for (const u16 at : {0, 5, 0xFFFF}) BOOST_TEST(refused(brin(insert, 0, insert_main(0, 1, at), "nowhere")));
  BOOST_TEST(refused(brin(insert, 0, insert_main(0, 1, 4))));
  BOOST_TEST(refused(brin(insert, 0, insert_main(0, 1, 4), std::string(8136, 'x'))));
  BOOST_TEST(refused(brin(insert | starts_page, 0, insert_main(0, 1, 1), "not announced")));
  BOOST_TEST(refused(announced(brin(insert, 0, insert_main(0, 1, 1), "not started"))));
  BOOST_TEST(refused(brin(insert, 0, payload().put<u32>(0).put<u32>(1), "short")));
  BOOST_TEST(refused(brin(insert, 3, insert_main(0, 1, 4))));
  for (const u16 at : {0, 4}) BOOST_TEST(refused(brin(update, 2, update_main(at, 1))));
  BOOST_TEST(refused(brin(same_page, 0, payload().put<u16>(1))));
  BOOST_TEST(refused(brin(same_page, 0, payload().put<u16>(4), "no such item")));
  BOOST_TEST(refused(brin(same_page, 0, payload().put<u16>(1), std::string(8136, 'x'))));
  BOOST_TEST(refused(brin(extend_map, 0, payload().put<u32>(3))));  // not the meta page
  BOOST_TEST(refused(brin(insert, 1, insert_main(0, 1, 1))));       // not a page of the map
  apply(brin(update, 2, update_main(2, 1)), 400);
  BOOST_TEST(refused(brin(update, 2, update_main(2, 1))));  // removed before
}

BOOST_FIXTURE_TEST_CASE(malformed_changes_of_the_map_are_refused, range_map) {
  BOOST_TEST(refusal(brin(insert, 1, insert_main(1, 0, 1)), 200) == core::errc::corrupt);
  BOOST_TEST(
      (refusal(brin(desummarize, 0, payload().put<u32>(0).put<u32>(1).put<u16>(1)), 200) == core::errc::corrupt));
  BOOST_TEST(refusal(brin(insert, 0, insert_main(0, 1, 1), "a summary"), 200) == core::errc::corrupt);
  view().special_area(8).store<u16>(6, 0xF092);
  core::store_le<u16>(bytes.data() + 14, 4000);  // the special area is where the last entries should be
  core::store_le<u16>(bytes.data() + 16, 4000);
  core::store_le<u16>(bytes.data() + 4006, 0xF092);
  BOOST_TEST(refusal(brin(insert, 1, insert_main(1000, 1, 1)), 200) == core::errc::corrupt);
}

BOOST_AUTO_TEST_SUITE_END()
