#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/pg/redo/spgist_sample.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_spgist)

using namespace strata;
using namespace strata::tests;
using namespace strata::tests::spgist;

BOOST_FIXTURE_TEST_CASE(a_leaf_tuple_joins_a_chain_or_replaces_a_dead_one, leaves) {
  BOOST_TEST(counter(0) == 0x04);
  BOOST_TEST(counter(6) == 0xFF82);
  BOOST_TEST(item_field<u16>(1, 4) == 4);
  view().item(1).store<u16>(4, 0xC004);  // the two other bits stay
  apply(insert_leaf(5, 1, leaf(5)), 200);
  BOOST_TEST(item_field<u16>(1, 4) == 0xC005);
  apply(insert_leaf(2, 2, leaf(77)), 208);
  BOOST_TEST(view().item_count() == 5);
  BOOST_TEST(item_field<std::uint64_t>(2, 16) == 77u);
}

BOOST_FIXTURE_TEST_CASE(the_item_listed_first_becomes_the_redirect, leaves) {
  apply(move({3, 1}, {6, 7, 8}, 0), 200);
  check_nowhere(1, placeholder);
  BOOST_TEST(state_of(2) == live);
  check_redirect(3, 1, 8);
  BOOST_TEST(redirects() == 1);
  BOOST_TEST(placeholders() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_build_leaves_placeholders_only, leaves) {
  auto split = *this;
  apply(move({2, 1, 3}, {6, 7, 8, 9}, 0, true), 200);
  for (const u16 at : {u16{1}, u16{2}, u16{3}}) check_nowhere(at, placeholder);
  BOOST_TEST(redirects() == 0);
  BOOST_TEST(placeholders() == 3);

  split.apply(split_chain({1, 4}, {1, 7, 5}, 0, true), 200);  // the second leaf goes to the other page
  BOOST_TEST(split.view().item_count() == 5);
  BOOST_TEST(split.item_field<std::uint64_t>(1, 16) == 200u);
  BOOST_TEST(split.item_field<std::uint64_t>(5, 16) == 202u);
  split.check_nowhere(4, placeholder);
  BOOST_TEST(split.placeholders() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_moved_chain_takes_the_places_of_placeholders, leaves) {
  apply(move({2, 3}, {9, 9, 9}, 0, true), 200);
  apply(move({1, 2}, {3, 5, 2}, 1), 208);
  BOOST_TEST(placeholders() == 0);
  BOOST_TEST(view().item_count() == 5);
  BOOST_TEST(item_field<std::uint64_t>(3, 16) == 100u);
  BOOST_TEST(item_field<std::uint64_t>(2, 16) == 102u);
}

BOOST_FIXTURE_TEST_CASE(a_node_is_added_elsewhere_with_the_parent_on_any_of_three_pages, inners) {
  for (const bool build : {false, true}) {
    for (const u8 parent_block : {u8{0}, u8{1}, u8{2}}) {
      auto old_page = *this, new_page = *this, third = *this;
      old_page.apply(grow(2, 3, parent_block, 0, false, build), 200);
      if (build)
        old_page.check_nowhere(2, placeholder);
      else
        old_page.check_redirect(2, 1, 3);
      BOOST_TEST(old_page.redirects() == (build ? 0 : 1));
      BOOST_TEST(old_page.placeholders() == (build ? 1 : 0));
      old_page.check_node(1, 1, parent_block == 0 ? 1 : 0xFFFF, parent_block == 0 ? 3 : 0);
      new_page.apply(grow(2, 3, parent_block, 1, false, build), 200);
      BOOST_TEST(new_page.view().item_count() == 3);
      new_page.check_node(1, 1, parent_block == 1 ? 1 : 0xFFFF, parent_block == 1 ? 3 : 0);
      if (parent_block != 2) {
        third.refuse(grow(2, 3, parent_block, 2));
        continue;
      }
      third.apply(grow(2, 3, 2, 2), 200);
      third.check_node(1, 1, 1, 3);
      third.check_node(1, 0, 0xFFFF, 0);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(vacuum_moves_the_next_live_tuple_into_the_slot_of_the_first, leaves) {
  apply(vacuum({2}, {4}, {3}, {1}, {1}, {0}), 200);
  BOOST_TEST(item_field<std::uint64_t>(1, 16) == 3u);
  BOOST_TEST(item_field<u16>(1, 4) == 0);
  check_nowhere(2, dead);
  check_nowhere(3, placeholder);
  check_nowhere(4, placeholder);
  BOOST_TEST(placeholders() == 2);
  BOOST_TEST(redirects() == 0);
}

BOOST_FIXTURE_TEST_CASE(old_redirects_become_placeholders_and_those_at_the_end_go, leaves) {
  apply(move({2}, {6, 7}, 0), 200);
  apply(move({3, 4}, {8, 9, 10}, 0), 208);
  auto newer = *this;
  newer.context.major = pg::major_version::v16;
  newer.refuse(forget({2, 3}, 3));
  refuse(forget({2, 3}, 3, true));
  newer.apply(forget({2, 3}, 3, true), 300);
  apply(forget({2, 3}, 3), 300);
  BOOST_TEST((bytes == newer.bytes));
  BOOST_TEST(view().item_count() == 2);
  BOOST_TEST(redirects() == 0);
  BOOST_TEST(placeholders() == 1);
  BOOST_TEST(state_of(2) == placeholder);
  BOOST_TEST(item_field<std::uint32_t>(2, 6) == 0xFFFFFFFF);
  BOOST_TEST(item_field<std::uint32_t>(2, 12) == redirect_xid);
}

BOOST_FIXTURE_TEST_CASE(records_that_do_not_fit_the_page_are_refused, leaves) {
  refuse(insert_leaf(2, 1, leaf(9)), 1);                            // not a placeholder
  refuse(insert_leaf(6, 1, leaf(9)), 2);                            // a gap
  refuse(insert_leaf(5, 9, leaf(9)), 3);                            // no such first item
  refuse(insert_leaf(5, 1, core::bytes(12)), 4);                    // a tuple of size 0
  refuse(insert_leaf(5, 1, payload().put<std::uint32_t>(~0u)), 5);  // and of 1 GiB
  refuse(move({1, 1}, {6, 7, 8}, 0), 6);
  refuse(move({0}, {6, 7}, 0), 7);
  refuse(move({1, 5}, {6, 7, 8}, 0), 8);
  refuse(move({1}, {5, 6}, 3), 9);
  refuse(move({1}, {5, 6}, 1, false, true), 10);  // one tuple too many
  refuse(split_chain({1}, {}, 0, false, true), 11);
  refuse(split_chain({1}, {5}, 4), 12);
  refuse(vacuum({}, {}, {5}, {1}, {}, {}), 13);
  refuse(vacuum({}, {}, {}, {}, {5}, {0}), 14);
  refuse(forget({1}, 0), 15);
  refuse(forget({}, 5), 16);
  refuse(record_of(vacuum_root, payload().put<u16>(2).put<u16>(0).put_bytes(writer()).put<u16>(2).put<u16>(1)), 17);
  inners upper;
  upper.refuse(grow(2, 3, 1, 1, false, false, 3), 18);
  upper.refuse(grow(2, 3, 1, 3), 19);
  upper.view().item(1).store<u16>(16 + 6, 0);  // a node without size
  upper.refuse(grow(2, 3, 1, 1), 20);
  upper.view().item(1).store<u16>(16 + 6, 8000);
  upper.refuse(grow(2, 3, 1, 1), 21);
  upper.refuse(record_of(split_tuple,
                         payload().put<u16>(1).put<u16>(3).put<u16>(0).put_bytes(inner(1)).put_bytes(core::bytes(8))),
               22);
  view().special_area(8).store<u16>(6, 0xFF81);
  refuse(move({1}, {5, 6}, 0), 23);
}

BOOST_FIXTURE_TEST_CASE(truncated_lengthened_and_damaged_records_do_no_harm, leaves) {
  apply(move({4}, {6, 7}, 0), 200);
  const core::bytes two_inners =
      payload().put<u16>(1).put<u16>(5).put<u16>(0x0100).put_bytes(inner(1)).put_bytes(inner(2));
  const std::vector<sample> all{
      insert_leaf(5, 1, leaf(9)),
      move({1}, {5, 6}, 1),
      grow(1, 5, 2, 1),
      grow(1, 5, 2, 0),
      split_chain({2}, {2, 5, 5}, 0, true),
      vacuum({}, {1}, {2}, {3}, {3}, {0}),
      forget({4}, 4),
      record_of(split_tuple, two_inners),
      record_of(vacuum_root, payload().put<u16>(1).put<u16>(0).put_bytes(writer()).put<u16>(2))};
  std::mt19937 random(11);
  int accepted = 0, refused = 0;
  for (const sample& whole : all) {
    auto changed = *this;
    changed.apply(whole, 300);
    sample of = whole;
    of.main_data.push_back(0);
    refuse(of);
    for (of.main_data = whole.main_data; !of.main_data.empty();) {
      of.main_data.pop_back();
      refuse(of);
    }
    for (int round = 0; round < 3000; ++round) {
      auto page = *this;
      of.main_data = whole.main_data;
      for (unsigned i = random() % 3 + 1; i > 0; --i)
        of.main_data[random() % of.main_data.size()] = static_cast<u8>(random());
      if (round % 3 == 0)
        page.bytes[random() % 2 == 0 ? 10 + random() % 40 : random() % 8192] = static_cast<u8>(random());
      const bool fits = page.try_apply(of, 300).has_value();
      if (fits) page.view().require_sane_header();
      ++(fits ? accepted : refused);
    }
  }
  BOOST_TEST(accepted > 1000);
  BOOST_TEST(refused > 1000);
}

BOOST_AUTO_TEST_SUITE_END()
