#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::storage {

/// The column families of the metadata's RocksDB, by number. In digests of contents: never renumber. Keys of all of
/// them begin with a tenant's id.
enum class metadata_family : std::uint8_t {
  seals,
  tenants,
  timelines,
  layers,
  commit_times,
  wal_deletions,
  side_files
};
/// Those of a tenant's records; its seal covers them.
inline constexpr std::array record_families{metadata_family::tenants,       metadata_family::timelines,
                                            metadata_family::layers,        metadata_family::commit_times,
                                            metadata_family::wal_deletions, metadata_family::side_files};
inline constexpr std::size_t metadata_family_count = 7;
std::string_view to_string(metadata_family of);

/// A record put, or deleted when it has no value.
struct metadata_change {
  metadata_family family;
  std::string key;
  std::optional<core::bytes> value;
};

/// The RocksDB below the metadata store, as families of records. Thread safe. On the machine's disk RocksDB uses its
/// files directly, on another disk through rocksdb_files.hpp.
///
/// Recovery reads the log up to its first damage. The seals show whether that lost acknowledged records
/// (metadata_seal.hpp): RocksDB can't distinguish a log that was cut from one whose end a crash tore.
class metadata_database {
 public:
  enum class access {
    read,                      ///< changes nothing and deletes nothing
    write,                     ///< replays the log, removes obsolete files
    write_without_compaction,  ///< the same; damaged tables are left alone
  };
  static core::result<std::unique_ptr<metadata_database>> open(const std::string& path, access how,
                                                               io::disk& on = io::real_disk());
  /// Creates a new one, which appears under its path only when it is complete.
  static core::result<std::unique_ptr<metadata_database>> create(const std::string& path,
                                                                 io::disk& on = io::real_disk());
  virtual ~metadata_database() = default;

  virtual core::result<std::optional<core::bytes>> get(metadata_family from, const std::string& key) = 0;
  using visitor = std::function<bool(std::string_view key, core::bytes_view value)>;
  /// Visits records from `begin` on in key order, until the visitor returns false.
  virtual core::result<void> visit(metadata_family from, const std::string& begin, const visitor& each) = 0;
  /// The key of the last record at or before `key`.
  virtual core::result<std::optional<std::string>> last_key(metadata_family from, const std::string& key) = 0;
  /// All or nothing, durable on return. After a failure no further write is possible, and whether this one happened is
  /// unknown.
  virtual core::result<void> write(std::span<const metadata_change> changes) = 0;

  /// Visits the records whose keys begin with `prefix`.
  core::result<void> visit_prefix(metadata_family from, const std::string& prefix, const visitor& each);
};

}  // namespace strata::storage
