// How long does a page take to rebuild from an image and 1, 10 or 100 records of real WAL: by redo alone, from the
// memory layer, and from a layer file in a warm cache?

#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "actors/pageserver/ingest/wal_decoder.hpp"
#include "bench/demand.hpp"
#include "bench/imported_timeline.hpp"
#include "bench/wal_source.hpp"
#include "pg/redo/redo.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/key_space.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using actors::pageserver::wal_decoder;

constexpr std::array chain_lengths{1, 10, 100};
constexpr std::uint32_t pages = 64;

struct stored_record {
  core::bytes bytes;
  core::lsn end;
};

/// The relation whose pages have been updated this many times since their full-page image.
struct chain {
  int length = 0;
  pg::relation_fork relation;
  std::array<std::vector<stored_record>, pages> records;  ///< from the image on
};

std::string table_name(int length) { return "updated_" + std::to_string(length); }

/// 64 pages with one small row each, so that every update finds room on the page.
void make_table(tests::sql_session& session, int length) {
  const std::string name = table_name(length);
  session.execute("CREATE TABLE " + name + " (id int, n int) WITH (autovacuum_enabled = off)");
  session.execute("INSERT INTO " + name + " SELECT i, 0 FROM generate_series(1, 20000) i");
  session.execute("DELETE FROM " + name +
                  " WHERE ctid NOT IN (SELECT ('(' || b || ',1)')::tid FROM generate_series(0, " +
                  std::to_string(pages - 1) + ") b)");
  session.execute("VACUUM " + name);
}

/// The image comes with the first update after the backup's checkpoint; `length` plain ones follow.
void update(tests::sql_session& session, int length) {
  session.execute("DO $$ BEGIN FOR i IN 0.." + std::to_string(length) + " LOOP UPDATE " + table_name(length) +
                  " SET n = n + 1; END LOOP; END $$");
}

void collect_chains(const wal_source& source, const wal_range& range, std::vector<chain>& chains) {
  pg::wal::stream_decoder_options options;
  options.start = range.begin;
  pg::wal::stream_decoder decoder(options);
  const auto record = std::make_unique<pg::wal::record>();
  const auto add = [&](std::size_t index) {
    const pg::wal::block_reference& block = record->blocks[index];
    for (chain& each : chains) {
      if (block.relation != each.relation || block.block >= pages) continue;
      const pg::redo::block_record slice = pg::redo::slice(*record, index);
      stored_record stored{core::bytes(pg::redo::encoded_size(slice)), record->end};
      pg::redo::encode(slice, stored.bytes.data());
      each.records[block.block].push_back(std::move(stored));
    }
  };
  source.read_wal(range, [&](core::lsn, core::bytes_view piece) {
    decoder.feed(piece);
    while (const auto framed = demand(decoder.next())) {
      demand(pg::wal::parse_record(framed->bytes, framed->start, framed->end, pg::major_version::v15, *record));
      for (std::size_t i = 0; i < record->block_count; ++i) add(i);
    }
  });
}

void redo(const chain& of, std::uint32_t block, core::bytes_span page) {
  for (const stored_record& each : of.records[block])
    demand(pg::redo::apply(demand(pg::redo::decode_block_record(each.bytes)), each.end, {}, page));
}

void read(const storage::timeline_store& store, const chain& of, std::uint32_t block, core::bytes_span page) {
  std::array reads{storage::page_read{storage::relation_page_key(of.relation, block), page, {}}};
  store.read_pages(reads, store.last_record_lsn(), storage::read_mode::may_block);
  if (reads[0].failure) throw std::runtime_error(core::to_string(*reads[0].failure));
}

/// Numbers of wrong pages, or of other chains than asked for, would say nothing.
void check(const storage::timeline_store& store, const chain& of) {
  core::bytes expected(pg::page_size);
  core::bytes found(pg::page_size);
  for (std::uint32_t block = 0; block < pages; ++block) {
    if (of.records[block].size() != static_cast<std::size_t>(of.length) + 1)
      throw std::runtime_error("a chain of " + std::to_string(of.records[block].size()) + " records");
    redo(of, block, expected);
    read(store, of, block, found);
    if (found != expected) throw std::runtime_error("the store rebuilds another page than redo");
  }
}

template <class Rebuild>
void measure(benchmark::State& state, const chain& of, const Rebuild& rebuild) {
  alignas(64) std::array<std::uint8_t, pg::page_size> page{};
  std::uint32_t block = 0;
  for (auto _ : state) {
    rebuild(of, block++ % pages, page);
    benchmark::DoNotOptimize(page);
  }
  state.counters["per_record"] =
      benchmark::Counter(static_cast<double>(of.length + 1) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <class Rebuild>
void add_benchmarks(const std::string& where, const std::vector<chain>& chains, const Rebuild& rebuild) {
  for (const chain& each : chains)
    benchmark::RegisterBenchmark((where + "/image+" + std::to_string(each.length)).c_str(),
                                 [&each, rebuild](benchmark::State& state) { measure(state, each, rebuild); })
        ->Unit(benchmark::kMicrosecond);
}

void add_store(const std::string& where, const storage::timeline_store& store, const std::vector<chain>& chains) {
  for (const chain& each : chains) check(store, each);
  add_benchmarks(where, chains, [&store](const chain& of, std::uint32_t block, core::bytes_span page) {
    read(store, of, block, page);
  });
}

/// Takes in all WAL up to `end`, which stays in memory.
core::lsn ingest(const wal_source& source, const imported_timeline& home, core::lsn end) {
  const auto decoder = demand(wal_decoder::open(home.store()));
  const core::lsn begin = decoder->position();
  source.read_wal({begin, end}, [&](core::lsn, core::bytes_view piece) {
    demand(decoder->feed(piece));
    for (auto progress = wal_decoder::progress::barrier; progress != wal_decoder::progress::used_up;) {
      progress = demand(decoder->work());
      if (decoder->has_batch()) home.store()->append(std::move(*decoder->take_batch()));
      if (progress == wal_decoder::progress::barrier) decoder->passed_barrier();
      if (progress == wal_decoder::progress::needs_disk) demand(decoder->take_disk_step()());
    }
  });
  return begin;
}

void measure_all() {
  wal_source source(1);
  std::vector<chain> chains;
  {
    tests::sql_session session(source.cluster().conninfo());
    for (const int length : chain_lengths) make_table(session, length);
  }
  const tar_backup backup = source.take_backup();
  tests::sql_session session(source.cluster().conninfo());
  const auto number = [&](const std::string& sql) {
    return static_cast<std::uint32_t>(std::stoul(session.value(sql)));
  };
  for (const int length : chain_lengths) {
    update(session, length);
    chains.push_back({.length = length,
                      .relation = {.tablespace = 1663,
                                   .database = number("SELECT oid FROM pg_database WHERE datname = 'postgres'"),
                                   .relation = number("SELECT pg_relation_filenode('" + table_name(length) + "')"),
                                   .fork = pg::fork::main}});
  }
  const core::lsn end = source.flushed();

  const imported_timeline in_memory(backup);
  const core::lsn begin = ingest(source, in_memory, end);
  const imported_timeline in_files(backup);
  ingest(source, in_files, end);
  in_files.store()->freeze();
  while (in_files.store()->frozen_count() > 0) demand(in_files.store()->flush_oldest());

  collect_chains(source, {begin, end}, chains);
  add_benchmarks("redo_alone", chains, redo);
  add_store("memory_layer", *in_memory.store(), chains);
  add_store("layer_file", *in_files.store(), chains);
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  try {
    measure_all();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
