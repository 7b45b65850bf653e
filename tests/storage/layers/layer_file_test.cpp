#include "storage/layers/layer_file.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "storage/layers/block_cache.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

core::page_key key_of(std::uint32_t block) {
  return {.tablespace = 1663, .database = 5, .relation = 16384, .block = block};
}
core::bytes value_of(std::uint32_t block, std::uint64_t at) {
  core::bytes value(20 + block % 50);
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::uint8_t>(block * 7 + at + i / 4);
  return value;
}

}  // namespace

namespace layer_file_test {
struct fixture {
  tests::temp_dir directory;
  core::tenant_id tenant = core::make_id<core::tenant_id>();
  core::timeline_id timeline = core::make_id<core::timeline_id>();
  block_cache cache{4u << 20};

  layer_identity identity(const layer_record& layer) const { return {tenant, timeline, layer}; }
  std::string path_of(const layer_record& layer) const { return (directory / layer_file_name(layer)).string(); }

  /// Every second block from 0 on, with versions at 100, 110, ... of each.
  layer_record write(std::uint32_t blocks, std::uint32_t versions, bool compress = true) {
    auto writer = layer_writer::create({.directory = directory.path().string(),
                                        .tenant = tenant,
                                        .timeline = timeline,
                                        .number = 7,
                                        .compress = compress,
                                        .block_size_bytes = 1024});
    BOOST_TEST_REQUIRE(writer);
    for (std::uint32_t block = 0; block < blocks; ++block)
      for (std::uint32_t version = versions; version-- > 0;) {
        const std::uint64_t at = 100 + 10 * version;
        BOOST_TEST_REQUIRE((*writer)->add(key_of(2 * block), core::lsn(at), value_of(2 * block, at)));
      }
    auto done = (*writer)->finish({.number = 7,
                                   .kind = layer_kind::delta,
                                   .level = 1,
                                   .keys = {key_of(0), key_of(2 * blocks)},
                                   .begin = core::lsn(100),
                                   .end = core::lsn(1000)});
    BOOST_TEST_REQUIRE(done);
    return *done;
  }
  core::result<std::shared_ptr<const layer_reader>> open(const layer_record& layer) {
    return layer_reader::open(path_of(layer), identity(layer), cache);
  }
};

}  // namespace layer_file_test
using layer_file_test::fixture;

BOOST_AUTO_TEST_SUITE(storage_layers_layer_file)

BOOST_AUTO_TEST_CASE(every_version_is_found_where_it_was_written) {
  fixture of;
  const layer_record layer = of.write(200, 5);
  const auto reader = of.open(layer);
  BOOST_TEST_REQUIRE(reader);
  auto cursor = (*reader)->cursor({});
  for (std::uint32_t block = 0; block < 200; ++block) {
    for (std::uint64_t at = 95; at < 150; at += 5) {
      const bool found = cursor.find(key_of(2 * block), core::lsn(at));
      BOOST_TEST_REQUIRE(found == (at >= 100));
      if (!found) continue;
      const std::uint64_t newest = std::min<std::uint64_t>(at / 10 * 10, 140);
      BOOST_TEST_REQUIRE(cursor.at().value == newest);
      BOOST_TEST_REQUIRE(std::ranges::equal(cursor.value(), value_of(2 * block, newest)));
    }
    BOOST_TEST_REQUIRE(!cursor.find(key_of(2 * block + 1), core::lsn::max()));
    BOOST_TEST_REQUIRE(cursor.failure() == nullptr);
  }
}

BOOST_AUTO_TEST_CASE(a_scan_sees_keys_ascending_and_versions_newest_first) {
  fixture of;
  const auto reader = of.open(of.write(100, 3));
  BOOST_TEST_REQUIRE(reader);
  auto cursor = (*reader)->cursor({.fill_cache = false});
  bool valid = cursor.seek(key_of(51), core::lsn::max());
  for (std::uint32_t block = 52; block < 200; block += 2)
    for (std::uint64_t at : {120, 110, 100}) {
      BOOST_TEST_REQUIRE(valid);
      BOOST_TEST_REQUIRE(cursor.key() == key_of(block));
      BOOST_TEST_REQUIRE(cursor.at().value == at);
      valid = cursor.next();
    }
  BOOST_TEST(!valid);
  BOOST_TEST(cursor.failure() == nullptr);
}

