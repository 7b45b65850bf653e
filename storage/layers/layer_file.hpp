#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "io/file.hpp"
#include "storage/layers/block_cache.hpp"
#include "storage/layers/block_layer_format.hpp"
#include "storage/records.hpp"

namespace strata::storage {

/// The identity that a layer file must have to be used (docs/formats/layers.md). Level and residency are not part of
/// it.
struct layer_identity {
  core::tenant_id tenant;
  core::timeline_id timeline;
  layer_record layer;
};

struct layer_writer_options {
  io::disk* disk = &io::real_disk();
  std::string directory;
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::uint64_t number = 0;
  core::generation generation{1};
  bool compress = false;
  /// Makes a lookup of a missing key cheap.
  bool filter = true;
  std::size_t block_size_bytes = 16u << 10;
};

/// Writes one layer file under a temporary name. It has its own name, and survives a crash, once finish() has returned;
/// the destructor removes an unfinished file. After an error only destruction is allowed; errc::disk_full when space
/// ran out. A failed fsync ends the process.
class layer_writer final {
 public:
  static core::result<std::unique_ptr<layer_writer>> create(const layer_writer_options& options);

  /// Precondition: versions come in the order of the file (key ascending, LSN descending), each once.
  core::result<void> add(const core::page_key& key, core::lsn at, core::bytes_view value);
  /// Approximate size of the file so far.
  [[nodiscard]] std::uint64_t size_bytes() const { return file_.size() + block_.size(); }
  /// The record's number must be the writer's. Returns it with generation and size_bytes filled in.
  core::result<layer_record> finish(layer_record layer);

 private:
  layer_writer(const layer_writer_options& options, io::new_file file);
  core::result<void> end_block();
  core::result<block_format::block_place> write_block(core::bytes_view content);

  layer_writer_options options_;
  io::new_file file_;
  std::uint64_t seed_;
  block_format::entry_encoder entries_;
  core::bytes block_;
  std::size_t block_versions_ = 0;
  core::bytes packed_;
  core::bytes index_;
  core::page_key first_key_;  ///< of the block
  core::lsn first_at_;        ///< of the block
  core::page_key last_key_;
  std::vector<std::uint64_t> hashes_;
  std::uint64_t versions_ = 0;
};

struct layer_read_options {
  /// Fail with errc::would_block rather than read the disk.
  bool memory_only = false;
  /// Keep blocks in the cache; off for reading a whole layer once.
  bool fill_cache = true;
};

class layer_reader;

/// A position in a layer. A move that returns false is at the end, or has failed; the next find or seek clears the
/// failure. Damaged blocks are errc::corrupt, naming file and offset.
class layer_cursor final {
 public:
  layer_cursor(const layer_reader& layer, const layer_read_options& options) : layer_(&layer), options_(options) {}

  /// Moves to the newest version of exactly `key` at or below `at`; false when there is none. Asks the filter first.
  bool find(const core::page_key& key, core::lsn at);
  /// Moves to the newest version of `key` at or below `at`, or, if there is none, the first version of the next key.
  bool seek(const core::page_key& key, core::lsn at);
  /// After find() it may stop at the end of the key, or continue after it.
  bool next() { return advance() && take(); }
  [[nodiscard]] const core::error* failure() const { return failure_ ? &*failure_ : nullptr; }

  // Only after a move that returned true. The value's view is valid until the next move.
  [[nodiscard]] const core::page_key& key() const { return key_; }
  [[nodiscard]] core::lsn at() const { return entries_.at(); }
  [[nodiscard]] core::bytes_view value() const { return entries_.value(); }

 private:
  [[nodiscard]] std::size_t blocks() const { return index_.view().size() / block_format::index_entry_size; }
  [[nodiscard]] const std::uint8_t* entry_of(std::size_t block) const {
    return index_.view().data() + block * block_format::index_entry_size;
  }
  bool fail(core::error why);
  bool damaged(block_format::block_place place);
  bool load_once(block_content& into, block_format::block_place place);
  /// Moves before the first entry of a block.
  bool enter(std::size_t block);
  bool advance();
  bool take();

  const layer_reader* layer_;
  layer_read_options options_;
  block_content index_;
  block_content filter_;
  block_content content_;
  std::size_t block_ = 0;
  block_format::entry_decoder entries_;
  core::page_key key_;
  bool positioned_ = false;
  std::optional<core::error> failure_;
};

/// An open layer file. For any thread; a cursor belongs to one thread and must not outlive the reader.
class layer_reader final {
 public:
  /// Opens and checks magic, version and identity; a mismatch is errc::corrupt (an unknown version errc::unsupported),
  /// naming the file.
  static core::result<std::shared_ptr<const layer_reader>> open(const std::string& path, const layer_identity& expected,
                                                                const block_cache& cache,
                                                                io::disk& on = io::real_disk());
  [[nodiscard]] layer_cursor cursor(const layer_read_options& options) const { return {*this, options}; }

 private:
  friend class layer_cursor;
  layer_reader(std::unique_ptr<io::file> file, std::string path, std::uint64_t seed, block_format::footer end,
               const block_cache& cache);
  [[nodiscard]] core::result<block_content> load(block_format::block_place place, const layer_read_options& options,
                                                 bool keep) const;

  std::unique_ptr<io::file> file_;
  std::string path_;
  std::uint64_t seed_;
  block_format::footer footer_;
  block_cache cache_;
  std::uint64_t cache_id_;
};

/// The fixed-size encoding of an identity (docs/formats/layers.md), level, residency and size left out.
core::bytes encode_identity(const layer_identity& of);
/// errc::corrupt names the difference.
core::result<void> check_identity(core::bytes_view found, const layer_identity& expected, const std::string& path);

}  // namespace strata::storage
