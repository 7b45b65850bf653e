#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/checkpoint.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// A power of two from 1 MiB to 1 GiB.
constexpr bool valid_wal_segment_size(std::uint32_t size) {
  return size >= 1u << 20 && size <= 1u << 30 && (size & (size - 1)) == 0;
}

/// "000000010000000000000003": the file of pg_wal that holds `position`.
std::string wal_segment_name(std::uint32_t timeline, core::lsn position,
                             std::uint32_t segment_size = default_wal_segment_size);

/// Where the record after the one that ended at `position` begins: after the page header if `position` is on a page
/// boundary, else at `position`. errc::invalid_argument when no record can end or begin there: zero, not 8-aligned, or
/// inside a page header (Postgres would start and then panic).
core::result<core::lsn> record_start_at(core::lsn position, std::uint32_t segment_size = default_wal_segment_size);

/// The equivalent position that record_start_at() accepts: rounded up to 8; a position in or just after a page header
/// becomes the page boundary.
core::lsn normalise_position(core::lsn position, std::uint32_t segment_size = default_wal_segment_size);

/// A file that is zero except for a few pieces, in order and not overlapping.
struct sparse_file {
  struct piece {
    std::uint64_t offset = 0;
    core::bytes bytes;
  };
  std::string name;
  std::uint64_t size = 0;
  std::vector<piece> pieces;

  /// The bytes [from, from + count), for streaming it in parts. from + count must not pass size.
  [[nodiscard]] core::bytes read(std::uint64_t from, std::uint64_t count) const;
};

struct start_point {
  core::lsn position;  ///< end of the last complete record of the stream
  /// Start of that record. If unknown (0), a value that a server accepts is used; but then no reader can read the WAL
  /// across the seam.
  core::lsn previous;
  checkpoint counters;  ///< at `position`; redo is set by start_segments()
  std::uint64_t system_id = 0;
  std::uint32_t segment_size = default_wal_segment_size;
  major_version major = major_version::v15;
};

struct start_wal {
  core::lsn record_start;             ///< the checkpoint that pg_control must name
  core::lsn record_end;               ///< where the server will write its first own record
  checkpoint copy;                    ///< the counters in the record: also for pg_control
  std::vector<sparse_file> segments;  ///< one file, or two when the record crosses a segment; names without directory
};

/// The WAL that a stock server needs to start at start_point::position as if it had shut down there: one shutdown
/// checkpoint record, the page headers around it, zeros (docs/formats/cluster_files.md). The bytes before position in
/// the last page are zero, not those of the stream. Refuses positions as record_start_at() does, and previous >=
/// position.
core::result<start_wal> start_segments(const start_point& at);

struct standby_wal {
  core::lsn checkpoint;               ///< the checkpoint that pg_control must name
  core::lsn record;                   ///< the first record of the stream that the server replays
  files::checkpoint copy;             ///< the counters in the checkpoint: also for pg_control
  std::vector<sparse_file> segments;  ///< one file, or two; all WAL before `record` that the server reads
};

/// The WAL with which a stock server begins to follow a stream at start_point::position, as a hot standby: a checkpoint
/// record that ends where the stream's next record begins. Its bytes take the place of others of the stream, so they
/// are for the eyes of this server only (standby_view.hpp). Of the shutdown type if counters.oldest_active_xid is 0,
/// and then no transaction may run at the position: the server takes those that it does not know to be running for
/// aborted, for good. Otherwise of the online type: the server admits clients when it has replayed the next record of
/// the running transactions. `previous` is not used. Refuses positions as record_start_at() does.
core::result<standby_wal> standby_segments(const start_point& at);

}  // namespace strata::pg::files
