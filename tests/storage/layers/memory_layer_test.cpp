#include "storage/layers/memory_layer.hpp"

#include <malloc.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "storage/key_space.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

core::page_key key_of(std::uint32_t block) { return relation_page_key({1663, 5, 16384, pg::fork::main}, block); }
void put(write_batch& batch, const core::page_key& key, std::uint64_t at, std::uint8_t byte, std::size_t size = 10) {
  batch.put_image(key, core::lsn(at), core::bytes(size, byte));
}
std::vector<std::uint64_t> lsns(const memory_layer& layer, const core::page_key& key, std::uint64_t at) {
  std::vector<std::uint64_t> found;
  for (auto version = layer.find(key, core::lsn(at)); version.valid(); version.next())
    found.push_back(version.at().value);
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_layers_memory_layer)

BOOST_AUTO_TEST_CASE(versions_come_newest_first_from_the_one_asked_for) {
  memory_layer layer(core::lsn(1));
  write_batch batch;
  for (std::uint64_t at : {8, 16, 24}) put(batch, key_of(1), at, 1);
  put(batch, key_of(2), 16, 2);
  layer.append(std::move(batch));
  BOOST_TEST((lsns(layer, key_of(1), 24) == std::vector<std::uint64_t>{24, 16, 8}));
  BOOST_TEST((lsns(layer, key_of(1), 23) == std::vector<std::uint64_t>{16, 8}));
  BOOST_TEST((lsns(layer, key_of(1), 7) == std::vector<std::uint64_t>{}));
  BOOST_TEST((lsns(layer, key_of(3), 99) == std::vector<std::uint64_t>{}));
}

BOOST_AUTO_TEST_CASE(an_empty_layer_takes_next_to_no_memory) {
  const auto in_use = [] {
    const auto heap = ::mallinfo2();
    return heap.uordblks + heap.hblkhd;
  };
  constexpr std::size_t count = 256;
  std::vector<std::unique_ptr<memory_layer>> layers;
  layers.reserve(count);
  const std::size_t before = in_use();
  for (std::size_t i = 0; i < count; ++i) layers.push_back(std::make_unique<memory_layer>(core::lsn(1)));
  const std::size_t each = (in_use() - before) / count;
  BOOST_TEST_MESSAGE(each << " bytes each");
  BOOST_TEST(each < 4096u);
}

BOOST_AUTO_TEST_CASE(a_layer_grows_over_many_segments_while_it_is_read) {
  // More versions than the first directory of segments has room for, and keys, too.
  constexpr std::uint32_t count = 600'000;
  memory_layer layer(core::lsn(1));
  std::atomic<std::uint32_t> written{0};
  std::atomic<bool> wrong{false};
  std::thread reader([&] {
    for (std::uint32_t seen = 0; seen < count;) {
      seen = written.load(std::memory_order_acquire);
      for (std::uint32_t block = seen / 2; block < seen; block += 1 + seen / 64)
        wrong = wrong || lsns(layer, key_of(block), block + 1) != std::vector<std::uint64_t>{block + 1};
    }
  });
  for (std::uint32_t block = 0; block < count;) {
    write_batch batch;
    for (std::uint32_t end = block + 5000; block < end; ++block) put(batch, key_of(block), block + 1, 7, 1);
    layer.append(std::move(batch));
    written.store(block, std::memory_order_release);
  }
  reader.join();
  BOOST_TEST(!wrong.load());
}

BOOST_AUTO_TEST_CASE(the_last_of_several_versions_at_one_lsn_wins) {
  memory_layer layer(core::lsn(1));
  write_batch batch;
  put(batch, key_of(1), 8, 1);
  put(batch, key_of(1), 16, 2);
  put(batch, key_of(1), 16, 3);
  layer.append(std::move(batch));
  BOOST_TEST((lsns(layer, key_of(1), 16) == std::vector<std::uint64_t>{16, 8}));
  BOOST_TEST(layer.find(key_of(1), core::lsn(16)).value()[1] == 3);
}

BOOST_AUTO_TEST_CASE(full_batches_are_adopted_and_nearly_empty_ones_copied) {
  memory_layer layer(core::lsn(1));
  write_batch full(64u << 10);
  std::uint64_t at = 8;
  for (; full.value_bytes() < (1u << 20); at += 8) put(full, key_of(static_cast<std::uint32_t>(at)), at, 5, 1000);
  const std::uint8_t* adopted = full.entries().back().value;
  layer.append(std::move(full));
  BOOST_TEST((layer.find(key_of(static_cast<std::uint32_t>(at - 8)), core::lsn::max()).value().data() == adopted));

  write_batch sparse(64u << 10);
  put(sparse, key_of(1), at, 6);
  const std::uint8_t* copied = sparse.entries().back().value;
  layer.append(std::move(sparse));
  BOOST_TEST((layer.find(key_of(1), core::lsn::max()).value().data() != copied));
  BOOST_TEST(layer.find(key_of(1), core::lsn::max()).value()[5] == 6);
}

