#include <boost/test/unit_test.hpp>

#include "tests/pg/redo/gin_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_gin)

namespace {

using namespace strata;
using namespace strata::tests;
namespace redo = pg::redo;

constexpr std::uint16_t leaf_flags = redo::gin_data | redo::gin_leaf | redo::gin_compressed;

core::bytes together(std::initializer_list<core::bytes> parts) {
  core::bytes all;
  for (const core::bytes& part : parts) core::append(all, part);
  return all;
}

sample gin(std::uint8_t info, core::bytes main, core::bytes data = {}) {
  return {
      .manager = pg::wal::resource_manager::gin, .info = info, .main_data = std::move(main), .data = std::move(data)};
}

/// A page of some kind, with what the tests ask of it.
struct gin_page : test_page {
  explicit gin_page(std::uint16_t flags = 0, std::uint16_t count = 0) {
    view().init(8);
    special().store<std::uint32_t>(0, pg::invalid_block);
    special().store(4, count);
    special().store(6, flags);
  }
  [[nodiscard]] pg::page::window special() { return view().special_area(8); }
  std::uint16_t flags() { return special().load<std::uint16_t>(6); }
  std::uint16_t count() { return special().load<std::uint16_t>(4); }
  std::uint32_t right() { return special().load<std::uint32_t>(0); }
  core::bytes content() {
    const auto used = view().body().part(8, view().lower() - 32u).view();
    return {used.begin(), used.end()};
  }
};

/// A leaf of a posting tree with three segments.
struct posting_leaf : gin_page {
  tids first{tid(0, 1), tid(0, 2), tid(3, 1)}, second{tid(4, 1)}, third{tid(9, 9), tid(9, 10)};
  posting_leaf() {
    const core::bytes segments = together({segment_of(first), segment_of(second), segment_of(third)});
    sample create = gin(0x10, payload().put(static_cast<std::uint32_t>(segments.size())).put_bytes(segments));
    create.will_init = true;
    apply(create, 100);
  }
  static sample changes(std::uint16_t actions, core::bytes_view described) {
    return gin(0x20, payload().put<std::uint16_t>(3), payload().put(actions).put_bytes(described));
  }
  core::errc refuses(std::uint16_t actions, core::bytes_view described) {
    return posting_leaf().refusal(changes(actions, described), 200);
  }
};

core::bytes change(std::uint8_t segment, std::uint8_t action, const core::bytes& rest = {}) {
  return payload().put(segment).put(action).put_bytes(rest);
}
core::bytes add(std::uint8_t segment, const tids& all) {
  return change(segment, 4, payload().put(static_cast<std::uint16_t>(all.size())).put_bytes(plain(all)));
}

/// An inner page of a posting tree: children 11, 12 and so on.
struct posting_inner : gin_page {
  explicit posting_inner(std::uint16_t children) : gin_page(redo::gin_data, children) {
    for (std::uint16_t i = 0; i < children; ++i) view().body().write(8 + i * 10u, item(11u + i, i));
    view().set_lower(32 + children * 10u);
  }
  static core::bytes item(std::uint16_t child, std::uint16_t key) {
    return payload().put<std::uint16_t>(0).put(child).put_bytes(plain({tid(key, 1)}));
  }
  std::vector<int> children() {
    std::vector<int> all;
    for (std::size_t at = 10; at + 8 <= view().lower() - 24u; at += 10)
      all.push_back(view().body().load<std::uint16_t>(at));
    return all;
  }
  static sample insert(std::uint16_t at) {
    const core::bytes main =
        payload().put<std::uint16_t>(1).put<std::uint32_t>(0).put<std::uint16_t>(0).put<std::uint16_t>(99);
    return gin(0x20, main, payload().put(at).put_bytes(item(77, 5)));
  }
};

core::bytes entry(std::uint16_t child, std::uint64_t key) {
  return payload().put<std::uint16_t>(0).put(child).put<std::uint16_t>(1).put<std::uint16_t>(16).put(key);
}

core::bytes update_meta(std::uint32_t previous_tail, std::uint32_t new_right, std::int32_t tuples) {
  return payload()
      .put_bytes(core::bytes(16))
      .put_bytes(core::bytes(56, 7))
      .put(previous_tail)
      .put(new_right)
      .put(tuples);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_leaf_is_rewritten_segment_by_segment, posting_leaf) {
  BOOST_TEST(flags() == leaf_flags);
  BOOST_TEST(right() == pg::invalid_block);
  const core::bytes fresh = segment_of({tid(3, 3), tid(3, 4)});
  apply(changes(3, together({add(0, {tid(0, 2), tid(1, 1), tid(3, 2)}), change(1, 2, fresh), change(2, 1)})), 200);
  const tids merged{tid(0, 1), tid(0, 2), tid(1, 1), tid(3, 1), tid(3, 2)};
  BOOST_TEST((content() == together({segment_of(merged), fresh, segment_of(second)})));

  // At the end: one more segment behind the last, and the first one replaced.
  apply(changes(2, together({change(0, 3, segment_of(second)), change(3, 2, segment_of(third))})), 300);
  BOOST_TEST((content() == together({segment_of(second), fresh, segment_of(second), segment_of(third)})));
  sample vacuum = changes(4, together({change(0, 1), change(1, 1), change(2, 1), change(3, 1)}));
  vacuum.info = 0x90;
  apply(vacuum, 400);
  BOOST_TEST(content().empty());
  BOOST_TEST(view().lower() == 32);
}

BOOST_FIXTURE_TEST_CASE(malformed_changes_of_a_leaf_are_refused, posting_leaf) {
  const auto corrupt = core::errc::corrupt;
  BOOST_TEST((refuses(1, change(3, 1)) == corrupt));                            // no such segment
  BOOST_TEST((refuses(1, change(200, 2, segment_of(first))) == corrupt));       // not even one to insert before
  BOOST_TEST((refuses(2, together({change(1, 1), change(0, 1)})) == corrupt));  // backwards
  BOOST_TEST((refuses(1, change(0, 5)) == corrupt));                            // unknown
  BOOST_TEST((refuses(2, change(0, 1)) == corrupt));                            // too few
  BOOST_TEST((refuses(1, together({change(0, 1), {0}})) == corrupt));           // too many
  BOOST_TEST((refuses(1, change(0, 3, core::bytes(7))) == corrupt));            // half a segment
  BOOST_TEST((refuses(1, change(0, 4, payload().put<std::uint16_t>(60000))) == corrupt));
  BOOST_TEST((refuses(1, add(0, {tid(2, 2), tid(2, 1)})) == corrupt));  // not sorted
  core::bytes wide;
  for (int i = 0; i < 60; ++i) core::append(wide, change(0, 2, raw_segment(core::bytes(200, 1))));
  BOOST_TEST((refuses(60, wide) == corrupt));  // more than a page
  view().set_lower(24);
  BOOST_TEST((refusal(changes(1, change(0, 1)), 200) == corrupt));
  gin_page other(redo::gin_leaf);
  BOOST_TEST((other.refusal(changes(0, {}), 200) == corrupt));
}

BOOST_AUTO_TEST_CASE(a_leaf_of_before_9_4_is_compressed_first) {
  const tids old{tid(1, 1), tid(1, 2), tid(7, 3)};
  gin_page page(redo::gin_data | redo::gin_leaf, 3);
  page.view().body().write(8, plain(old));
  gin_page empty(redo::gin_data | redo::gin_leaf), damaged(redo::gin_data | redo::gin_leaf, 1400);
  page.apply(posting_leaf::changes(1, add(0, {tid(2, 2)})), 200);
  BOOST_TEST((page.content() == segment_of({tid(1, 1), tid(1, 2), tid(2, 2), tid(7, 3)})));
  BOOST_TEST(page.flags() == leaf_flags);
  BOOST_TEST(page.count() == 0);
  empty.apply(posting_leaf::changes(1, change(0, 2, segment_of(old))), 200);
  BOOST_TEST((empty.content() == segment_of(old)));
  BOOST_TEST(damaged.refusal(posting_leaf::changes(0, {}), 200) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_split_child_gets_a_second_item_in_its_parent) {
  posting_inner page(3);
  page.apply(posting_inner::insert(2), 200);
  BOOST_TEST(page.children() == (std::vector{11, 77, 99, 13}), boost::test_tools::per_element());
  BOOST_TEST(page.count() == 4);
  for (const std::uint16_t at : {0, 5}) BOOST_TEST(page.refusal(posting_inner::insert(at), 300) == core::errc::corrupt);
  posting_inner full(815);
  BOOST_TEST(full.refusal(posting_inner::insert(1), 300) == core::errc::corrupt);
  full.special().store<std::uint16_t>(4, 60000);
  BOOST_TEST(full.refusal(posting_inner::insert(50000), 300) == core::errc::corrupt);

  gin_page child(redo::gin_data | redo::gin_incomplete_split);
  sample finish = posting_inner::insert(2);
  finish.block_id = 1;
  finish.reference(1, 6);
  child.apply(finish, 200);
  BOOST_TEST(child.flags() == redo::gin_data);
}

BOOST_AUTO_TEST_CASE(a_deleted_page_leaves_its_parent_and_its_left_neighbour) {
  const auto remove = [](std::uint16_t parent_at, std::uint8_t block_id) {
    sample made = gin(0x50, payload().put<std::uint32_t>(parent_at).put<std::uint32_t>(42).put<std::uint32_t>(777));
    made.block_id = block_id;
    return made.reference(1, 6).reference(2, 7);
  };
  posting_leaf page;
  page.apply(remove(2, 0), 200);
  BOOST_TEST(page.flags() == (leaf_flags | redo::gin_deleted));
  BOOST_TEST(page.view().prune_xid() == 777u);
  posting_inner parent(3);
  parent.apply(remove(2, 1), 200);
  parent.apply(remove(2, 1), 300);
  BOOST_TEST(parent.children() == std::vector{11}, boost::test_tools::per_element());
  for (const std::uint16_t at : {0, 2}) BOOST_TEST(parent.refusal(remove(at, 1), 400) == core::errc::corrupt);
  posting_leaf left;
  left.apply(remove(2, 2), 200);
  BOOST_TEST(left.right() == 42u);
}

BOOST_AUTO_TEST_CASE(entries_replace_others_and_take_over_split_children) {
  gin_page leaf(redo::gin_leaf);
  const auto insert = [](std::uint16_t at, bool replaces, std::uint64_t key) {
    return gin(0x20, payload().put<std::uint16_t>(2),
               payload().put(at).put<std::uint16_t>(replaces).put_bytes(entry(1, key)));
  };
  leaf.apply(insert(1, false, 5), 200);
  leaf.apply(insert(2, false, 6), 210);
  leaf.apply(insert(1, true, 4), 220);
  BOOST_TEST(leaf.view().item_count() == 2);
  BOOST_TEST(leaf.item_field<std::uint64_t>(1, 8) == 4u);
  sample longer = insert(1, false, 5);
  longer.data.push_back(0);
  BOOST_TEST(leaf.refusal(longer, 300) == core::errc::corrupt);
  BOOST_TEST(leaf.refusal(insert(3, true, 5), 300) == core::errc::corrupt);
  BOOST_TEST(leaf.refusal(insert(4, false, 5), 300) == core::errc::corrupt);

  gin_page inner;
  inner.view().insert(1, entry(30, 9));
  sample into_inner = insert(1, false, 5);
  into_inner.main_data =
      payload().put<std::uint16_t>(0).put<std::uint32_t>(0).put<std::uint16_t>(1).put<std::uint16_t>(2);
  inner.apply(into_inner, 200);
  BOOST_TEST(redo::index_tuple::block(inner.view().item(1).view()) == 1u);
  BOOST_TEST(redo::index_tuple::block(inner.view().item(2).view()) == 0x10002u);
  BOOST_TEST(inner.item_field<std::uint16_t>(2, 4) == 0);
  into_inner.main_data.pop_back();
  BOOST_TEST(inner.refusal(into_inner, 300) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(of_a_split_only_the_finished_child_comes_without_an_image) {
  gin_page child(redo::gin_incomplete_split);
  sample split = gin(0x30, core::bytes(28));
  BOOST_TEST(child.refusal(split, 200) == core::errc::corrupt);
  split.block_id = 3;
  child.apply(split.reference(3, 8), 200);
  BOOST_TEST(child.flags() == 0);
  BOOST_TEST(child.refusal(gin(0x40, {}), 300) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(the_pending_list_grows_by_tuples_and_by_pages) {
  gin_page tail;
  sample list = gin(0x70, payload().put(pg::invalid_block).put<std::int32_t>(1), entry(1, 1));
  list.will_init = true;
  tail.apply(list, 200);
  BOOST_TEST(tail.flags() == (redo::gin_list | redo::gin_list_full_row));
  sample append = gin(0x60, update_meta(5, pg::invalid_block, 2), together({entry(2, 2), entry(3, 3)}));
  append.block_id = 1;
  tail.apply(append.reference(1, 6), 300);
  BOOST_TEST(tail.view().item_count() == 3);
  BOOST_TEST(tail.count() == 2);
  append.main_data = update_meta(5, pg::invalid_block, 3);
  BOOST_TEST(tail.refusal(append, 400) == core::errc::corrupt);
  append.main_data = update_meta(5, 42, 0);
  tail.apply(append, 500);
  BOOST_TEST(tail.right() == 42u);
  append.main_data = update_meta(pg::invalid_block, 42, 0);
  BOOST_TEST(tail.refusal(append, 600) == core::errc::corrupt);

  list.main_data = payload().put<std::uint32_t>(9).put<std::int32_t>(1);
  tail.apply(list, 700);
  BOOST_TEST(tail.flags() == redo::gin_list);
  BOOST_TEST(tail.right() == 9u);
  for (const std::int32_t count : {-1, 0, 2, 2000000000}) {
    list.main_data = payload().put<std::uint32_t>(9).put(count);
    BOOST_TEST(tail.refusal(list, 800) == core::errc::corrupt);
  }
}

BOOST_AUTO_TEST_CASE(list_pages_are_deleted_many_at_a_time) {
  sample deletion = gin(0x80, payload().put_bytes(core::bytes(56, 7)).put<std::int32_t>(16));
  deletion.will_init = true;
  gin_page meta;
  meta.apply(deletion, 200);
  BOOST_TEST(meta.flags() == redo::gin_meta);
  BOOST_TEST(meta.view().lower() == 80);
  BOOST_TEST(int{meta.bytes[79]} == 7);
  for (const std::uint8_t id : {16, 17}) {
    gin_page page(redo::gin_list);
    auto record = deletion.record();
    record.block_id = id;
    record.distant_own = {.present = true, .same_relation = true, .block = 30};
    BOOST_TEST(redo::apply(record, core::lsn(200), page.context, page.bytes).has_value() == (id == 16));
    if (id == 16) BOOST_TEST(page.flags() == redo::gin_deleted);
  }
}

BOOST_AUTO_TEST_SUITE_END()
