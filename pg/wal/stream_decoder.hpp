#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::wal {

/// The two spellings of one position: `after_header` moves a position on a page (or segment) boundary behind the header
/// that stands there; other positions are rounded up to 8. `before_header` is the inverse. Every API edge uses the
/// before_header spelling, START_REPLICATION and pg_control the after_header one.
core::lsn after_header(core::lsn position, std::uint32_t segment_size = default_wal_segment_size);
core::lsn before_header(core::lsn position, std::uint32_t segment_size = default_wal_segment_size);

/// One complete record. The bytes live until the next call of feed() or next() of its decoder.
struct framed_record {
  core::lsn start;  ///< where its header begins
  core::lsn end;    ///< before_header spelling of where the next record may begin
  core::bytes_view bytes;
};

struct stream_decoder_options {
  core::lsn start;  ///< a record boundary (either spelling) when starts_at_record, else any position of a page start
  major_version major = major_version::v15;
  std::uint32_t segment_size = default_wal_segment_size;
  std::uint64_t system_id = 0;   ///< 0: not checked
  bool starts_at_record = true;  ///< false: skip the rest of a record that began before `start`
};

/// Finds records in a physical WAL stream (facts/wal-redo.md §1): page headers, segments, continuation records, segment
/// switches and overwritten continuations. A pure machine: bytes in, records out. Records that lie within one page are
/// given out without copying; others are assembled in one buffer that is reused.
class stream_decoder {
 public:
  explicit stream_decoder(const stream_decoder_options& options);

  /// Hands over bytes that stand at position(). They must stay valid until next() has returned nullopt.
  /// Precondition: the bytes fed before are used up (next() returned nullopt).
  void feed(core::bytes_view bytes);

  /// The next complete record, nullopt when more bytes are needed, or errc::corrupt naming the LSN; after an error the
  /// decoder must be thrown away.
  core::result<std::optional<framed_record>> next();

  /// Where the next byte to be fed belongs.
  [[nodiscard]] core::lsn position() const;
  /// The end of the last complete record (before_header spelling), or the start.
  [[nodiscard]] core::lsn record_end() const;

 private:
  // The author of stream_decoder.cpp defines the members.
};

}  // namespace strata::pg::wal
