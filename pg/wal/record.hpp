#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "pg/wal/version.hpp"

namespace strata::pg::wal {

inline constexpr std::size_t record_header_size = 24;
inline constexpr std::uint32_t record_size_max = 1020u << 20;
inline constexpr std::size_t block_references_max = 33;

/// Compression of a page's image in a record.
enum class image_compression : std::uint8_t { none, pglz, lz4, zstd };

/// A full-page image in a record: the bytes of the page without its hole, maybe compressed.
struct page_image {
  core::bytes_view stored;
  std::uint16_t hole_offset = 0;
  std::uint16_t hole_length = 0;
  image_compression compression = image_compression::none;
};

/// One block that a record changes. Views point into the record's bytes.
struct block_reference {
  std::uint8_t id = 0;
  relation_fork relation;
  block_number block = 0;
  bool has_image = false;
  bool apply_image = false;  ///< the image is the block's new content, not only a check of it
  bool will_init = false;    ///< redo builds the block without its old content
  bool has_data = false;
  page_image image;
  core::bytes_view data;
};

/// A parsed WAL record. All views point into the bytes it was parsed from.
struct record {
  core::lsn start;
  core::lsn end;  ///< the LSN for page headers: the 8-aligned position after the record
  transaction_id xid = 0;
  transaction_id top_level_xid = 0;  ///< 0 unless the record carries it
  core::lsn previous;
  resource_manager manager{};
  std::uint8_t info = 0;  ///< all 8 bits; the high nibble belongs to the resource manager
  std::uint16_t origin = 0;
  std::uint8_t block_count = 0;
  std::array<block_reference, block_references_max> blocks;
  core::bytes_view main_data;

  [[nodiscard]] std::uint8_t operation() const { return info & 0xF0; }
  /// The reference with this id, or nullptr.
  [[nodiscard]] const block_reference* block(std::uint8_t id) const;
};

/// Splits a complete record (header included, CRC already checked) into its parts. `into` is reused between calls so
/// that parsing allocates nothing. Every length and flag is checked (docs/formats/wal_records.md); any violation is
/// errc::corrupt naming the record's LSN, and then `into` must not be used.
core::result<void> parse_record(core::bytes_view bytes, core::lsn start, core::lsn end, major_version major,
                                record& into);

/// Restores the page of an image: decompressed, hole filled with zeros, page LSN set to `end` unless the page is
/// new. `page` has page_size bytes.
core::result<void> restore_image(const page_image& image, core::lsn end, core::bytes_span page);

/// "Heap/INSERT", "custom(130)/10": for errors, logs and tables. Few names depend on the major.
std::string describe(resource_manager manager, std::uint8_t info, major_version major = major_version::v15);

/// The names of all types of records that servers of this major may write, in the order of their numbers.
std::vector<std::string> record_types(major_version major);

}  // namespace strata::pg::wal
