#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::storage {

class block_cache;

/// Everything a layer file must say of itself to be believed (docs/formats/layers.md). The level is not part of it.
struct layer_identity {
  core::tenant_id tenant;
  core::timeline_id timeline;
  layer_record layer;
};

/// Both hold versions in the order key ascending, LSN descending, in checksummed blocks. Which one a file has, its
/// first bytes say.
enum class layer_format : std::uint8_t {
  block = 1,  ///< our own (storage/layers/block_layer.hpp)
  table = 2,  ///< an SST table of RocksDB (storage/layers/table_layer.hpp)
};

/// What compaction writes.
inline constexpr layer_format compacted_format = layer_format::block;

struct layer_writer_options {
  std::string directory;
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::uint64_t number = 0;
  layer_format format = layer_format::block;
  bool compress = false;
  /// Makes the question for a key that the layer lacks cheap.
  bool filter = true;
  std::size_t block_size_bytes = 16u << 10;
};

/// Writes one layer file under a temporary name. The file exists under its own name, and survives a crash, once
/// finish() has returned; the destructor removes what was not finished. After an error only destruction is allowed;
/// errc::disk_full when space ran out. A failed fsync ends the process.
class layer_writer {
 public:
  static core::result<std::unique_ptr<layer_writer>> create(const layer_writer_options& options);
  virtual ~layer_writer() = default;

  /// Precondition: versions come in the order of the file, each once.
  virtual core::result<void> add(const core::page_key& key, core::lsn at, core::bytes_view value) = 0;
  /// Bytes of the file so far, about.
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
  /// The record's number must be the writer's. Returns it with size_bytes filled in.
  virtual core::result<layer_record> finish(layer_record layer) = 0;
};

struct layer_read_options {
  /// Fail with errc::would_block rather than read the disk.
  bool memory_only = false;
  /// Keep blocks in the cache; off for reading a whole layer once.
  bool fill_cache = true;
};

/// A position in a layer. A movement that gives false is at the end, or has failed; a failure does not outlive the next
/// find or seek. Damaged blocks are errc::corrupt, naming file and offset.
class layer_cursor {
 public:
  virtual ~layer_cursor() = default;
  /// To the newest version of exactly `key` at or below `at`; false when there is none. Asks the filter first.
  virtual bool find(const core::page_key& key, core::lsn at) = 0;
  /// To the newest version of `key` at or below `at`, or, if there is none, the first version of the next key.
  virtual bool seek(const core::page_key& key, core::lsn at) = 0;
  /// After find() it may stop at the end of the key, or go on.
  virtual bool next() = 0;
  [[nodiscard]] virtual const core::error* failure() const = 0;

  // Only after a movement that gave true. The value's view is valid until the next movement.
  [[nodiscard]] const core::page_key& key() const { return key_; }
  [[nodiscard]] core::lsn at() const { return at_; }
  [[nodiscard]] core::bytes_view value() const { return value_; }

 protected:
  core::page_key key_;
  core::lsn at_;
  core::bytes_view value_;
};

/// An open layer file. Any thread; cursors belong to one thread and must not outlive the reader.
class layer_reader {
 public:
  /// Opens and checks magic, version and identity; a mismatch is errc::corrupt (an unknown version errc::unsupported),
  /// naming the file.
  static core::result<std::shared_ptr<const layer_reader>> open(const std::string& path, const layer_identity& expected,
                                                                block_cache& cache);
  virtual ~layer_reader() = default;
  [[nodiscard]] virtual std::unique_ptr<layer_cursor> cursor(const layer_read_options& options) const = 0;
};

/// The order of versions in a file, as bytes: the key, then the LSN's complement, big-endian.
inline constexpr std::size_t version_key_size = core::page_key::encoded_size + 8;
inline void encode_version_key(const core::page_key& key, core::lsn at, std::uint8_t* to) {
  key.encode(to);
  core::store_be(to + core::page_key::encoded_size, ~at.value);
}

/// The fixed-size encoding of an identity (docs/formats/layers.md), level and size left out.
inline constexpr std::size_t encoded_identity_size = 16 + 16 + 8 + 1 + 18 + 18 + 8 + 8;
core::bytes encode_identity(const layer_identity& of);
/// errc::corrupt that says what differs.
core::result<void> check_identity(core::bytes_view found, const layer_identity& expected, const std::string& path);

}  // namespace strata::storage
