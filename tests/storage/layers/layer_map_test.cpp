#include "storage/layers/layer_map.hpp"

#include <boost/test/unit_test.hpp>

#include "storage/timeline/garbage_collection.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

core::page_key at_block(std::uint32_t block) { return {.relation = 1, .block = block}; }

layer_map::item delta(std::uint64_t number, std::uint32_t first, std::uint32_t end, std::uint64_t begin_lsn,
                      std::uint64_t end_lsn) {
  return {{.number = number,
           .level = 1,
           .keys = {at_block(first), at_block(end)},
           .begin = core::lsn(begin_lsn),
           .end = core::lsn(end_lsn),
           .size_bytes = 1},
          nullptr};
}
layer_map::item level0(std::uint64_t number, std::uint64_t begin_lsn, std::uint64_t end_lsn) {
  return {{.number = number,
           .keys = {core::page_key::min(), core::page_key::max()},
           .begin = core::lsn(begin_lsn),
           .end = core::lsn(end_lsn),
           .size_bytes = 1},
          nullptr};
}
layer_map::item image(std::uint64_t number, std::uint32_t first, std::uint32_t end, std::uint64_t at) {
  return {{.number = number,
           .kind = layer_kind::image,
           .level = 1,
           .keys = {at_block(first), at_block(end)},
           .begin = core::lsn(at),
           .end = core::lsn(at + 1),
           .size_bytes = 1},
          nullptr};
}

/// The numbers of the layers a read looks into, in order; the image last, as a negative number.
std::vector<std::int64_t> plan(const layer_map& map, std::uint32_t block, std::uint64_t at) {
  std::vector<std::int64_t> numbers;
  const auto found = map.find(at_block(block), core::lsn(at));
  map.deltas(at_block(block), found.floor(), core::lsn(at), [&](std::uint32_t index) {
    numbers.push_back(static_cast<std::int64_t>(map.layers()[index].record.number));
  });
  if (found.image != nullptr) numbers.push_back(-static_cast<std::int64_t>(found.image->record.number));
  return numbers;
}
using numbers = std::vector<std::int64_t>;
using removable = std::vector<std::uint64_t>;

removable sorted(removable found) {
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_layers_layer_map)

BOOST_AUTO_TEST_CASE(an_empty_map_finds_nothing) {
  const layer_map map;
  BOOST_TEST((plan(map, 5, 100) == numbers{}));
  BOOST_TEST(!map.images_cover({at_block(0), at_block(1)}, core::lsn(0), core::lsn(100), 0));
}

BOOST_AUTO_TEST_CASE(a_read_at_the_end_of_a_layer_uses_the_next_layer) {
  const layer_map map({delta(1, 0, 10, 100, 200), delta(2, 0, 10, 200, 300)});
  BOOST_TEST((plan(map, 5, 199) == numbers{1}));
  BOOST_TEST((plan(map, 5, 200) == numbers{2, 1}));
  BOOST_TEST((plan(map, 5, 99) == numbers{}));
}

BOOST_AUTO_TEST_CASE(key_ranges_are_half_open) {
  const layer_map map({delta(1, 0, 10, 100, 200), delta(2, 10, 20, 100, 200)});
  BOOST_TEST((plan(map, 9, 150) == numbers{1}));
  BOOST_TEST((plan(map, 10, 150) == numbers{2}));
  BOOST_TEST((plan(map, 20, 150) == numbers{}));
}

BOOST_AUTO_TEST_CASE(an_image_hides_layers_that_end_at_or_below_it) {
  const layer_map map({delta(1, 0, 10, 100, 200), image(2, 0, 10, 199), delta(3, 0, 10, 200, 300)});
  BOOST_TEST((plan(map, 5, 250) == numbers{3, -2}));
  BOOST_TEST((plan(map, 5, 199) == numbers{-2}));
  BOOST_TEST((plan(map, 5, 198) == numbers{1}));
}

BOOST_AUTO_TEST_CASE(an_image_inside_a_delta_is_its_floor) {
  const layer_map map({delta(1, 0, 10, 100, 300), image(2, 0, 10, 150)});
  BOOST_TEST((plan(map, 5, 250) == numbers{1, -2}));
  BOOST_TEST((plan(map, 5, 149) == numbers{1}));
  BOOST_TEST(map.find(at_block(5), core::lsn(250)).floor() == core::lsn(150));
}

