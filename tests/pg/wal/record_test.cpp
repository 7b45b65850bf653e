#include "pg/wal/record.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/support/wal_builder.hpp"

namespace strata::pg::wal {
namespace {

using tests::encode_record;
using tests::wal_block;
using tests::wal_image;
using tests::wal_record;

constexpr core::lsn start{0x1000028};
constexpr core::lsn end_lsn{0x1000100};
constexpr relation_fork table{1663, 5, 16384, fork::main};
constexpr major_version majors[] = {major_version::v14, major_version::v15, major_version::v16, major_version::v17,
                                    major_version::v18};

core::bytes noise(std::mt19937& random, std::size_t size) {
  core::bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

bool same(core::bytes_view left, core::bytes_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

wal_image random_image(std::mt19937& random, major_version major) {
  wal_image image{.apply = random() % 2 == 0};
  image.compression = static_cast<image_compression>(random() % (major == major_version::v14 ? 2 : 4));
  if (random() % 2) {
    image.hole_offset = static_cast<std::uint16_t>(1 + random() % 4000);
    image.hole_length = static_cast<std::uint16_t>(1 + random() % 4000);
  }
  const std::size_t whole = page_size - image.hole_length;
  image.stored = noise(random, image.compression == image_compression::none ? whole : random() % page_size);
  return image;
}

wal_record random_record(std::mt19937& random, major_version major) {
  wal_record record{.manager = static_cast<resource_manager>(random() % 22),
                    .info = static_cast<std::uint8_t>(random() % 16 << 4),
                    .xid = static_cast<transaction_id>(random())};
  if (random() % 3 == 0) record.origin = static_cast<std::uint16_t>(1 + random() % 65535);
  if (random() % 3 == 0) record.top_level_xid = static_cast<transaction_id>(1 + random() % 1000);
  std::uint8_t id = 0;
  for (auto blocks = random() % 5 == 0 ? random() % 33 : random() % 4; blocks > 0 && id <= 32; --blocks) {
    wal_block block{.id = id, .relation = table, .block = static_cast<block_number>(random())};
    block.relation.relation += static_cast<oid>(random() % 2);
    block.relation.fork = static_cast<fork>(random() % 4);
    block.will_init = random() % 2 == 0;
    if (random() % 2) block.image = random_image(random, major);
    if (random() % 2) block.data = noise(random, random() % 100);
    record.blocks.push_back(std::move(block));
    id = static_cast<std::uint8_t>(id + 1 + (random() % 4 == 0 ? random() % 3 : 0));
  }
  const std::size_t sizes[] = {0, 1, 40, 255, 256, 70000};
  record.main_data = noise(random, sizes[random() % 6]);
  return record;
}

void check_same(const wal_record& written, const record& read) {
  BOOST_TEST((read.manager == written.manager));
  BOOST_TEST(read.info == written.info);
  BOOST_TEST(read.xid == written.xid);
  BOOST_TEST(read.top_level_xid == written.top_level_xid);
  BOOST_TEST(read.origin == written.origin);
  BOOST_TEST(same(read.main_data, written.main_data));
  BOOST_TEST_REQUIRE(read.block_count == written.blocks.size());
  for (std::size_t i = 0; i < written.blocks.size(); ++i) {
    const auto& expected = written.blocks[i];
    const auto& block = read.blocks[i];
    BOOST_TEST(block.id == expected.id);
    BOOST_TEST((block.relation == expected.relation));
    BOOST_TEST(block.block == expected.block);
    BOOST_TEST(block.will_init == expected.will_init);
    BOOST_TEST(block.has_data == !expected.data.empty());
    BOOST_TEST(same(block.data, expected.data));
    BOOST_TEST_REQUIRE(block.has_image == expected.image.has_value());
    BOOST_TEST(block.apply_image == (expected.image && expected.image->apply));
    if (!expected.image) continue;
    BOOST_TEST(same(block.image.stored, expected.image->stored));
    BOOST_TEST(block.image.hole_offset == expected.image->hole_offset);
    BOOST_TEST(block.image.hole_length == expected.image->hole_length);
    BOOST_TEST((block.image.compression == expected.image->compression));
  }
}

core::result<void> parse(core::bytes_view bytes, record& into, major_version major = major_version::v15) {
  return parse_record(bytes, start, end_lsn, major, into);
}

bool refused(const core::bytes& bytes, major_version major = major_version::v15) {
  record into;
  const auto parsed = parse(bytes, into, major);
  return !parsed && parsed.error().code == core::errc::corrupt &&
         parsed.error().detail.find("0/1000028") != std::string::npos;
}

BOOST_AUTO_TEST_SUITE(pg_wal_record)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_in_every_major_and_nothing_is_left_of_the_record_before) {
  record into;
  for (const auto major : majors)
    for (unsigned seed = 0; seed < 300; ++seed) {
      std::mt19937 random(seed);
      const auto written = random_record(random, major);
      const auto bytes = encode_record(written, core::lsn(0x1234), major);
      const auto parsed = parse(bytes, into, major);
      BOOST_TEST_REQUIRE(parsed.has_value(), (parsed ? "" : parsed.error().detail));
      check_same(written, into);
      BOOST_TEST(into.previous.value == 0x1234u);
      BOOST_TEST(into.start.value == start.value);
      BOOST_TEST(into.end.value == end_lsn.value);
    }
}

BOOST_AUTO_TEST_CASE(a_block_is_found_by_its_id) {
  wal_record written{.blocks = {{.id = 1, .relation = table, .block = 10}, {.id = 4, .relation = table, .block = 40}}};
  record into;
  BOOST_REQUIRE(parse(encode_record(written, {}), into));
  BOOST_TEST(into.block(4)->block == 40u);
  BOOST_TEST(into.block(1)->block == 10u);
  BOOST_TEST(into.block(0) == nullptr);
  BOOST_TEST(into.block(32) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_bare_header_is_a_record) {
  record into;
  BOOST_REQUIRE(parse(encode_record({.info = 0x40}, {}), into));
  BOOST_TEST(into.block_count == 0);
  BOOST_TEST(into.main_data.empty());
}

BOOST_AUTO_TEST_CASE(lengths_that_do_not_add_up_are_refused) {
  const wal_record written{.blocks = {{.id = 0, .relation = table, .data = core::bytes(20)}},
                           .main_data = core::bytes(30)};
  const auto good = encode_record(written, {});
  BOOST_TEST(!refused(good));
  for (std::size_t size = 0; size < good.size(); ++size) {
    core::bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    BOOST_TEST(refused(cut));
    if (size < record_header_size) continue;
    core::store_le(cut.data(), static_cast<std::uint32_t>(size));
    // A bare header, or headers that promise just the data of the block, are records of their own.
    const bool complete = size == record_header_size || size == record_header_size + 20 + 20;
    BOOST_TEST(refused(cut) != complete, "cut to " << size);
  }
  auto longer = good;
  longer.push_back(0);
  BOOST_TEST(refused(longer));
  tests::seal_record(longer);
  BOOST_TEST(refused(longer));
}

BOOST_AUTO_TEST_CASE(impossible_block_references_are_refused) {
  constexpr std::size_t flags_at = record_header_size + 1;
  const wal_record two{.blocks = {{.id = 3, .relation = table}, {.id = 4, .relation = table}},
                       .main_data = core::bytes(9)};
  const auto good = encode_record(two, {});
  const auto with = [&](std::size_t at, std::uint8_t value) {
    auto bytes = good;
    bytes[at] = value;
    return refused(bytes);
  };
  BOOST_TEST(!with(flags_at, 0x40));
  BOOST_TEST(with(flags_at, 0x04));           // fork 4
  BOOST_TEST(with(flags_at, 0x20));           // data of length 0
  BOOST_TEST(with(flags_at + 1, 1));          // a length without data
  BOOST_TEST(with(flags_at, 0x80));           // the same relation as none
  BOOST_TEST(with(record_header_size, 4));    // equal ids
  BOOST_TEST(with(record_header_size, 5));    // falling ids
  BOOST_TEST(with(record_header_size, 33));   // no such id
  BOOST_TEST(with(record_header_size, 251));  // nor such a header
  BOOST_TEST(with(17, 22));                   // nor such a manager
  BOOST_TEST(!with(17, 128));
}

BOOST_AUTO_TEST_CASE(records_of_extensions_are_taken_since_15) {
  for (const auto major :
       {major_version::v14, major_version::v15, major_version::v16, major_version::v17, major_version::v18}) {
    for (const std::uint8_t id : {std::uint8_t{128}, std::uint8_t{255}}) {
      const wal_record without{.manager = resource_manager{id}, .info = 0x20, .main_data = core::bytes(9)};
      wal_record with = without;
      with.blocks = {{.id = 0, .relation = table, .block = 7, .data = {1, 2}}, {.id = 4, .relation = table}};
      for (const auto& of : {without, with}) {
        const auto bytes = encode_record(of, {}, major);
        BOOST_TEST(refused(bytes, major) == (major == major_version::v14));
      }
    }
    const wal_record between{.manager = resource_manager{127}, .main_data = core::bytes(9)};
    BOOST_TEST(refused(encode_record(between, {}, major), major));
  }
}

BOOST_AUTO_TEST_CASE(impossible_images_are_refused) {
  constexpr std::size_t length_at = record_header_size + 4;
  constexpr std::size_t offset_at = length_at + 2;
  constexpr std::size_t info_at = offset_at + 2;
  const core::bytes page(page_size, 1);
  const auto record_of = [](wal_image image, major_version major = major_version::v15) {
    return encode_record({.blocks = {{.id = 0, .relation = table, .image = std::move(image)}}}, {}, major);
  };
  const auto spoilt = [](core::bytes bytes, std::size_t at, std::uint16_t value, bool word = true) {
    if (word)
      core::store_le(bytes.data() + at, value);
    else
      bytes[at] = static_cast<std::uint8_t>(value);
    return refused(bytes);
  };
  const auto plain = record_of(tests::image_of(page));
  const auto holed = record_of(tests::image_of(page, 100, 200));
  const auto packed = record_of({.stored = core::bytes(900), .compression = image_compression::lz4});
  const auto packed_holed = record_of(
      {.stored = core::bytes(900), .hole_offset = 100, .hole_length = 200, .compression = image_compression::zstd});
  for (const auto& good : {plain, holed, packed, packed_holed}) BOOST_TEST(!refused(good));
  BOOST_TEST(spoilt(plain, offset_at, 5));
  BOOST_TEST(spoilt(plain, info_at, 0x03, false));  // a hole of length 0
  BOOST_TEST(spoilt(plain, info_at, 0x06, false));  // compressed but not smaller
  BOOST_TEST(spoilt(plain, info_at, 0x22, false));  // unknown bit
  BOOST_TEST(spoilt(holed, offset_at, 0));
  BOOST_TEST(spoilt(holed, offset_at, 7993));        // the hole ends behind the page
  BOOST_TEST(spoilt(holed, info_at, 0x02, false));   // shorter than a page, and no hole
  BOOST_TEST(spoilt(packed, info_at, 0x0C, false));  // compressed twice
  BOOST_TEST(spoilt(packed_holed, info_at + 1, 0));
  BOOST_TEST(spoilt(packed_holed, info_at + 1, 8193 - 100));
  const auto old = record_of({.stored = core::bytes(900), .compression = image_compression::pglz, .apply = false},
                             major_version::v14);
  BOOST_TEST(!refused(old, major_version::v14));
  BOOST_TEST(refused(old, major_version::v15));
  BOOST_TEST(refused(packed, major_version::v14));
}

BOOST_AUTO_TEST_CASE(damaged_records_are_refused_or_give_views_inside_their_bytes) {
  std::mt19937 random(5);
  record into;
  std::size_t accepted = 0;
  std::size_t rejected = 0;
  for (int round = 0; round < 30000; ++round) {
    const auto major = majors[random() % 5];
    auto bytes = encode_record(random_record(random, major), {}, major);
    const auto reach = std::min<std::size_t>(bytes.size(), 120);
    for (unsigned flips = 1 + random() % 5; flips > 0; --flips)
      bytes[4 + random() % (reach - 4)] ^= static_cast<std::uint8_t>(1 + random() % 255);
    const core::bytes exact(bytes);
    if (!parse(exact, into, major)) {
      ++rejected;
      continue;
    }
    ++accepted;
    const auto inside = [&](core::bytes_view view) {
      return view.empty() || (view.data() >= exact.data() && view.data() + view.size() <= exact.data() + exact.size());
    };
    std::size_t payload = into.main_data.size();
    BOOST_TEST_REQUIRE(inside(into.main_data));
    for (std::size_t i = 0; i < into.block_count; ++i) {
      BOOST_TEST_REQUIRE(inside(into.blocks[i].data));
      BOOST_TEST_REQUIRE(inside(into.blocks[i].image.stored));
      payload += into.blocks[i].data.size() + into.blocks[i].image.stored.size();
    }
    BOOST_TEST_REQUIRE(payload <= exact.size() - record_header_size);
  }
  BOOST_TEST(accepted > 1000u);
  BOOST_TEST(rejected > 1000u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::pg::wal
