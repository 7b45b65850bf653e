#pragma once

#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include "core/clock.hpp"
#include "storage/key_space.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// A server's storage in a directory of its own, and shorthands for tests that write and read single values.
struct store_fixture {
  store_fixture() { open_server(); }

  void open_server() {
    auto opened = storage::metadata_store::open(directory.path().string());
    if (!opened) throw std::runtime_error(core::to_string(opened.error()));
    metadata = *std::move(opened);
    layers = std::make_unique<storage::layer_cache>(block_cache_bytes, 64);
  }
  void close_server() {
    layers.reset();
    metadata.reset();
  }

  storage::timeline_record new_record(core::lsn start) {
    storage::timeline_record record;
    record.tenant = tenant;
    record.id = core::make_id<core::timeline_id>();
    record.name = "main";
    record.disk_consistent_lsn = start;
    record.readable_from = start;
    return record;
  }
  std::string directory_of(const core::timeline_id& id) const { return (directory / core::to_string(id)).string(); }

  std::shared_ptr<storage::timeline_store> open(const storage::timeline_record& record,
                                                std::shared_ptr<storage::timeline_store> ancestor = nullptr) {
    auto opened = try_open(record, std::move(ancestor));
    if (!opened) throw std::runtime_error(core::to_string(opened.error()));
    return *std::move(opened);
  }
  core::result<std::shared_ptr<storage::timeline_store>> try_open(
      const storage::timeline_record& record, std::shared_ptr<storage::timeline_store> ancestor = nullptr) {
    return storage::timeline_store::open({.metadata = metadata.get(),
                                          .layers = layers.get(),
                                          .clock = &clock,
                                          .directory = directory_of(record.id),
                                          .generation = generation,
                                          .options = options},
                                         record, std::move(ancestor));
  }
  std::shared_ptr<storage::timeline_store> create(core::lsn start) {
    const auto record = new_record(start);
    expect(metadata->put_timeline(record));
    return open(record);
  }
  /// The record as it is stored now.
  storage::timeline_record stored(const core::timeline_id& id) {
    const auto records = expect(metadata->timelines(tenant));
    for (const auto& record : records)
      if (record.id == id) return record;
    throw std::runtime_error("timeline is not stored");
  }

  static void expect(const core::result<void>& done) {
    if (!done) throw std::runtime_error(core::to_string(done.error()));
  }
  template <class T>
  static T expect(core::result<T> done) {
    if (!done) throw std::runtime_error(core::to_string(done.error()));
    return *std::move(done);
  }

  /// A page whose bytes all depend on the number.
  static core::bytes page_of(std::uint32_t number) {
    core::bytes page(pg::page_size);
    std::minstd_rand random(number + 1);
    for (std::size_t i = 0; i < page.size(); i += 64) page[i] = static_cast<std::uint8_t>(random());
    return page;
  }
  static void put(storage::timeline_store& to, const core::page_key& key, core::lsn at, core::bytes_view image) {
    storage::write_batch batch;
    batch.put_image(key, at, image);
    batch.finish_record(at - 8, at);
    to.append(std::move(batch));
  }
  static void flush(storage::timeline_store& store) {
    store.freeze();
    while (store.frozen_count() > 0) expect(store.flush_oldest());
  }
  static core::result<core::bytes> read(const storage::timeline_store& from, const core::page_key& key, core::lsn at,
                                        storage::read_mode mode = storage::read_mode::may_block) {
    core::bytes page(pg::page_size);
    storage::page_read read{key, page, {}};
    from.read_pages({&read, 1}, at, mode);
    if (read.failure) return *read.failure;
    return page;
  }
  static core::page_key page(std::uint32_t block, std::uint32_t relation = 16384) {
    return storage::relation_page_key({1663, 5, relation, pg::fork::main}, block);
  }

  std::uint64_t block_cache_bytes = 8u << 20;
  temp_dir directory;
  core::tenant_id tenant = core::make_id<core::tenant_id>();
  core::generation generation{1};
  config::tenant_options options;
  core::manual_clock clock;
  std::unique_ptr<storage::metadata_store> metadata;
  std::unique_ptr<storage::layer_cache> layers;
};

}  // namespace strata::tests
