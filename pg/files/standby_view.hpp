#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/files/start_segment.hpp"

namespace strata::pg::files {

/// The stream of WAL as one standby must see it (standby_segments()). Before standby_wal::record it has the private
/// checkpoint and zeros; from there on it is the real stream, but for the link of the first record to the one before it
/// (record_link_patch). Pure: the same bytes for each request, however often a server begins again.
class standby_view {
 public:
  standby_view(standby_wal wal, std::uint32_t segment_size);

  /// The first position that it has: the start of a segment, where a server begins to request.
  [[nodiscard]] core::lsn begin() const { return begin_; }
  [[nodiscard]] core::lsn record() const { return wal_.record; }
  [[nodiscard]] const standby_wal& wal() const { return wal_; }
  [[nodiscard]] std::uint32_t segment_size() const { return segment_size_; }
  /// The bytes from `from` on, at most `count`, that end before record(). Precondition: begin() <= from < record().
  [[nodiscard]] core::bytes read(core::lsn from, std::size_t count) const;
  /// From here on the real stream needs no patch.
  [[nodiscard]] core::lsn patched_end() const;

 private:
  standby_wal wal_;
  std::uint32_t segment_size_;
  core::lsn begin_;
};

/// Makes the first record of the stream the successor of the private checkpoint: its xl_prev, and its CRC with it.
/// CRC-32C is linear, so no byte of the record is needed but those that are replaced.
class record_link_patch {
 public:
  explicit record_link_patch(const standby_view& of);

  /// Patches WAL of the real stream in place. Calls come in the order of the stream, from standby_view::record() on
  /// without a gap, in pieces of any size.
  void apply(core::lsn at, core::bytes_span wal);

 private:
  core::lsn record_;
  std::uint32_t segment_size_;
  std::array<std::uint8_t, 8> link_{};  ///< the new xl_prev
  /// The old xl_prev xor the new one, then the rest of the header's bytes before the CRC, which do not change.
  std::array<std::uint8_t, 12> difference_{};
};

}  // namespace strata::pg::files
