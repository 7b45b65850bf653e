#pragma once

#include <array>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/types.hpp"

/// How the targets read their inputs, and make_seeds writes them. Every sequence of bytes is an input; lengths that
/// promise more than there is are cut. Little-endian.
namespace strata::tests::fuzz {

/// Any byte stands for a major; 14 to 18 stand for themselves.
pg::major_version major_of(std::uint8_t byte);

/// A page and the records that change it, one after the other:
///   u8 major, u8 hints are logged, u16 and u16: bytes of the page before and behind a hole of zeros, these bytes,
///   then for each record u16 length and the stored block record
struct redo_input {
  pg::major_version major = pg::major_version::v15;
  bool hints_are_logged = false;
  core::bytes page;  ///< page_size bytes
  std::vector<core::bytes> records;
};
redo_input read_redo_input(core::bytes_view from);
/// Leaves out what lies between lower and upper if that is all zeros.
core::bytes write_redo_input(const redo_input& of);

/// A WAL stream, or the records to lay one out from:
///   u8 major, u8 flags, u8 segment size (its logarithm above 20), u32 seed of the sizes of pieces, u64 start, the rest
struct framing_input {
  static constexpr std::uint8_t laid_out = 1;          ///< the rest is a list of steps, not a stream
  static constexpr std::uint8_t starts_anywhere = 2;   ///< starts_at_record is false
  static constexpr std::uint8_t checks_system_id = 4;  ///< only for a stream that is laid out

  pg::major_version major = pg::major_version::v15;
  std::uint8_t flags = 0;
  std::uint32_t segment_size = pg::default_wal_segment_size;
  std::uint32_t piece_seed = 0;
  core::lsn start;
  core::bytes_view rest;
};
framing_input read_framing_input(core::bytes_view from);
core::bytes write_framing_input(const framing_input& of);

/// A step of a stream that is laid out: u8 kind, u16 length, bytes.
struct framing_step {
  enum class kind : std::uint8_t { record, segment_switch, overwritten_record, damage };
  static constexpr std::uint8_t kinds = 4;

  kind what = kind::record;
  core::bytes_view bytes;
};
framing_step take_framing_step(core::byte_reader& from);
void append_framing_step(core::bytes& to, const framing_step& step);

/// An image: u8 compression (0 to 3), u16 hole offset, u16 hole length, then the stored bytes.
inline constexpr std::size_t image_input_header = 5;
/// A record: u8 major, then its bytes; the length in its header is set by the target.
inline constexpr std::size_t record_input_header = 1;

}  // namespace strata::tests::fuzz
