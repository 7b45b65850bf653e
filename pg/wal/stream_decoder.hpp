#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::wal {

/// The two spellings of one position: `after_header` moves a position on a page (or segment) boundary after the header
/// of that page; other positions are rounded up to 8. `before_header` is the inverse. Every API uses the
/// before_header spelling, START_REPLICATION and pg_control the after_header one.
core::lsn after_header(core::lsn position, std::uint32_t segment_size = default_wal_segment_size);
core::lsn before_header(core::lsn position, std::uint32_t segment_size = default_wal_segment_size);

/// One complete record. The bytes are valid until the next call of feed() or next() of its decoder.
struct framed_record {
  core::lsn start;         ///< where its header begins
  core::lsn end;           ///< before_header spelling of where the next record may begin
  core::bytes_view bytes;  ///< empty from a decoder that does not keep them
};

struct stream_decoder_options {
  core::lsn start;  ///< a record boundary (either spelling) when starts_at_record, else any position of a page start
  major_version major = major_version::v15;
  std::uint32_t segment_size = default_wal_segment_size;
  std::uint64_t system_id = 0;   ///< 0: not checked
  bool starts_at_record = true;  ///< false: skip the rest of a record that began before `start`
  /// false: only positions are needed. Records are checked all the same, and one of 1 GB takes no memory.
  bool keeps_records = true;
};

/// Finds records in a physical WAL stream (docs/formats/wal_records.md): page headers, segments, continuation records,
/// segment switches and overwritten continuations. A pure machine: bytes in, records out. Records within one
/// page are returned without copying; others are assembled in one buffer that is reused.
class stream_decoder {
 public:
  explicit stream_decoder(const stream_decoder_options& options);

  /// Adds the bytes at position(). They must stay valid until next() has returned nullopt.
  /// Precondition: the bytes fed before are consumed (next() returned nullopt).
  void feed(core::bytes_view bytes);

  /// The next complete record, nullopt when more bytes are needed, or errc::corrupt naming the LSN; after an error
  /// discard the decoder.
  core::result<std::optional<framed_record>> next();

  /// The position of the next byte to be fed.
  [[nodiscard]] core::lsn position() const;
  /// The end of the last complete record (before_header spelling), or the start.
  [[nodiscard]] core::lsn record_end() const;

 private:
  using outcome = core::result<std::optional<framed_record>>;
  enum class state : std::uint8_t { between_records, in_record, skipping_continuation, skipping_segment };

  [[nodiscard]] bool header_is_due() const;
  core::result<bool> read_page_header();
  core::result<void> check_page_header(const std::uint8_t* header) const;
  core::result<void> enter_page(std::uint16_t flags, std::uint32_t remaining);
  outcome begin_record();
  outcome assemble_record();
  /// `head`: the whole record, or its beginning when records are not kept.
  outcome finish_record(core::bytes_view head, std::uint32_t length, std::uint32_t body_crc);
  core::result<void> check_length(std::uint32_t length) const;
  core::result<void> check_previous(core::lsn previous) const;
  core::result<void> check_overwrite(core::bytes_view head, std::uint32_t length);
  void skip_continuation();
  void skip_segment();
  core::bytes_view consume(std::size_t count_max);
  [[nodiscard]] std::size_t page_left() const;

  std::uint64_t system_id_;
  std::uint32_t segment_size_;
  std::uint16_t magic_;
  state state_ = state::between_records;
  const char* refusal_ = nullptr;  ///< why the options are invalid

  core::bytes_view input_;  ///< the fed bytes that are left; begins at position_
  core::lsn position_;
  core::lsn record_end_;

  std::array<std::uint8_t, 40> header_{};  ///< a page header that arrives in parts
  std::size_t header_filled_ = 0;
  std::uint32_t timeline_ = 0;
  bool on_first_page_;  ///< no page header was read yet, and the stream begins with one
  bool joins_midway_;   ///< the first page may begin inside a record

  bool keeps_records_;
  core::bytes assembly_;        ///< the received and kept part of a record that is not in one piece
  std::size_t assembled_ = 0;   ///< how much of it has arrived
  std::uint32_t body_crc_ = 0;  ///< of the received bytes after its header
  core::lsn record_start_;
  std::uint32_t record_length_ = 0;  ///< 0: not known yet
  std::uint32_t skip_left_ = 0;      ///< of the continuation that is skipped

  bool knows_previous_ = false;
  core::lsn previous_;  ///< the last complete record
  bool expects_overwrite_ = false;
  core::lsn dropped_;  ///< the record whose continuation was overwritten; 0 if its start was not seen
};

}  // namespace strata::pg::wal
