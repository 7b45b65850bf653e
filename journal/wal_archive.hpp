#pragma once

#include <string>

#include "io/disk.hpp"
#include "journal/timeline_view.hpp"

namespace strata::journal {

/// The start of the segment that holds `at`.
constexpr core::lsn segment_begin(core::lsn at, std::uint32_t segment_size) {
  return core::lsn(at.value - at.value % segment_size);
}

/// The bytes [segment_begin(state.timeline_start), state.timeline_start), which were never written: zeros, with the
/// page headers that tools need to find the first record. Empty when the timeline starts on a segment.
core::bytes unwritten_prefix(const consensus::acceptor_state& state);

/// Reads WAL [from, from + to.size()) that a timeline has on disk, or that was never written (see above), and returns
/// how much it read. errc::out_of_range when it is not here. Blocks.
core::result<std::size_t> read_local_wal(const timeline_journal& journal, core::lsn from, core::bytes_span to);

/// Object storage in a directory: <tenant>/<timeline>/<name of the segment>, whole segments in the format of Postgres's
/// own tools. All safekeepers may write it at once: they write the same bytes. Blocks.
class wal_archive {
 public:
  wal_archive(io::disk& disk, std::string directory, consensus::node_id self)
      : disk_(disk), directory_(std::move(directory)), self_(self) {}

  /// Stores the segment that begins at `begin`; durable on return. Precondition: all of it is committed.
  core::result<void> store(const timeline_view& of, core::lsn begin) const;
  /// As much of [from, from + to.size()) as is in the segment of `from`. errc::not_found.
  core::result<std::size_t> read(const timeline_view& of, core::lsn from, core::bytes_span to) const;
  /// Removes the segments that end at or before `before`, and files of interrupted store() calls of this safekeeper.
  /// Not concurrent with its own store() of the same timeline.
  core::result<void> remove_before(const timeline_view& of, core::lsn before) const;
  /// Removes all segments of a timeline that is on no safekeeper any more.
  core::result<void> remove_all(const core::timeline_key& of) const;

 private:
  [[nodiscard]] std::string directory_of(const core::timeline_key& key) const;

  io::disk& disk_;
  std::string directory_;
  consensus::node_id self_;
};

}  // namespace strata::journal
