#include <boost/test/unit_test.hpp>
#include <limits>

#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_hash)

namespace {

using namespace strata;
using namespace strata::tests;
using pg::major_version;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;

enum : u8 {
  init_meta = 0x00,
  init_bitmap = 0x10,
  insert = 0x20,
  add_overflow = 0x30,
  split_allocate = 0x40,
  split_page = 0x50,
  move = 0x70,
  squeeze = 0x80,
  remove_items = 0x90,
  vacuum_one = 0xC0,
};
enum : std::size_t { at_tuples = 32, at_max_bucket = 48, at_split_point = 60, at_first_free = 64, at_map_count = 68 };
std::size_t at_spare(u32 split_point) { return 76 + 4 * split_point; }
std::size_t at_map(u32 number) { return 468 + 4 * number; }

sample hash(u8 info, u8 block_id, core::bytes main, core::bytes data = {}) {
  sample made{.manager = pg::wal::resource_manager::hash,
              .info = info,
              .main_data = std::move(main),
              .data = std::move(data),
              .block_id = block_id};
  for (u8 id = 0; id < 7; ++id) made.reference(id, 50u + id);
  return made;
}
sample announced(sample of) {
  of.will_init = true;
  return of;
}
core::bytes tuple(u32 key, u16 size = 16) {
  core::bytes made = payload().put<u32>(0).put<u16>(1).put(size).put(key);
  made.resize(size);
  return made;
}
core::bytes squeeze_main(u16 count, u8 target_is_first, u8 target_is_previous) {
  return payload().put<u32>(70).put<u32>(71).put(count).put(target_is_first).put(target_is_previous);
}
core::bytes overflow_main(u16 bitmap_size, u8 found) { return payload().put(bitmap_size).put(found); }

struct hash_page : test_page {
  template <class T>
  T at(std::size_t offset) {
    return core::load_le<T>(bytes.data() + offset);
  }
  template <class T>
  void put(std::size_t offset, T value) {
    core::store_le(bytes.data() + offset, value);
  }
  u32 previous() { return at<u32>(8176); }
  u32 next() { return at<u32>(8180); }
  u16 flags() { return at<u16>(8188); }
};

struct metapage : hash_page {
  explicit metapage(double tuples = 1000, u16 fill_factor = 40) {
    apply(announced(hash(init_meta, 0, payload().put(tuples).put<u32>(400).put(fill_factor))), 100);
  }
};
/// Of bucket 3, with four items.
struct bucket_page : hash_page {
  bucket_page() {
    const core::bytes main = payload().put<u32>(3).put<u16>(0).put<u16>(2).put<u8>(0);
    apply(announced(hash(split_allocate, 1, main)), 100);
    for (u16 at = 1; at <= 4; ++at) apply(hash(insert, 0, payload().put(at), tuple(at)), 100 + 8 * at);
  }
};
struct bitmap : hash_page {
  bitmap() { apply(announced(hash(init_bitmap, 0, payload().put<u16>(4096))), 100); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_number_of_buckets_at_the_start_follows_the_number_of_rows) {
  struct expectation {
    double tuples;
    u32 buckets, split_point, high_mask;
  };
  constexpr double infinite = std::numeric_limits<double>::infinity(), none = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [tuples, buckets, split_point, high_mask] : {expectation{0, 2, 1, 3},
                                                                {80, 2, 1, 3},
                                                                {120, 4, 2, 7},
                                                                {40 * 512, 512, 9, 1023},
                                                                {40 * 513, 640, 10, 1023},
                                                                {40 * 641, 768, 11, 1023},
                                                                {40 * 1024, 1024, 13, 2047},
                                                                {40 * 1025, 1280, 14, 2047},
                                                                {infinite, 1u << 30, 93, 0x7FFFFFFF},
                                                                {-infinite, 2, 1, 3},
                                                                {none, 2, 1, 3}}) {
    metapage meta(tuples);
    BOOST_TEST_CONTEXT(tuples) {
      BOOST_TEST(meta.at<u32>(at_max_bucket) == buckets - 1);
      BOOST_TEST(meta.at<u32>(at_split_point) == split_point);
      BOOST_TEST(meta.at<u32>(at_spare(split_point)) == 1u);
      BOOST_TEST(meta.at<u32>(52) == high_mask);
      BOOST_TEST(meta.at<u32>(56) == high_mask / 2);
      BOOST_TEST(meta.at<u32>(72) == 400u);
      BOOST_TEST(meta.view().lower() == 4568);
    }
  }
  test_page page;
  const core::bytes no_fill_factor = payload().put(1000.0).put<u32>(400).put<u16>(0);
  BOOST_TEST(page.refusal(announced(hash(init_meta, 0, no_fill_factor)), 100) == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(a_new_bitmap_page_counts_as_a_second_spare_page, metapage) {
  sample full = hash(add_overflow, 4, overflow_main(4096, 0), payload().put<u32>(99));
  const u32 split_point = at<u32>(at_split_point);
  auto found = *this, without = *this;
  apply(full, 200);
  BOOST_TEST(at<u32>(at_first_free) == 99u);
  BOOST_TEST(at<u32>(at_spare(split_point)) == 3u);
  BOOST_TEST(at<u32>(at_map_count) == 1u);
  BOOST_TEST(at<u32>(at_map(0)) == 53u);

  found.apply(hash(add_overflow, 4, overflow_main(4096, 1), payload().put<u32>(99)), 200);
  BOOST_TEST(found.at<u32>(at_spare(split_point)) == 1u);
  full.addresses[3] = {};
  without.apply(full, 200);
  BOOST_TEST(without.at<u32>(at_spare(split_point)) == 2u);
  BOOST_TEST(without.at<u32>(at_map_count) == 0u);

  hash_page map;
  map.apply(announced(hash(add_overflow, 3, overflow_main(4096, 0))), 200);
  BOOST_TEST(map.flags() == 4);
  BOOST_TEST(map.view().lower() == 24 + 4096);
  BOOST_TEST(map.bytes[24 + 4095] == 0xFF);
  BOOST_TEST(map.bytes[24 + 4096] == 0);
}

BOOST_FIXTURE_TEST_CASE(tables_of_the_meta_page_are_not_left, metapage) {
  const sample grow = hash(add_overflow, 4, overflow_main(4096, 0), payload().put<u32>(99));
  auto many_maps = *this, far_split = *this;
  many_maps.put<u32>(at_map_count, 1024);
  BOOST_TEST(many_maps.refusal(grow, 200) == core::errc::corrupt);
  far_split.put<u32>(at_split_point, 98);
  BOOST_TEST(far_split.refusal(grow, 200) == core::errc::corrupt);
  const core::bytes main = payload().put<u32>(9).put<u16>(0).put<u16>(0).put<u8>(2);
  BOOST_TEST(refusal(hash(split_allocate, 2, main, payload().put<u32>(98).put<u32>(1)), 200) == core::errc::corrupt);
  BOOST_TEST(refusal(hash(split_allocate, 2, main, payload().put<u32>(97)), 200) == core::errc::corrupt);
  apply(hash(split_allocate, 2, main, payload().put<u32>(97).put<u32>(7)), 200);
  BOOST_TEST(at<u32>(at_max_bucket) == 9u);
  BOOST_TEST(at<u32>(at_spare(97)) == 7u);
}

BOOST_FIXTURE_TEST_CASE(squeezing_frees_a_bit_inside_the_bitmap_only, bitmap) {
  apply(hash(squeeze, 5, squeeze_main(0, 1, 0), payload().put<u32>(32767)), 200);
  BOOST_TEST(bytes[24 + 4095] == 0x7F);
  apply(hash(add_overflow, 2, overflow_main(4096, 1), payload().put<u32>(32767)), 300);
  BOOST_TEST(bytes[24 + 4095] == 0xFF);
  for (const u32 bit : {32768u, 0xFFFFFFFFu})
    BOOST_TEST(refusal(hash(squeeze, 5, squeeze_main(0, 1, 0), payload().put(bit)), 400) == core::errc::corrupt);
  bucket_page other;
  BOOST_TEST(
      (other.refusal(hash(squeeze, 5, squeeze_main(0, 1, 0), payload().put<u32>(1)), 400) == core::errc::corrupt));
  hash_page huge;
  BOOST_TEST(huge.refusal(announced(hash(init_bitmap, 0, payload().put<u16>(8153))), 100) == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(the_target_of_a_squeeze_is_linked_on_if_it_was_the_previous_page, bucket_page) {
  const core::bytes data = payload().put<u16>(2).put<u16>(6).put_bytes(tuple(20)).put_bytes(tuple(60));
  auto separate = *this;
  apply(hash(squeeze, 1, squeeze_main(2, 1, 1), data), 200);
  BOOST_TEST(view().item_count() == 6);
  BOOST_TEST(item_field<u32>(2, 8) == 20u);
  BOOST_TEST(item_field<u32>(6, 8) == 60u);
  BOOST_TEST(next() == 71u);
  separate.apply(hash(squeeze, 1, squeeze_main(2, 1, 0), data), 200);
  BOOST_TEST(separate.next() == pg::invalid_block);
  separate.apply(hash(squeeze, 3, squeeze_main(2, 1, 0)), 300);
  BOOST_TEST(separate.next() == 71u);
  separate.apply(hash(squeeze, 4, squeeze_main(2, 1, 0)), 400);
  BOOST_TEST(separate.previous() == 70u);
  separate.apply(hash(squeeze, 2, squeeze_main(2, 1, 0)), 500);
  BOOST_TEST(separate.flags() == 0);
  BOOST_TEST(separate.previous() == pg::invalid_block);
  BOOST_TEST(separate.view().item_count() == 0);
}

BOOST_FIXTURE_TEST_CASE(the_lsn_moves_only_on_pages_that_are_here_for_more_than_their_lock, bucket_page) {
  const auto before = bytes;
  for (const auto info : {squeeze, move, remove_items}) {
    apply(hash(info, 0, squeeze_main(1, 0, 0)), 200);
    BOOST_TEST((bytes == before));
  }
  for (const auto major :
       {major_version::v14, major_version::v15, major_version::v16, major_version::v17, major_version::v18}) {
    const bool always = major <= major_version::v16;
    auto idle = *this, linked = *this;
    idle.context.major = linked.context.major = major;
    idle.apply(hash(squeeze, 1, squeeze_main(0, 1, 0)), 200);
    BOOST_TEST(idle.view().lsn().value == (always ? 200u : 132u));
    linked.apply(hash(squeeze, 1, squeeze_main(0, 1, 1)), 200);
    BOOST_TEST(linked.view().lsn().value == 200u);
  }
}

BOOST_FIXTURE_TEST_CASE(vacuum_of_one_page_has_two_formats, bucket_page) {
  const core::bytes old_main = payload().put<u32>(900).put<u32>(3).put<u16>(1).put<u16>(2).put<u16>(4);
  const core::bytes new_main =
      payload().put<u32>(900).put<u16>(3).put<u8>(1).put<u8>(0xEE).put<u16>(1).put<u16>(2).put<u16>(4);
  for (const auto major : {major_version::v14, major_version::v15, major_version::v16, major_version::v18}) {
    const bool old = major <= major_version::v15;
    auto page = *this;
    metapage meta;
    page.context.major = meta.context.major = major;
    page.put<u16>(8188, 0x82);
    page.apply(hash(vacuum_one, 0, old ? old_main : new_main), 200);
    BOOST_TEST(page.view().item_count() == 1);
    BOOST_TEST(page.item_field<u32>(1, 8) == 3u);
    BOOST_TEST(page.flags() == 2);
    meta.put(at_tuples, 10.0);
    meta.apply(hash(vacuum_one, 1, old ? old_main : new_main), 200);
    BOOST_TEST(meta.at<double>(at_tuples) == 7.0);
    BOOST_TEST(page.refusal(hash(vacuum_one, 0, old ? new_main : old_main), 300) == core::errc::corrupt);
  }
  context.major = major_version::v15;
  const core::bytes negative = payload().put<u32>(900).put<u32>(0xFFFFFFFF).put<u16>(1);
  BOOST_TEST(refusal(hash(vacuum_one, 0, negative), 200) == core::errc::corrupt);
  payload many;
  many.put<u32>(900).put<u32>(3000);
  for (int i = 0; i < 3000; ++i) many.put<u16>(1);
  BOOST_TEST(refusal(hash(vacuum_one, 0, many), 200) == core::errc::corrupt);
}

BOOST_FIXTURE_TEST_CASE(vacuum_drops_the_mark_of_dead_items_only_if_told, bucket_page) {
  put<u16>(8188, 0x82);
  apply(hash(remove_items, 1, payload().put<u8>(0).put<u8>(1), payload().put<u16>(1).put<u16>(3)), 200);
  BOOST_TEST(flags() == 0x82);
  BOOST_TEST(view().item_count() == 2);
  BOOST_TEST(item_field<u32>(1, 8) == 2u);
  apply(hash(remove_items, 1, payload().put<u8>(1).put<u8>(1)), 300);
  BOOST_TEST(flags() == 2);
  BOOST_TEST(view().item_count() == 2);
}

BOOST_FIXTURE_TEST_CASE(malformed_moves_are_refused, bucket_page) {
  const auto refused = [&](const sample& of) {
    auto page = *this;
    return page.refusal(of, 200) == core::errc::corrupt;
  };
  const core::bytes two = payload().put<u16>(2).put<u8>(0);
  const core::bytes good = payload().put<u16>(5).put<u16>(6).put_bytes(tuple(5)).put_bytes(tuple(6));
  const auto with = [&](u16 first, u16 second, u16 size) {
    return payload().put(first).put(second).put_bytes(tuple(5)).put<u32>(0).put<u16>(1).put(size).put<std::uint64_t>(0);
  };
  auto page = *this;
  page.apply(hash(move, 1, two, good), 200);
  BOOST_TEST(refused(hash(move, 1, two, core::bytes(good.begin(), good.end() - 1))));
  BOOST_TEST(refused(hash(move, 1, payload().put<u16>(1), good)));
  BOOST_TEST(refused(hash(move, 1, payload().put<u16>(0xFFFF), good)));
  for (const u16 second : {0, 7, 0xFFFF}) BOOST_TEST(refused(hash(move, 1, two, with(5, second, 16))));
  for (const u16 size : {0, 7, 17, 0x1FFF}) BOOST_TEST(refused(hash(move, 1, two, with(5, 6, size))));
  BOOST_TEST(refused(hash(move, 2, two, payload().put<u16>(2).put<u16>(2))));
  BOOST_TEST(refused(hash(move, 2, two, payload().put<u16>(5))));
  BOOST_TEST(refused(hash(move, 2, two, payload().put<u16>(1).put<u8>(0))));
  BOOST_TEST(refused(hash(move, 3, two)));
  BOOST_TEST(refused(hash(insert, 0, payload().put<u16>(1))));
  BOOST_TEST(refused(hash(insert, 1, payload().put<u16>(1))));  // not the meta page
  BOOST_TEST(refused(hash(split_page, 0, {})));
  put<u16>(8190, 0xFF81);
  BOOST_TEST(refused(hash(move, 1, two, good)));
}

BOOST_AUTO_TEST_SUITE_END()
