#include <boost/test/unit_test.hpp>

#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_gist)

namespace {

using namespace strata;
using namespace strata::tests;
using pg::wal::resource_manager;

constexpr std::size_t special_size = 16, sequence_high = 0, sequence_low = 4, right = 8, flags = 12, page_id = 14;
constexpr std::uint16_t leaf = 0x01, deleted = 0x02, follow_right = 0x08, garbage = 0x10;
constexpr std::uint64_t old_sequence = 0x500000006;

core::bytes tuple(std::uint32_t block, std::string_view key = "12345678") {
  return payload()
      .put(static_cast<std::uint16_t>(block >> 16))
      .put(static_cast<std::uint16_t>(block))
      .put<std::uint16_t>(1)
      .put(static_cast<std::uint16_t>(8 + key.size()))
      .put_text(key);
}

sample gist(std::uint8_t info, core::bytes main, core::bytes data = {}, std::uint8_t block_id = 0) {
  sample made{.manager = resource_manager::gist,
              .info = info,
              .main_data = std::move(main),
              .data = std::move(data),
              .block_id = block_id};
  return made.reference(1, 6);
}
core::bytes update_counts(std::uint16_t removed, std::uint16_t added) { return payload().put(removed).put(added); }

core::bytes split_main(std::uint16_t pages, bool of_leaves = true, bool mark_follow_right = true) {
  return payload()
      .put<std::uint32_t>(77)
      .put<std::uint32_t>(0)
      .put(old_sequence)
      .put<std::uint8_t>(of_leaves ? 1 : 0)
      .put<std::uint8_t>(0)
      .put(pages)
      .put<std::uint8_t>(mark_follow_right ? 1 : 0)
      .put_bytes(core::bytes(3));
}
core::bytes two_tuples() { return payload().put<std::uint32_t>(2).put_bytes(tuple(10)).put_bytes(tuple(20)); }

/// A split into blocks 5, 6, 7... as reference `id` sees it.
sample split_page(std::uint8_t id, std::uint16_t pages, core::bytes main, std::uint32_t first_block = 5) {
  sample made = gist(0x30, std::move(main), two_tuples(), id);
  made.addresses = {};
  made.will_init = true;
  for (std::uint8_t at = 1; at <= pages && at < 8; ++at) made.reference(at, first_block == 0 && at == 1 ? 0 : 4u + at);
  return made;
}

/// A leaf with the items 10, 20, 30, 40, which was not split yet.
struct leaf_page : test_page {
  leaf_page() {
    view().init(special_size);
    view().special_area(special_size).store<std::uint16_t>(flags, leaf | garbage);
    apply(
        gist(0x00, update_counts(0, 4),
             payload().put_bytes(tuple(10)).put_bytes(tuple(20)).put_bytes(tuple(30)).put_bytes(tuple(40, "long key"))),
        100);
  }
  [[nodiscard]] std::string blocks() {
    std::string text;
    for (pg::page::item_number at = 1; at <= view().item_count(); ++at)
      text += std::to_string(item_field<std::uint16_t>(at, 2)) + ' ';
    return text;
  }
  template <class T>
  T special(std::size_t at) {
    return view().special_area(special_size).load<T>(at);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(one_item_for_one_keeps_its_place_and_anything_else_is_appended, leaf_page) {
  apply(
      gist(0x00, update_counts(1, 1), payload().put<std::uint16_t>(2).put_bytes(tuple(21, "a much longer key, 24 b."))),
      200);
  BOOST_TEST(blocks() == "10 21 30 40 ");
  BOOST_TEST(item_text(2, 8) == "a much longer key, 24 b.");
  apply(gist(0x00, update_counts(1, 2), payload().put<std::uint16_t>(2).put_bytes(tuple(22)).put_bytes(tuple(23))),
        300);
  BOOST_TEST(blocks() == "10 30 40 22 23 ");
  apply(gist(0x00, update_counts(3, 0), payload().put<std::uint16_t>(1).put<std::uint16_t>(2).put<std::uint16_t>(5)),
        400);
  BOOST_TEST(blocks() == "40 22 ");
  BOOST_TEST(view().lsn().value == 400u);
}

BOOST_FIXTURE_TEST_CASE(the_left_child_of_an_update_or_a_split_is_finished, leaf_page) {
  for (const bool split : {false, true}) {
    leaf_page child;
    child.view().special_area(special_size).store<std::uint16_t>(flags, leaf | follow_right);
    child.apply(split ? gist(0x30, split_main(2)) : gist(0x00, update_counts(1, 2), {}, 1), 0x100000777);
    BOOST_TEST(child.special<std::uint16_t>(flags) == leaf);
    BOOST_TEST(child.special<std::uint32_t>(sequence_high) == 1u);
    BOOST_TEST(child.special<std::uint32_t>(sequence_low) == 0x777u);
    BOOST_TEST(child.blocks() == "10 20 30 40 ");
  }
}

BOOST_FIXTURE_TEST_CASE(removed_items_stand_behind_a_flag_since_16, leaf_page) {
  auto newer = *this;
  apply(gist(0x10, payload().put<std::uint32_t>(600).put<std::uint16_t>(2).put<std::uint16_t>(1).put<std::uint16_t>(3)),
        200);
  BOOST_TEST(blocks() == "20 40 ");
  BOOST_TEST((special<std::uint16_t>(flags) & garbage) == 0);

  newer.context.major = pg::major_version::v16;
  const core::bytes main = payload()
                               .put<std::uint32_t>(600)
                               .put<std::uint16_t>(1)
                               .put<std::uint8_t>(1)
                               .put<std::uint8_t>(0)
                               .put<std::uint16_t>(2);
  newer.apply(gist(0x10, main), 200);
  BOOST_TEST(newer.blocks() == "10 30 40 ");
}

BOOST_AUTO_TEST_CASE(pages_of_a_split_stand_in_a_row) {
  for (std::uint8_t id = 1; id <= 3; ++id) {
    leaf_page page;
    page.apply(split_page(id, 3, split_main(3)), 900);
    BOOST_TEST(page.blocks() == "10 20 ");
    BOOST_TEST(page.special<std::uint32_t>(right) == (id == 3 ? 77u : 5u + id));
    BOOST_TEST(page.special<std::uint16_t>(flags) == (id == 3 ? leaf : leaf | follow_right));
    BOOST_TEST(page.special<std::uint16_t>(page_id) == 0xFF81);
    BOOST_TEST(page.special<std::uint32_t>(sequence_high) == 5u);
    BOOST_TEST(page.special<std::uint32_t>(sequence_low) == 6u);
  }
  leaf_page unmarked;
  unmarked.apply(split_page(1, 3, split_main(3, false, false)), 900);
  BOOST_TEST(unmarked.special<std::uint16_t>(flags) == 0);
}

BOOST_AUTO_TEST_CASE(a_split_root_stands_over_its_row) {
  for (std::uint8_t id = 1; id <= 3; ++id) {
    leaf_page page;
    page.apply(split_page(id, 3, split_main(3), 0), 900);
    BOOST_TEST(page.special<std::uint32_t>(right) == (id == 1 ? 0xFFFFFFFFu : id == 2 ? 7u : 77u));
    BOOST_TEST(page.special<std::uint16_t>(flags) == (id == 1 ? 0 : leaf));
  }
}

BOOST_AUTO_TEST_CASE(a_row_may_be_longer_than_the_kept_addresses) {
  for (std::uint8_t id = 7; id <= 9; ++id) {
    const sample made = split_page(id, 9, split_main(9));
    auto record = made.record();
    record.distant_own = {.present = true, .same_relation = true, .block = 100u + id};
    record.distant_next = {.present = id < 9, .same_relation = true, .block = 101u + id};
    leaf_page page;
    BOOST_REQUIRE(pg::redo::apply(record, core::lsn(900), page.context, page.bytes).has_value());
    BOOST_TEST(page.special<std::uint32_t>(right) == (id == 9 ? 77u : 101u + id));
  }
}

BOOST_FIXTURE_TEST_CASE(a_deleted_page_keeps_who_deleted_it, leaf_page) {
  const core::bytes main = payload().put<std::uint64_t>(0x100000042).put<std::uint16_t>(3);
  auto parent = *this;
  apply(gist(0x60, main), 200);
  BOOST_TEST(view().lower() == 32);
  BOOST_TEST(view().body().load<std::uint64_t>(0) == 0x100000042u);
  BOOST_TEST((special<std::uint16_t>(flags) & (leaf | deleted)) == (leaf | deleted));
  parent.apply(gist(0x60, main, {}, 1), 200);
  BOOST_TEST(parent.blocks() == "10 20 40 ");
}

BOOST_FIXTURE_TEST_CASE(malformed_records_are_refused, leaf_page) {
  const auto refused = [&](const sample& of) {
    leaf_page damaged;
    return damaged.refusal(of, 900) == core::errc::corrupt;
  };
  const auto update = [](std::uint16_t removed, std::uint16_t added, core::bytes data) {
    return gist(0x00, update_counts(removed, added), std::move(data));
  };
  const auto item = [](std::uint16_t at) { return payload().put(at); };
  BOOST_TEST(refused(gist(0x00, payload().put<std::uint16_t>(1))));
  BOOST_TEST(refused(gist(0x00, payload().put<std::uint16_t>(0).put<std::uint32_t>(0))));
  BOOST_TEST(refused(update(2, 0, item(1))));
  BOOST_TEST(refused(update(0, 2, tuple(50))));
  BOOST_TEST(refused(update(0, 1, payload().put_bytes(tuple(50)).put<std::uint8_t>(0))));
  BOOST_TEST(refused(update(1, 1, item(1).put_bytes(tuple(50)).put<std::uint8_t>(0))));
  BOOST_TEST(refused(update(1, 1, item(5).put_bytes(tuple(50)))));
  BOOST_TEST(refused(update(1, 1, item(0).put_bytes(tuple(50)))));
  BOOST_TEST(refused(update(2, 0, item(2).put<std::uint16_t>(1))));
  BOOST_TEST(refused(update(5, 0, item(1).put_bytes(core::bytes(8, 1)))));
  BOOST_TEST(refused(gist(0x00, update_counts(0, 0), {}, 2).reference(2, 8)));
  BOOST_TEST(refused(gist(0x10, payload().put<std::uint32_t>(600).put<std::uint16_t>(2).put<std::uint16_t>(1))));
  BOOST_TEST(refused(gist(0x10, payload().put<std::uint32_t>(600).put<std::uint16_t>(1).put<std::uint16_t>(7))));
  BOOST_TEST(refused(gist(0x60, payload().put<std::uint64_t>(1).put<std::uint16_t>(9), {}, 1)));
  BOOST_TEST(refused(gist(0x60, payload().put<std::uint64_t>(1))));

  sample unannounced = split_page(1, 3, split_main(3));
  unannounced.will_init = false;
  BOOST_TEST(refused(unannounced));
  BOOST_TEST(refused(split_page(3, 3, split_main(2))));
  BOOST_TEST(refused(split_page(3, 3, split_main(4))));
  BOOST_TEST(refused(split_page(1, 3, payload().put<std::uint32_t>(77))));
  sample count_too_large = split_page(1, 3, split_main(3));
  count_too_large.data[3] = 0xFF;
  BOOST_TEST(refused(count_too_large));
  sample too_much = split_page(1, 3, split_main(3));
  too_much.data.resize(too_much.data.size() + 8);
  BOOST_TEST(refused(too_much));
  sample more_than_a_page = split_page(1, 3, split_main(3));
  more_than_a_page.data = payload()
                              .put<std::uint32_t>(2)
                              .put_bytes(tuple(1, std::string(4090, 'k')))
                              .put_bytes(tuple(2, std::string(4090, 'k')));
  BOOST_TEST(refused(more_than_a_page));
}

BOOST_FIXTURE_TEST_CASE(a_page_without_room_for_its_deletion_is_refused, test_page) {
  view().init(8192 - 32);
  view().set_lower(24);
  core::store_le<std::uint16_t>(bytes.data() + 14, 24);
  BOOST_TEST(refusal(gist(0x60, payload().put<std::uint64_t>(1).put<std::uint16_t>(1)), 900) == core::errc::corrupt);
}

BOOST_AUTO_TEST_SUITE_END()
