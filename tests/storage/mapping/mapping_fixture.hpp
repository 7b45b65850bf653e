#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pg/files/checkpoint.hpp"
#include "pg/wal/record.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/directory.hpp"
#include "storage/mapping/ingest.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "tests/support/timeline_home.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::tests {

/// A pg_control of Postgres 15 that decodes.
core::bytes make_control_file(const pg::files::checkpoint& counters, std::uint32_t checksum_version = 0);

/// A timeline with an empty cluster at `start`, and ingest on it. Records are made visible one by one unless hold() was
/// called: then they stay in one batch until release().
struct mapping_fixture : timeline_home {
  explicit mapping_fixture(const pg::files::checkpoint& counters = first_counters());
  static pg::files::checkpoint first_counters();

  /// The LSN behind the record. Fails the test when it is refused.
  core::lsn ingest(const wal_record& record);
  /// memory_only: as on a thread that must not block.
  core::result<void> try_ingest(const wal_record& record, storage::read_mode mode = storage::read_mode::may_block);
  void hold() { held = true; }
  void release();
  void hand_over();
  void restart_ingest();

  [[nodiscard]] std::optional<std::uint32_t> size(const pg::relation_fork& of) { return size(of, now()); }
  [[nodiscard]] std::optional<std::uint32_t> size(const pg::relation_fork& of, core::lsn at);
  [[nodiscard]] core::bytes page(const core::page_key& key) { return page(key, now()); }
  [[nodiscard]] core::bytes page(const core::page_key& key, core::lsn at);
  [[nodiscard]] core::bytes page(const pg::relation_fork& of, pg::block_number block) {
    return page(storage::relation_page_key(of, block));
  }
  [[nodiscard]] std::optional<core::bytes> value(const core::page_key& key);
  [[nodiscard]] pg::files::checkpoint counters();
  [[nodiscard]] core::lsn now() const { return store->last_record_lsn(); }

  core::lsn start;
  core::lsn next;
  core::lsn previous;
  bool held = false;
  storage::write_batch batch;
  std::unique_ptr<storage::mapping::wal_ingest> ingestion;
};

/// Little-endian integers behind each other.
template <class... Integers>
core::bytes payload_of(Integers... values) {
  core::bytes to;
  (core::append_le(to, values), ...);
  return to;
}

/// A page whose body is filled with one byte.
core::bytes make_page(std::uint8_t fill);
/// A record that writes a whole page.
wal_record page_image(const pg::relation_fork& of, pg::block_number block, const core::bytes& page);
/// The page as it is read: with the record's end in its header.
core::bytes stamped(core::bytes page, core::lsn end);
bool all_zero(const core::bytes& page);

}  // namespace strata::tests
