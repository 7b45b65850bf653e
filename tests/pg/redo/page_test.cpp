#include "pg/page/page.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "pg/page/checksum.hpp"
#include "pg/page/malformed.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_page)

namespace {

using namespace strata;
using pg::page::item_number;
using pg::page::item_state;
using pg::page::line_pointer;
using page_bytes = std::array<std::uint8_t, pg::page_size>;

struct fixture {
  page_bytes bytes{};
  pg::page::slotted_page page{bytes};

  void insert(item_number at, const std::string& text) {
    page.insert(at, core::bytes_view(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }
  std::string text(item_number at) {
    const auto view = page.item(at).view();
    return {view.begin(), view.end()};
  }
  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (item_number at = 1; at <= page.item_count(); ++at)
      all.push_back(page.pointer(at).has_storage() ? text(at) : "-");
    return all;
  }
  void ten_items() {
    page.init(16);
    for (item_number at = 1; at <= 10; ++at) insert(at, std::string(at, static_cast<char>('a' + at)));
  }
};

using list = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_started_page_is_empty_and_ends_with_its_special_area, fixture) {
  bytes.fill(0xAB);
  page.init(13);
  BOOST_TEST(page.lower() == 24);
  BOOST_TEST(page.upper() == 8176);
  BOOST_TEST(page.special() == 8176);
  BOOST_TEST(bytes[18] == 4);
  BOOST_TEST(bytes[19] == 0x20);
  BOOST_TEST(page.item_count() == 0);
  BOOST_TEST(bytes[5000] == 0);
}

BOOST_FIXTURE_TEST_CASE(inserting_moves_later_items_up_and_leaves_the_padding_alone, fixture) {
  page.init(0);
  bytes.back() = 0x77;
  insert(1, "first");
  insert(1, "zeroth");
  insert(3, "last");
  BOOST_TEST(texts() == (list{"zeroth", "first", "last"}), boost::test_tools::per_element());
  BOOST_TEST(page.pointer(2).offset() == 8184);
  BOOST_TEST(page.pointer(1).offset() == 8176);
  BOOST_TEST(bytes.back() == 0x77);
  BOOST_CHECK_THROW(insert(5, "gap"), pg::page::malformed);
  BOOST_CHECK_THROW(insert(1, std::string(8140, 'x')), pg::page::malformed);
}

BOOST_FIXTURE_TEST_CASE(a_slot_in_use_is_not_overwritten, fixture) {
  page.init(0);
  insert(1, "one");
  BOOST_CHECK_THROW(page.add_in_slot(1, 4), pg::page::malformed);
  page.set_pointer(1, {});
  page.add_in_slot(1, 4);
  BOOST_TEST(page.item_count() == 1);
  page.add_in_slot(2, 4);
  BOOST_TEST(page.item_count() == 2);
}

BOOST_FIXTURE_TEST_CASE(removing_an_item_closes_its_gap, fixture) {
  ten_items();
  page.remove(9);
  BOOST_TEST(page.item_count() == 9);
  BOOST_TEST(text(8) == std::string(8, 'i'));
  BOOST_TEST(text(9) == std::string(10, 'k'));
  BOOST_TEST(page.pointer(9).offset() == page.upper());
  BOOST_TEST(page.upper() == 8176 - 8 * 8 - 16);
}

BOOST_FIXTURE_TEST_CASE(removing_two_items_slides_and_removing_three_packs, fixture) {
  // Insert in an order that differs from the order of the storage, so that the two ways can be told apart.
  page.init(0);
  insert(1, "b");
  insert(1, "a");
  for (item_number at = 3; at <= 6; ++at) insert(at, std::string(1, static_cast<char>('a' + at - 1)));
  auto slid = *this;
  slid.page = pg::page::slotted_page(slid.bytes);
  const std::vector<item_number> two{5, 6}, three{4, 5, 6};
  slid.page.remove_all(two);
  BOOST_TEST(slid.texts() == (list{"a", "b", "c", "d"}), boost::test_tools::per_element());
  BOOST_TEST(slid.page.pointer(1).offset() < slid.page.pointer(2).offset());
  page.remove_all(three);
  BOOST_TEST(texts() == (list{"a", "b", "c"}), boost::test_tools::per_element());
  BOOST_TEST(page.pointer(1).offset() > page.pointer(2).offset());
  BOOST_TEST(page.upper() == 8192 - 3 * 8);
  const std::vector<item_number> unsorted{2, 1};
  BOOST_CHECK_THROW(page.remove_all(unsorted), pg::page::malformed);
}

BOOST_FIXTURE_TEST_CASE(repair_packs_storage_and_cuts_unused_pointers_at_the_end, fixture) {
  ten_items();
  page.set_pointer(3, {});
  page.set_pointer(5, line_pointer::redirect_to(4));
  page.set_pointer(10, {});
  auto older = *this;
  older.page = pg::page::slotted_page(older.bytes);
  page.repair(true);
  BOOST_TEST(page.item_count() == 9);
  BOOST_TEST((page.flags() & pg::page::has_free_lines) != 0);
  BOOST_TEST(page.pointer(5).offset() == 4);
  BOOST_TEST(text(9) == std::string(9, 'j'));
  BOOST_TEST(page.upper() == 8176 - 6 * 8 - 16);
  older.page.repair(false);
  BOOST_TEST(older.page.item_count() == 10);
  BOOST_TEST(older.page.upper() == page.upper());
}

// Redo and verification walk line pointers by the million: one goes through a register, not through memory.
static_assert(sizeof(line_pointer) == pg::page::line_pointer_size && std::is_trivially_copyable_v<line_pointer>);

BOOST_AUTO_TEST_CASE(a_line_pointer_is_the_word_of_the_page) {
  // 15 bits of offset, 2 of state, 15 of length.
  const line_pointer item(0x7FFFu | 1u << 15 | 40u << 17);
  BOOST_TEST(item.offset() == 0x7FFF);
  BOOST_TEST(item.state() == item_state::normal);
  BOOST_TEST(item.length() == 40);
  BOOST_TEST(item.has_storage());
  BOOST_TEST(line_pointer::to_storage(8152, 37).word() == (8152u | 1u << 15 | 37u << 17));
  BOOST_TEST(line_pointer::redirect_to(291).word() == (291u | 2u << 15));
  BOOST_TEST(line_pointer::dead().word() == 3u << 15);
  BOOST_TEST(line_pointer().word() == 0u);
  BOOST_TEST(line_pointer().unused());
  BOOST_TEST(item.at_offset(24).word() == (24u | 1u << 15 | 40u << 17));
  BOOST_TEST(item.of_length(1).word() == (0x7FFFu | 1u << 15 | 1u << 17));
  BOOST_TEST(item.in_state(item_state::dead).word() == (0x7FFFu | 3u << 15 | 40u << 17));
}

namespace {

/// A page as a history leaves it: items in any order of storage, gaps, dead and redirected and unused line pointers.
void random_page(fixture& on, std::mt19937& random) {
  for (auto& byte : on.bytes) byte = static_cast<std::uint8_t>(random());
  const std::size_t special_sizes[] = {0, 8, 16};
  on.page.init(special_sizes[random() % 3]);
  const std::size_t count = random() % 290;
  on.page.set_lower(24 + 4 * count);
  std::size_t free_end = on.page.special();
  std::vector<line_pointer> pointers;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t length = random() % 8 == 0 ? random() % 400 + 1 : random() % 40 + 1;
    const std::size_t aligned = pg::page::align8(length) + (random() % 4 == 0 ? 8 : 0);
    if (random() % 8 == 0 || free_end < on.page.lower() + aligned)
      pointers.push_back(random() % 3 == 0 ? line_pointer::dead()
                                           : (random() % 2 == 0 ? line_pointer::redirect_to(1) : line_pointer()));
    else
      pointers.push_back(line_pointer::to_storage(free_end -= aligned, length));
  }
  // In order, nearly so, or not at all; sometimes an item that two line pointers share.
  switch (random() % 3) {
    case 0: break;
    case 1:
      for (int swaps = 0; swaps < 4 && count > 1; ++swaps)
        std::swap(pointers[random() % count], pointers[random() % count]);
      break;
    default: std::shuffle(pointers.begin(), pointers.end(), random);
  }
  if (count > 1 && random() % 8 == 0) pointers[random() % count] = pointers[random() % count];
  for (std::size_t i = 0; i < count; ++i) on.page.set_pointer(static_cast<item_number>(i + 1), pointers[i]);
  core::store_le(on.bytes.data() + 14, static_cast<std::uint16_t>(free_end));
  for (std::size_t at = free_end; at < on.page.special(); ++at) on.bytes[at] = static_cast<std::uint8_t>(random());
}

/// REPAIR as docs/formats/wal_records.md has it: one item after the other, from a copy of the page.
std::optional<page_bytes> repaired_one_by_one(page_bytes bytes, bool cut_unused_at_end) {
  const page_bytes before = bytes;
  pg::page::slotted_page page(bytes);
  item_number last = 0, unused = 0;
  for (item_number at = 1; at <= page.item_count(); ++at)
    if (!page.pointer(at).unused()) last = at;
  if (cut_unused_at_end) page.set_lower(24 + 4 * std::size_t{last});
  std::size_t packed = page.special();
  for (item_number at = 1; at <= page.item_count(); ++at) {
    const line_pointer item = page.pointer(at);
    unused = static_cast<item_number>(unused + item.unused());
    if (!item.has_storage()) continue;
    const std::size_t aligned = pg::page::align8(item.length());
    if (packed < page.lower() + aligned) return std::nullopt;
    packed -= aligned;
    std::memcpy(bytes.data() + packed, before.data() + item.offset(), aligned);
    page.set_pointer(at, item.at_offset(packed));
  }
  page.set_flag(pg::page::has_free_lines, unused > 0);
  core::store_le(bytes.data() + 14, static_cast<std::uint16_t>(packed));
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(repair_gives_the_bytes_of_moving_one_item_after_the_other) {
  std::mt19937 random{20261130};
  int moved = 0, kept = 0;
  for (int round = 0; round < 3000; ++round) {
    fixture on;
    random_page(on, random);
    const bool cut = round % 2 == 0;
    const auto expected = repaired_one_by_one(on.bytes, cut);
    if (!expected) {
      BOOST_CHECK_THROW(on.page.repair(cut), pg::page::malformed);
      continue;
    }
    const auto upper = on.page.upper();
    on.page.repair(cut);
    ++(on.page.upper() == upper ? kept : moved);
    const auto wrong = std::mismatch(on.bytes.begin(), on.bytes.end(), expected->begin());
    BOOST_REQUIRE_MESSAGE(wrong.first == on.bytes.end(),
                          "round " << round << ": byte " << wrong.first - on.bytes.begin() << " differs");
    // Nothing is left to do.
    const page_bytes once = on.bytes;
    on.page.repair(cut);
    BOOST_TEST((on.bytes == once));
  }
  BOOST_TEST(moved > 1000);
  BOOST_TEST(kept > 10);
}

BOOST_FIXTURE_TEST_CASE(packing_refuses_what_lies_outside_the_storage, fixture) {
  for (const std::size_t offset :
       {std::size_t{0}, std::size_t{24}, std::size_t{8079}, std::size_t{8170}, std::size_t{32767}}) {
    ten_items();
    page.set_pointer(3, line_pointer::to_storage(offset, 11));
    BOOST_CHECK_THROW(page.pack_storage(), pg::page::malformed);
  }
  // Ten times the same large item does not fit.
  ten_items();
  for (item_number at = 1; at <= 10; ++at) page.set_pointer(at, line_pointer::to_storage(page.upper(), 64));
  page.pack_storage();
  BOOST_TEST(page.upper() == 8176 - 10 * 64);
  page.init(0);
  insert(1, std::string(1000, 'x'));
  page.set_lower(24 + 4 * 9);
  for (item_number at = 2; at <= 9; ++at) page.set_pointer(at, page.pointer(1));
  BOOST_CHECK_THROW(page.pack_storage(), pg::page::malformed);
}

BOOST_FIXTURE_TEST_CASE(truncating_line_pointers_keeps_the_first_and_the_storage, fixture) {
  ten_items();
  const auto upper = page.upper();
  for (item_number at = 2; at <= 10; ++at) page.set_pointer(at, {});
  page.truncate_line_pointers();
  BOOST_TEST(page.item_count() == 1);
  BOOST_TEST((page.flags() & pg::page::has_free_lines) == 0);
  page.set_pointer(1, {});
  page.truncate_line_pointers();
  BOOST_TEST(page.item_count() == 1);
  BOOST_TEST((page.flags() & pg::page::has_free_lines) != 0);
  BOOST_TEST(page.upper() == upper);
}

BOOST_FIXTURE_TEST_CASE(overwriting_an_item_moves_the_storage_below_it, fixture) {
  ten_items();
  const std::string longer(30, 'X'), shorter("s");
  const auto bytes_of = [](const std::string& text) {
    return core::bytes_view(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  page.overwrite(4, bytes_of(longer));
  BOOST_TEST(text(4) == longer);
  BOOST_TEST(text(3) == std::string(3, 'd'));
  BOOST_TEST(text(10) == std::string(10, 'k'));
  page.overwrite(4, bytes_of(shorter));
  BOOST_TEST(text(4) == shorter);
  BOOST_TEST(text(10) == std::string(10, 'k'));
  BOOST_TEST(page.upper() == 8176 - 8 * 8 - 2 * 16);
  BOOST_CHECK_THROW(page.overwrite(4, bytes_of(std::string(8100, 'x'))), pg::page::malformed);
}

BOOST_AUTO_TEST_CASE(the_checksum_is_the_one_of_postgres) {
  // The expected numbers come from page_checksum() of Postgres's pageinspect on these bytes.
  std::array<std::uint8_t, pg::page_size> page{};
  for (std::uint32_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::uint8_t>(i * i * 7 + i / 5);
  BOOST_TEST(pg::page::page_checksum(page, 0) == 8367);
  BOOST_TEST(pg::page::page_checksum(page, 1) == 8366);
  BOOST_TEST(pg::page::page_checksum(page, 131071) == 46588);
  BOOST_TEST(pg::page::page_checksum(page, 4294967290) == 57167);
  pg::page::set_page_checksum(page, 1);
  BOOST_TEST(core::load_le<std::uint16_t>(page.data() + 8) == 8366);
  BOOST_TEST(pg::page::page_checksum(page, 1) == 8366);
}

BOOST_AUTO_TEST_CASE(a_new_page_gets_no_checksum) {
  std::array<std::uint8_t, pg::page_size> page{};
  pg::page::set_page_checksum(page, 3);
  BOOST_TEST(core::load_le<std::uint16_t>(page.data() + 8) == 0);
}

BOOST_AUTO_TEST_CASE(no_bytes_make_a_change_leave_the_page) {
  std::mt19937 random(7);
  int accepted = 0;
  int refused = 0;
  const auto attempt = [&](auto change) {
    try {
      change();
      ++accepted;
    } catch (const pg::page::malformed&) {
      ++refused;
    }
  };
  for (int round = 0; round < 20000; ++round) {
    fixture on;
    on.ten_items();
    // Most of the damage goes to the header and the line pointers, where it decides where bytes go.
    for (unsigned i = random() % 4 + 1; i > 0; --i)
      on.bytes[random() % 8 == 0 ? random() % pg::page_size : 10 + random() % 60] = static_cast<std::uint8_t>(random());
    const auto at = static_cast<item_number>(random() % 12);
    const std::string text(random() % 100, 't');
    const core::bytes_view item(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    std::vector<item_number> sorted;
    for (item_number i = static_cast<item_number>(random() % 3); i < 12;
         i = static_cast<item_number>(i + 1 + random() % 4))
      sorted.push_back(i);
    attempt([&] { on.page.insert(at, item); });
    attempt([&] { on.page.add_in_slot(at, item.size()).write(0, item); });
    attempt([&] { on.page.remove(at); });
    attempt([&] { on.page.overwrite(at, item); });
    attempt([&] { on.page.remove_all(sorted); });
    attempt([&] { on.page.truncate_line_pointers(); });
    attempt([&] { on.page.repair(round % 2 == 0); });
    attempt([&] { on.page.item(at).fill(0, 1, 1); });
    attempt([&] { on.page.special_area(16).fill(0, 16, 1); });
    attempt([&] { on.page.body().fill(0, 100, 1); });
  }
  // The sanitizers watch where the bytes go; this, that the damage was neither harmless nor fatal.
  BOOST_TEST(accepted > 20000);
  BOOST_TEST(refused > 20000);
}

BOOST_FIXTURE_TEST_CASE(removing_can_keep_the_numbers_of_later_items, fixture) {
  ten_items();
  const std::size_t upper = page.upper();
  page.remove_keeping_slot(9);
  BOOST_TEST(page.item_count() == 10);
  BOOST_TEST(page.upper() == upper + 16);
  BOOST_TEST(texts()[8] == "-");
  BOOST_TEST(text(8) == std::string(8, 'i'));
  BOOST_TEST(text(10) == std::string(10, 'k'));
  page.remove_keeping_slot(10);
  BOOST_TEST(page.item_count() == 9);  // the unused slot before it stays
  BOOST_TEST(text(8) == std::string(8, 'i'));
  for (const item_number at : {item_number{0}, item_number{9}, item_number{10}})
    BOOST_CHECK_THROW(page.remove_keeping_slot(at), pg::page::malformed);
  page.require_sane_header();
}

BOOST_AUTO_TEST_SUITE_END()
