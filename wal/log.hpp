#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"
#include "pg/types.hpp"

namespace strata::wal {

struct log_options {
  std::string directory;   ///< exists
  core::tenant_id tenant;  ///< tenant and timeline are in every checksum: bytes of another log are refused
  core::timeline_id timeline;
  std::uint32_t segment_size = pg::default_wal_segment_size;
  /// A file grows by this many zero bytes at once, durably, before frames are written over them: a sync of frames
  /// then writes no metadata. A multiple of 512.
  std::uint32_t preallocated_bytes = 4u << 20;
};

/// One timeline's WAL [begin, end) in segment files (docs/formats/wal_log.md). Every write is a frame of its own with a
/// checksum, and durable bytes are never overwritten. A log holds bytes; it does not decode records.
///
/// One writer; read() from any thread at the same time.
class log {
 public:
  static constexpr std::size_t append_size_max = 256u << 10;
  /// At most this much of the newest WAL is in memory while a log is written.
  static constexpr std::size_t recent_bytes_max = 512u << 10;

  /// An empty log that begins at `begin`. errc::conflict when a log exists.
  static core::result<std::unique_ptr<log>> create(io::disk& on, const log_options& options, core::lsn begin);
  /// Checks every byte. After a crash WAL that was written and not synced may be there, in whole frames. Everything
  /// found is made durable before it returns. An end that a crash explains (frames that lack sectors) is cut off.
  /// errc::corrupt, with file and offset: bytes before `must_reach` are missing, a later frame proves that a missing
  /// one was durable, or a frame is damaged in a way that no crash explains. errc::not_found: there is no log.
  static core::result<std::unique_ptr<log>> open(io::disk& on, const log_options& options, core::lsn begin,
                                                 core::lsn must_reach);
  /// Removes all files of a log, also one that a crash left half created; durable on return.
  static core::result<void> remove(io::disk& on, const std::string& directory);
  virtual ~log() = default;

  [[nodiscard]] virtual core::lsn begin() const = 0;
  [[nodiscard]] virtual core::lsn end() const = 0;
  /// End of the durable prefix.
  [[nodiscard]] virtual core::lsn synced() const = 0;

  /// Appends at end(), as one piece of at most append_size_max bytes: after a crash the whole piece is there or none of
  /// it (a piece that crosses a segment may be cut there). errc::disk_full: nothing of it counts (of a piece that
  /// crosses a segment: nothing after end(), which may be the segment's), and later writes may succeed again.
  virtual core::result<void> append(std::span<const core::bytes_view> parts) = 0;
  virtual void sync() = 0;
  /// Cuts off everything at and after `to`, durably. A crash in between leaves the old or the new end, and no byte that
  /// was cut off ever reappears. errc::out_of_range outside of [begin(), end()]. After errc::disk_full nothing
  /// has changed.
  virtual core::result<void> truncate(core::lsn to) = 0;
  /// Removes segment files that end at or before `before`; begin() moves to the start of the first one left.
  virtual core::result<void> remove_before(core::lsn before) = 0;

  /// Reads checked bytes from `from` on: as many as exist, at most to.size(). errc::out_of_range below begin() or at
  /// end(); errc::corrupt names file and offset.
  [[nodiscard]] virtual core::result<std::size_t> read(core::lsn from, core::bytes_span to) const = 0;

  /// Like read(), of bytes that are still in memory, without waiting for the disk; 0 when they are not in memory.
  [[nodiscard]] virtual std::size_t read_recent(core::lsn from, core::bytes_span to) const = 0;

  /// Closes the files and frees the WAL in memory, until they are needed again.
  virtual void rest() = 0;
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
};

}  // namespace strata::wal
