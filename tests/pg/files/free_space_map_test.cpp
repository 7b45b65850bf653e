#include "pg/files/free_space_map.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <optional>

#include "pg/page/page.hpp"

using namespace strata;
using namespace strata::pg::files;

namespace {

constexpr std::size_t tree_at = 28;

/// The pages of a map as its file has them, read the way a server looks for space.
struct written_map {
  explicit written_map(const free_space_map& of) : content(of.pages() * pg::page_size, 0xEE) {
    for (pg::block_number i = 0; i < of.pages(); ++i)
      of.write_page(i, core::bytes_span(content).subspan(i * pg::page_size, pg::page_size));
  }
  [[nodiscard]] std::uint8_t node(pg::block_number page, std::size_t at) const {
    return content.at(page * pg::page_size + tree_at + at);
  }
  [[nodiscard]] std::uint8_t slot(pg::block_number page, std::size_t at) const {
    return node(page, free_space_inner_nodes + at);
  }
  [[nodiscard]] std::uint8_t category_of(pg::block_number heap_block) const {
    return slot(free_space_leaf_of(heap_block), heap_block % free_space_slots);
  }
  /// A slot of one page that has this much, found through the nodes above it.
  [[nodiscard]] std::optional<std::size_t> find_slot(pg::block_number page, std::uint8_t wanted) const {
    std::size_t at = 0;
    if (node(page, at) < wanted) return std::nullopt;
    while (at < free_space_inner_nodes) {
      at = 2 * at + 1;
      if (node(page, at) < wanted) ++at;
      BOOST_REQUIRE(at < free_space_inner_nodes + free_space_slots);
      BOOST_REQUIRE(node(page, at) >= wanted);
    }
    return at - free_space_inner_nodes;
  }
  /// The first heap block that has this much, through all three levels.
  [[nodiscard]] std::optional<pg::block_number> find(std::uint8_t wanted) const {
    const auto middle = find_slot(0, wanted);
    if (!middle) return std::nullopt;
    const auto lowest = static_cast<pg::block_number>(*middle * free_space_slots);
    const auto leaf = find_slot(free_space_leaf_of(lowest * free_space_slots) - 1, wanted);
    BOOST_REQUIRE(leaf);
    const auto first = static_cast<pg::block_number>((lowest + *leaf) * free_space_slots);
    const auto block = find_slot(free_space_leaf_of(first), wanted);
    BOOST_REQUIRE(block);
    return static_cast<pg::block_number>(first + *block);
  }
  core::bytes content;
};

core::bytes page_with(std::uint16_t lower, std::uint16_t upper, std::uint16_t special = pg::page_size) {
  core::bytes page(pg::page_size);
  pg::page::slotted_page(page).init(0);
  core::store_le(page.data() + 12, lower);
  core::store_le(page.data() + 14, upper);
  core::store_le(page.data() + 16, special);
  return page;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_free_space_map)

BOOST_AUTO_TEST_CASE(a_category_is_32_bytes_and_the_highest_two_are_special) {
  BOOST_TEST(free_space_category(0) == 0);
  BOOST_TEST(free_space_category(31) == 0);
  BOOST_TEST(free_space_category(32) == 1);
  BOOST_TEST(free_space_category(8127) == 253);
  BOOST_TEST(free_space_category(8128) == 254);
  BOOST_TEST(free_space_category(8159) == 254);
  BOOST_TEST(free_space_category(8160) == 255);
  BOOST_TEST(free_space_category(8192) == 255);
}

BOOST_AUTO_TEST_CASE(a_page_has_free_what_is_between_line_pointers_and_tuples_less_one_line_pointer) {
  BOOST_TEST(heap_free_space(core::bytes(pg::page_size)) == 8168u);
  BOOST_TEST(heap_free_space(page_with(24, 8192)) == 8164u);
  BOOST_TEST(heap_free_space(page_with(124, 1124)) == 996u);
  BOOST_TEST(heap_free_space(page_with(124, 128)) == 0u);
  BOOST_TEST(heap_free_space(page_with(124, 127)) == 0u);
  BOOST_TEST(heap_free_space(page_with(124, 124)) == 0u);
}

BOOST_AUTO_TEST_CASE(a_header_without_sense_has_no_free_space) {
  BOOST_TEST(heap_free_space(page_with(23, 8000)) == 0u);
  BOOST_TEST(heap_free_space(page_with(24, 8193)) == 0u);
  BOOST_TEST(heap_free_space(page_with(8000, 100)) == 0u);
  BOOST_TEST(heap_free_space(core::bytes(pg::page_size, 0xFF)) == 0u);
}

BOOST_AUTO_TEST_CASE(a_page_with_as_many_line_pointers_as_it_may_have_needs_an_unused_one) {
  const auto full_of = [](std::size_t lines, pg::page::item_state state) {
    core::bytes page = page_with(static_cast<std::uint16_t>(24 + 4 * lines), 4000);
    pg::page::slotted_page items(page);
    for (pg::page::item_number i = 1; i <= lines; ++i) items.set_pointer(i, pg::page::line_pointer().in_state(state));
    return page;
  };
  BOOST_TEST(heap_free_space(full_of(290, pg::page::item_state::dead)) == 4000u - 24 - 4 * 290 - 4);
  core::bytes full = full_of(291, pg::page::item_state::dead);
  BOOST_TEST(heap_free_space(full) == 0u);
  pg::page::slotted_page(full).set_flag(pg::page::has_free_lines);
  BOOST_TEST(heap_free_space(full) == 0u);
  pg::page::slotted_page(full).set_pointer(200, {});
  BOOST_TEST(heap_free_space(full) == 4000u - 24 - 4 * 291 - 4);
  pg::page::slotted_page(full).set_flag(pg::page::has_free_lines, false);
  BOOST_TEST(heap_free_space(full) == 0u);
}

BOOST_AUTO_TEST_CASE(pages_are_in_depth_first_order) {
  BOOST_TEST(free_space_leaf_of(4068) == 2u);
  BOOST_TEST(free_space_leaf_of(4069) == 3u);
  BOOST_TEST(free_space_leaf_of(4069u * 4069 - 1) == 4070u);
  BOOST_TEST(free_space_leaf_of(4069u * 4069) == 4072u);
  BOOST_TEST(free_space_leaf_of(0xFFFFFFFE) == 0xFFFFFFFEu / 4069 + 0xFFFFFFFEu / 4069 / 4069 + 2);
}

BOOST_AUTO_TEST_CASE(a_map_is_as_long_as_its_table_needs) {
  BOOST_TEST(free_space_map({}).pages() == 0u);
  BOOST_TEST(free_space_map(std::vector<std::uint8_t>(1)).pages() == 3u);
  BOOST_TEST(free_space_map(std::vector<std::uint8_t>(4069)).pages() == 3u);
  BOOST_TEST(free_space_map(std::vector<std::uint8_t>(4070)).pages() == 4u);
  BOOST_TEST(free_space_map(std::vector<std::uint8_t>(4069u * 4069)).pages() == 4071u);
  BOOST_TEST(free_space_map(std::vector<std::uint8_t>(4069u * 4069 + 1)).pages() == 4073u);
  BOOST_TEST(free_space_map({}).empty());
  BOOST_TEST(free_space_map(std::vector<std::uint8_t>(5000)).empty());
  BOOST_TEST(!free_space_map({0, 0, 1}).empty());
}

BOOST_AUTO_TEST_CASE(a_page_has_a_header_like_any_other) {
  core::bytes page(pg::page_size, 0xEE);
  free_space_map({7}).write_page(2, page);
  BOOST_TEST(std::all_of(page.begin(), page.begin() + 12, [](std::uint8_t byte) { return byte == 0; }));
  BOOST_TEST(core::load_le<std::uint16_t>(page.data() + 12) == 24);
  BOOST_TEST(core::load_le<std::uint16_t>(page.data() + 14) == 8192);
  BOOST_TEST(core::load_le<std::uint16_t>(page.data() + 16) == 8192);
  BOOST_TEST(core::load_le<std::uint16_t>(page.data() + 18) == 0x2004);
  BOOST_TEST(core::load_le<std::uint32_t>(page.data() + 24) == 0u);
  BOOST_TEST(page[tree_at] == 7);
  BOOST_TEST(page[tree_at + 4095] == 7);
  BOOST_TEST(page[tree_at + 4096] == 0);
}

BOOST_AUTO_TEST_CASE(every_category_comes_back_and_every_node_is_the_larger_of_its_children) {
  std::vector<std::uint8_t> categories(3 * 4069 + 17);
  for (std::size_t i = 0; i < categories.size(); ++i) categories[i] = static_cast<std::uint8_t>(i * 7 % 251);
  const written_map map{free_space_map(categories)};
  for (pg::block_number block = 0; block < categories.size(); ++block)
    BOOST_REQUIRE(map.category_of(block) == categories[block]);
  const pg::block_number pages = free_space_map(categories).pages();
  BOOST_TEST(pages == 6u);
  for (pg::block_number page = 0; page < pages; ++page)
    for (std::size_t at = 0; at < free_space_inner_nodes; ++at) {
      std::uint8_t larger = 0;
      for (const std::size_t child : {2 * at + 1, 2 * at + 2})
        if (child < free_space_inner_nodes + free_space_slots) larger = std::max(larger, map.node(page, child));
      BOOST_REQUIRE(map.node(page, at) == larger);
    }
  for (pg::block_number leaf = 0; leaf < 4; ++leaf) BOOST_TEST(map.slot(1, leaf) == map.node(2 + leaf, 0));
  BOOST_TEST(map.slot(0, 0) == map.node(1, 0));
  BOOST_TEST(map.slot(0, 1) == 0);
  // Behind the last block there is nothing.
  for (std::size_t slot = 17; slot < free_space_slots; ++slot) BOOST_REQUIRE(map.slot(5, slot) == 0);
}

BOOST_AUTO_TEST_CASE(space_is_found_from_the_root_on_both_sides_of_every_boundary) {
  constexpr pg::block_number second_middle = 4069u * 4069;
  for (const pg::block_number block :
       {0u, 1u, 4068u, 4069u, 4070u, second_middle - 1, second_middle, second_middle + 4069}) {
    std::vector<std::uint8_t> categories(second_middle + 2 * 4069);
    categories[block] = 200;
    const free_space_map map(std::move(categories));
    const written_map written(map);
    BOOST_TEST(written.find(200).value() == block);
    BOOST_TEST(written.find(1).value() == block);
    BOOST_TEST(!written.find(201));
  }
}

BOOST_AUTO_TEST_CASE(only_pages_without_special_area_are_of_a_table) {
  const core::bytes fresh(pg::page_size);
  free_space_survey table(3);
  table.add(fresh);
  BOOST_TEST(!table.of_table());
  table.add(page_with(24, 8192));
  table.add(page_with(24, 132));
  BOOST_TEST(table.of_table());
  const written_map map(table.take_map());
  BOOST_TEST(map.category_of(0) == 255);
  BOOST_TEST(map.category_of(1) == 255);
  BOOST_TEST(map.category_of(2) == 104 / 32);
  BOOST_TEST(map.category_of(3) == 0);

  free_space_survey index(2);
  index.add(page_with(24, 8176, 8176));
  index.add(fresh);
  BOOST_TEST(!index.of_table());
  free_space_survey nothing(2);
  nothing.add(fresh);
  BOOST_TEST(!nothing.of_table());
}

BOOST_AUTO_TEST_SUITE_END()
