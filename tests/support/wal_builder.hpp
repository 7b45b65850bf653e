#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/version.hpp"

namespace strata::tests {

struct wal_image {
  core::bytes stored;  ///< the page without its hole, compressed if `compression` says so
  std::uint16_t hole_offset = 0;
  std::uint16_t hole_length = 0;
  pg::wal::image_compression compression = pg::wal::image_compression::none;
  bool apply = true;
};

struct wal_block {
  std::uint8_t id = 0;
  pg::relation_fork relation;
  pg::block_number block = 0;
  bool will_init = false;
  std::optional<wal_image> image = {};
  core::bytes data = {};
};

struct wal_record {
  pg::wal::resource_manager manager = pg::wal::resource_manager::xlog;
  std::uint8_t info = 0;
  pg::transaction_id xid = 0;
  pg::transaction_id top_level_xid = 0;  ///< written if not 0
  std::uint16_t origin = 0;              ///< written if not 0
  std::vector<wal_block> blocks = {};    ///< ids ascending
  core::bytes main_data = {};
};

/// An uncompressed image of `page` that leaves out the hole.
wal_image image_of(core::bytes_view page, std::uint16_t hole_offset = 0, std::uint16_t hole_length = 0);

/// A complete record with length, prev link and CRC.
core::bytes encode_record(const wal_record& of, core::lsn previous, pg::major_version major = pg::major_version::v15);
/// Writes the length and the CRC of a record that was changed by hand.
void seal_record(core::bytes& record);

struct wal_builder_options {
  core::lsn start{pg::default_wal_segment_size};  ///< 8-aligned; on a page boundary the stream begins with a header
  pg::major_version major = pg::major_version::v15;
  std::uint32_t segment_size = pg::default_wal_segment_size;
  std::uint64_t system_id = 4711;
  std::uint32_t timeline = 1;
  core::lsn previous = {};  ///< prev link of the first record
};

/// Writes a valid WAL stream, byte for byte as Postgres lays it out: page headers, continuations, padding, switches.
class wal_builder {
 public:
  struct placed {
    core::lsn start;
    core::lsn end;  ///< before_header spelling
  };

  explicit wal_builder(const wal_builder_options& options = {});

  placed append(const wal_record& record);
  /// Appends a complete record as it is; its prev link is the caller's affair.
  placed append_encoded(core::bytes_view record);
  /// XLOG_SWITCH and the zeros up to the end of the segment.
  placed append_switch();
  /// A crash: `record` (which must not fit its pages) stops at the end of a page after `pages_after_first` further
  /// pages, and the next page starts with XLOG_OVERWRITE_CONTRECORD. Gives the place of that one.
  placed append_overwritten(const wal_record& record, std::uint32_t pages_after_first = 0);
  /// Appends XLOG_NOOP records until exactly `left` bytes (a multiple of 8) remain on the page at the end.
  void fill_page_until(std::uint32_t left);

  /// Bytes so far; they begin at start(). Change them to damage the stream.
  [[nodiscard]] core::bytes& stream() { return stream_; }
  [[nodiscard]] core::lsn start() const { return options_.start; }
  /// Behind the last byte, which is padded to 8: where the next record, or the header before it, begins.
  [[nodiscard]] core::lsn position() const { return options_.start + stream_.size(); }
  [[nodiscard]] core::lsn previous() const { return previous_; }

 private:
  void put_header(std::uint16_t flags, std::uint32_t remaining);
  [[nodiscard]] std::uint32_t page_left() const;

  wal_builder_options options_;
  core::bytes stream_;
  core::lsn previous_;
};

}  // namespace strata::tests