BOOST_AUTO_TEST_CASE(level0_layers_cover_every_key_and_come_newest_first) {
  const layer_map map({level0(3, 300, 400), level0(4, 400, 500), delta(1, 0, 10, 100, 300)});
  BOOST_TEST((plan(map, 5, 450) == numbers{4, 3, 1}));
  BOOST_TEST((plan(map, 50, 450) == numbers{4, 3}));
  BOOST_TEST((plan(map, 50, 350) == numbers{3}));
}

BOOST_AUTO_TEST_CASE(overlapping_key_ranges_are_cut_into_intervals) {
  const layer_map map({delta(1, 0, 10, 100, 101), delta(2, 5, 15, 100, 101), image(3, 8, 12, 400)});
  BOOST_TEST((plan(map, 4, 200) == numbers{1}));
  BOOST_TEST((plan(map, 5, 200) == numbers{2, 1}));
  BOOST_TEST((plan(map, 12, 200) == numbers{2}));
  BOOST_TEST((plan(map, 9, 500) == numbers{-3}));
}

BOOST_AUTO_TEST_CASE(a_changed_map_leaves_the_old_one_alone) {
  const layer_map before({delta(1, 0, 10, 100, 200), delta(2, 0, 10, 200, 300)});
  const std::uint64_t gone[] = {1};
  const layer_map after = before.changed(gone, {delta(7, 0, 10, 300, 400)});
  BOOST_TEST((plan(before, 5, 500) == numbers{2, 1}));
  BOOST_TEST((plan(after, 5, 500) == numbers{7, 2}));
}

BOOST_AUTO_TEST_CASE(images_cover_a_range_only_without_a_hole) {
  const layer_map map({image(1, 0, 10, 100), image(2, 10, 20, 120)});
  BOOST_TEST(map.images_cover({at_block(0), at_block(20)}, core::lsn(100), core::lsn(120), 0));
  BOOST_TEST(!map.images_cover({at_block(0), at_block(21)}, core::lsn(100), core::lsn(120), 0));
  BOOST_TEST(!map.images_cover({at_block(0), at_block(20)}, core::lsn(101), core::lsn(120), 0));
  BOOST_TEST(!map.images_cover({at_block(0), at_block(20)}, core::lsn(100), core::lsn(119), 0));
  BOOST_TEST(map.images_cover({at_block(3), at_block(4)}, core::lsn(100), core::lsn(100), 0));
}

BOOST_AUTO_TEST_CASE(a_layer_is_removable_once_images_at_or_below_the_cutoff_cover_it) {
  const layer_map map({delta(1, 0, 10, 100, 200), image(2, 0, 10, 250), delta(3, 0, 10, 200, 300)});
  BOOST_TEST((removable_layers(map, core::lsn(249), {}) == removable{}));
  BOOST_TEST((removable_layers(map, core::lsn(250), {}) == removable{1}));
  BOOST_TEST((removable_layers(map, core::lsn(400), {}) == removable{1}));
}

BOOST_AUTO_TEST_CASE(an_image_outside_the_cutoff_removes_nothing) {
  const layer_map map({image(1, 0, 10, 100), delta(2, 0, 10, 101, 200), image(3, 0, 10, 199)});
  BOOST_TEST((removable_layers(map, core::lsn(198), {}) == removable{}));
  BOOST_TEST((sorted(removable_layers(map, core::lsn(199), {})) == removable{1, 2}));
}

BOOST_AUTO_TEST_CASE(a_layer_half_covered_by_images_stays) {
  const layer_map map({delta(1, 0, 10, 100, 200), image(2, 0, 9, 250)});
  BOOST_TEST((removable_layers(map, core::lsn(400), {}) == removable{}));
}

BOOST_AUTO_TEST_CASE(a_branch_point_keeps_what_a_read_there_needs_and_no_more) {
  const layer_map map({delta(1, 0, 10, 100, 200), image(2, 0, 10, 199), delta(3, 0, 10, 200, 300), image(4, 0, 10, 299),
                       delta(5, 0, 10, 300, 400), image(6, 0, 10, 399)});
  const core::lsn branch[] = {core::lsn(250)};
  // A read at 250 needs the image at 199 and the versions behind it; of the rest nothing is needed.
  BOOST_TEST((sorted(removable_layers(map, core::lsn(450), branch)) == removable{1, 4, 5}));
  BOOST_TEST((sorted(removable_layers(map, core::lsn(450), {})) == removable{1, 2, 3, 4, 5}));
  const core::lsn inside[] = {core::lsn(150)};
  BOOST_TEST((sorted(removable_layers(map, core::lsn(450), inside)) == removable{2, 3, 4, 5}));
}

BOOST_AUTO_TEST_SUITE_END()