BOOST_AUTO_TEST_CASE(large_values_and_single_blocks_work) {
  fixture of;
  auto writer = layer_writer::create({.directory = of.directory.path().string(),
                                      .tenant = of.tenant,
                                      .timeline = of.timeline,
                                      .number = 1,
                                      .compress = true});
  BOOST_TEST_REQUIRE(writer);
  const core::bytes large(3'000'000, 9);
  BOOST_TEST_REQUIRE((*writer)->add(key_of(1), core::lsn(8), large));
  BOOST_TEST_REQUIRE((*writer)->add(key_of(2), core::lsn::max(), {}));
  const auto layer =
      (*writer)->finish({.number = 1, .keys = {key_of(0), key_of(9)}, .begin = core::lsn(8), .end = core::lsn::max()});
  BOOST_TEST_REQUIRE(layer);
  const auto reader = of.open(*layer);
  BOOST_TEST_REQUIRE(reader);
  auto cursor = (*reader)->cursor({});
  BOOST_TEST_REQUIRE(cursor.find(key_of(1), core::lsn::max()));
  BOOST_TEST(std::ranges::equal(cursor.value(), large));
  BOOST_TEST_REQUIRE(cursor.find(key_of(2), core::lsn::max()));
  BOOST_TEST(cursor.value().empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_in_memory_would_block) {
  fixture of;
  const auto reader = of.open(of.write(300, 2));
  BOOST_TEST_REQUIRE(reader);
  auto waiting = (*reader)->cursor({.memory_only = true});
  BOOST_TEST_REQUIRE(!waiting.find(key_of(40), core::lsn(500)));
  BOOST_TEST_REQUIRE(waiting.failure() != nullptr);
  BOOST_TEST(waiting.failure()->code == core::errc::would_block);
  BOOST_TEST_REQUIRE((*reader)->cursor({}).find(key_of(40), core::lsn(500)));
  BOOST_TEST(waiting.find(key_of(40), core::lsn(500)));
  BOOST_TEST(waiting.failure() == nullptr);
}

BOOST_AUTO_TEST_CASE(layers_of_two_generations_with_one_number_are_two_files) {
  layer_record layer{.number = 7, .keys = {key_of(0), key_of(2)}, .begin = core::lsn(1), .end = core::lsn(2)};
  const std::string first = layer_file_name(layer);
  layer.generation = core::generation(0x1B);
  BOOST_TEST(layer_file_name(layer) != first);
  BOOST_TEST(layer_file_name(layer).ends_with("__0000001B.delta"), layer_file_name(layer));
  const auto seed_of = [](std::uint32_t generation) {
    return block_format::file_seed({}, {}, 7, core::generation(generation));
  };
  BOOST_TEST(seed_of(1) != seed_of(2));
}

BOOST_AUTO_TEST_CASE(a_layer_under_a_false_name_is_refused) {
  fixture of;
  const layer_record layer = of.write(10, 1);
  const auto refused = [&](layer_identity claimed) {
    const auto opened = layer_reader::open(of.path_of(layer), claimed, of.cache);
    return !opened && opened.error().code == core::errc::corrupt &&
           opened.error().detail.find(of.path_of(layer)) != std::string::npos;
  };
  layer_identity claimed = of.identity(layer);
  BOOST_TEST(!refused(claimed));
  claimed.timeline = core::make_id<core::timeline_id>();
  BOOST_TEST(refused(claimed));
  claimed = of.identity(layer);
  claimed.layer.end = core::lsn(1001);
  BOOST_TEST(refused(claimed));
  claimed = of.identity(layer);
  ++claimed.layer.number;
  BOOST_TEST(refused(claimed));
  claimed = of.identity(layer);
  claimed.layer.generation = core::generation(2);
  BOOST_TEST(refused(claimed));
  claimed = of.identity(layer);
  ++claimed.layer.size_bytes;
  BOOST_TEST(refused(claimed));
}

BOOST_AUTO_TEST_CASE(no_damaged_byte_gives_wrong_data) {
  fixture of;
  const layer_record layer = of.write(20, 2);
  const std::string path = of.path_of(layer);
  std::size_t undetected = 0;
  for (std::uint64_t offset = 0; offset < layer.size_bytes; ++offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char right = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(right ^ (1 << offset % 8)));
    file.flush();

    block_cache fresh(1u << 20);
    const auto reader = layer_reader::open(path, of.identity(layer), fresh);
    bool detected = !reader;
    if (reader) {
      auto cursor = (*reader)->cursor({.fill_cache = false});
      std::size_t seen = 0;
      for (bool valid = cursor.seek(core::page_key::min(), core::lsn::max()); valid; valid = cursor.next(), ++seen) {
        BOOST_TEST_REQUIRE((cursor.key() == key_of(static_cast<std::uint32_t>(seen / 2 * 2))), "offset " << offset);
        BOOST_TEST_REQUIRE(std::ranges::equal(cursor.value(), value_of(cursor.key().block, cursor.at().value)));
      }
      detected = cursor.failure() != nullptr;
      BOOST_TEST_REQUIRE((detected || seen == 40u), "offset " << offset << " lost versions");
      if (detected) {
        BOOST_TEST_REQUIRE(cursor.failure()->code == core::errc::corrupt);
        BOOST_TEST_REQUIRE(cursor.failure()->detail.find(path) != std::string::npos);
        BOOST_TEST_REQUIRE(cursor.failure()->detail.find("offset") != std::string::npos);
      }
      for (std::uint32_t block = 0; !detected && block < 40; ++block) {
        const bool found = cursor.find(key_of(block), core::lsn(500));
        if (cursor.failure() != nullptr)
          detected = true;
        else
          BOOST_TEST_REQUIRE(found == (block % 2 == 0), "offset " << offset << " hides block " << block);
      }
    }
    if (!detected) ++undetected;
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(right);
  }
  BOOST_TEST(undetected == 0u);
}

BOOST_AUTO_TEST_CASE(a_truncated_file_is_refused) {
  fixture of;
  const layer_record layer = of.write(40, 3);
  std::filesystem::resize_file(of.path_of(layer), layer.size_bytes - 1);
  const auto reader = of.open(layer);
  BOOST_TEST_REQUIRE(!reader.has_value());
  BOOST_TEST(reader.error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(an_unfinished_layer_leaves_nothing) {
  fixture of;
  {
    auto writer = layer_writer::create(
        {.directory = of.directory.path().string(), .tenant = of.tenant, .timeline = of.timeline, .number = 1});
    BOOST_TEST_REQUIRE(writer);
    BOOST_TEST_REQUIRE((*writer)->add(key_of(1), core::lsn(8), value_of(1, 8)));
    BOOST_TEST(!std::filesystem::is_empty(of.directory.path()));
  }
  BOOST_TEST(std::filesystem::is_empty(of.directory.path()));
}

BOOST_AUTO_TEST_SUITE_END()
