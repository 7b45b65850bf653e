// How long does a page take to rebuild from its stored block records, and a record to store? (goal: 2 us for a page of
// one record, 0.3 us for each further one)

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "pg/page/checksum.hpp"
#include "pg/redo/redo.hpp"
#include "tests/pg/redo/redo_sample.hpp"

namespace {

using namespace strata;
using tests::payload;
using tests::sample;

using chain = std::vector<core::bytes>;

core::bytes stored(const pg::redo::block_record& of) {
  core::bytes bytes(pg::redo::encoded_size(of));
  pg::redo::encode(of, bytes.data());
  return bytes;
}

void rebuild(const chain& records, core::bytes_span page) {
  std::uint64_t end = 1000;
  for (const core::bytes& each : records) {
    const auto record = pg::redo::decode_block_record(each);
    if (!record || !pg::redo::apply(*record, core::lsn(end += 8), {}, page)) std::abort();
  }
}

core::bytes update_main(std::uint16_t old_at, std::uint16_t new_at) {
  return payload()
      .put<std::uint32_t>(900)
      .put(old_at)
      .put<std::uint8_t>(0)
      .put<std::uint8_t>(0x60)
      .put<std::uint32_t>(0)
      .put(new_at);
}

/// A first record that makes the page, then hot updates of its one row as pgbench makes them.
chain updates(std::size_t count) {
  chain records{stored(tests::heap_insert(1, std::string(70, 'x'), true).record())};
  for (std::uint16_t at = 1; at <= count; ++at) {
    const sample update{.manager = pg::wal::resource_manager::heap,
                        .info = 0x40,
                        .main_data = update_main(at, static_cast<std::uint16_t>(at + 1)),
                        .data = payload()
                                    .put<std::uint16_t>(8)
                                    .put<std::uint16_t>(58)
                                    .put<std::uint16_t>(0x8004)
                                    .put<std::uint16_t>(0x2802)
                                    .put<std::uint8_t>(24)
                                    .put<std::uint8_t>(0)
                                    .put<std::uint32_t>(at)};
    records.push_back(stored(update.record()));
  }
  return records;
}

chain index_inserts(std::size_t count) {
  sample root{.manager = pg::wal::resource_manager::btree,
              .info = 0xA0,
              .main_data = payload().put<std::uint32_t>(5).put<std::uint32_t>(0),
              .will_init = true};
  chain records{stored(root.record())};
  for (std::uint16_t at = 1; at <= count; ++at) {
    const sample insert{
        .manager = pg::wal::resource_manager::btree,
        .info = 0x00,
        .main_data = payload().put(static_cast<std::uint16_t>((at + 1) / 2)),
        .data = payload().put<std::uint32_t>(0).put<std::uint16_t>(1).put<std::uint16_t>(16).put<std::uint64_t>(at)};
    records.push_back(stored(insert.record()));
  }
  return records;
}

chain image() {
  static const core::bytes page = [] {
    core::bytes bytes(pg::page_size);
    rebuild(updates(60), bytes);
    return bytes;
  }();
  auto record = sample{.manager = pg::wal::resource_manager::xlog, .info = 0xB0}.record();
  record.has_image = true;
  record.image.stored = page;
  return {stored(record)};
}

void measure_chain(benchmark::State& state, const chain& records) {
  alignas(64) std::array<std::uint8_t, pg::page_size> page{};
  for (auto _ : state) {
    rebuild(records, page);
    benchmark::DoNotOptimize(page);
  }
  state.counters["records"] = static_cast<double>(records.size());
}

void page_of_one_image(benchmark::State& state) { measure_chain(state, image()); }
void page_of_one_insert(benchmark::State& state) { measure_chain(state, updates(0)); }
void page_of_hot_updates(benchmark::State& state) {
  measure_chain(state, updates(static_cast<std::size_t>(state.range(0))));
}
void page_of_index_inserts(benchmark::State& state) {
  measure_chain(state, index_inserts(static_cast<std::size_t>(state.range(0))));
}

void store_a_record(benchmark::State& state) {
  const chain records = updates(1);
  const auto record = pg::redo::decode_block_record(records[1]).value();
  core::bytes to(pg::redo::encoded_size(record));
  for (auto _ : state) {
    if (pg::redo::encoded_size(record) != to.size()) std::abort();
    pg::redo::encode(record, to.data());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
}

void checksum_of_a_page(benchmark::State& state) {
  alignas(64) std::array<std::uint8_t, pg::page_size> page{};
  rebuild(updates(60), page);
  for (auto _ : state) benchmark::DoNotOptimize(pg::page::page_checksum(page, 7));
}

BENCHMARK(page_of_one_image);
BENCHMARK(page_of_one_insert);
BENCHMARK(page_of_hot_updates)->Arg(10)->Arg(60);
BENCHMARK(page_of_index_inserts)->Arg(10)->Arg(200);
BENCHMARK(store_a_record);
BENCHMARK(checksum_of_a_page);

}  // namespace

BENCHMARK_MAIN();