BOOST_AUTO_TEST_CASE(keys_are_listed_in_order) {
  memory_layer layer(core::lsn(1));
  write_batch batch;
  for (std::uint32_t i = 0; i < 20000; ++i) put(batch, key_of(i * 7919 % 20000), 8 + i * 8, 1);
  put(batch, two_phase_key(7), 160008, 1);
  put(batch, two_phase_key(3), 160016, 1);
  layer.append(std::move(batch));
  layer.freeze(core::lsn(160017), core::lsn(1));
  std::vector<core::page_key> keys;
  const auto visited = layer.visit_sorted([&](const core::page_key& key, core::lsn, core::bytes_view) {
    keys.push_back(key);
    return core::result<void>();
  });
  BOOST_TEST(visited);
  BOOST_TEST_REQUIRE(keys.size() == 20002u);
  BOOST_TEST(std::is_sorted(keys.begin(), keys.end()));
  const auto sparse = layer.sparse_keys(kind_range(key_kind::two_phase));
  BOOST_TEST_REQUIRE(sparse.size() == 2u);
  BOOST_TEST((sparse[0] == two_phase_key(3) && sparse[1] == two_phase_key(7)));
  BOOST_TEST(layer.sparse_keys(kind_range(key_kind::control_file)).empty());
}

BOOST_AUTO_TEST_CASE(a_sorted_visit_shows_each_lsn_once_newest_first) {
  memory_layer layer(core::lsn(1));
  write_batch batch;
  put(batch, key_of(2), 8, 1);
  put(batch, key_of(1), 16, 2);
  put(batch, key_of(1), 16, 3);
  put(batch, key_of(2), 24, 4);
  layer.append(std::move(batch));
  layer.freeze(core::lsn(25), core::lsn(1));
  std::vector<std::tuple<std::uint32_t, std::uint64_t, int>> seen;
  const auto visited = layer.visit_sorted([&](const core::page_key& key, core::lsn at, core::bytes_view value) {
    seen.emplace_back(key.block, at.value, value[1]);
    return core::result<void>();
  });
  BOOST_TEST(visited);
  BOOST_TEST((seen == std::vector<std::tuple<std::uint32_t, std::uint64_t, int>>{{1, 16, 3}, {2, 24, 4}, {2, 8, 1}}));
}

BOOST_AUTO_TEST_CASE(readers_beside_the_writer_see_all_that_was_published) {
  memory_layer layer(core::lsn(1));
  std::atomic<std::uint64_t> published{0};
  std::atomic<bool> wrong{false};
  std::vector<std::thread> readers;
  for (std::uint32_t seed = 0; seed < 2; ++seed)
    readers.emplace_back([&, seed] {
      std::uint32_t block = seed;
      while (published.load(std::memory_order_acquire) < 400000 && !wrong) {
        const std::uint64_t at = published.load(std::memory_order_acquire);
        if (at == 0) continue;
        block = (block * 31 + 7) % 5000;
        const auto found = layer.find(key_of(block), core::lsn(at));
        // Block b has versions at the LSNs 8 * (b + 1 + k * 5000).
        const std::uint64_t round = at / 8;
        const bool expected = round > block;
        if (found.valid() != expected) wrong = true;
        if (expected && found.at().value != 8 * (block + 1 + (round - block - 1) / 5000 * 5000)) wrong = true;
      }
    });
  std::uint64_t at = 0;
  while (at < 400000) {
    write_batch batch;
    for (int i = 0; i < 100; ++i) {
      at += 8;
      put(batch, key_of(static_cast<std::uint32_t>((at / 8 - 1) % 5000)), at, 1);
    }
    layer.append(std::move(batch));
    published.store(at, std::memory_order_release);
  }
  for (auto& reader : readers) reader.join();
  BOOST_TEST(!wrong);
}

BOOST_AUTO_TEST_CASE(a_batch_finds_its_own_newest_values) {
  write_batch batch;
  BOOST_TEST(batch.newest(key_of(1)).empty());
  for (std::uint32_t i = 0; i < 1000; ++i) put(batch, key_of(i % 300), 8 + i, static_cast<std::uint8_t>(i));
  BOOST_TEST_REQUIRE(batch.newest(key_of(5)).size() == 11u);
  BOOST_TEST(batch.newest(key_of(5))[1] == static_cast<std::uint8_t>(905));
  put(batch, key_of(5), 5000, 77);
  BOOST_TEST(batch.newest(key_of(5))[1] == 77);
  BOOST_TEST(batch.newest(key_of(300)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
