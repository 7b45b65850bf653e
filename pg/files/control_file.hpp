#pragma once

#include <cstdint>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/checkpoint.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// The server's state in pg_control. On-disk numbers, never renumber.
enum class database_state : std::uint32_t {
  starting_up = 0,
  shut_down = 1,
  shut_down_in_recovery = 2,
  shutting_down = 3,
  in_crash_recovery = 4,
  in_archive_recovery = 5,
  in_production = 6,
};

/// How much a server writes into its WAL. On-disk numbers, never renumber.
enum class wal_level : std::int32_t { minimal = 0, replica = 1, logical = 2 };

inline constexpr std::size_t control_file_size = 8192;

/// global/pg_control in fields (docs/formats/cluster_files.md). Fields not listed stay in the bytes it was decoded
/// from.
struct control_file {
  major_version major = major_version::v15;  ///< from the version and catalog version; not written by encode()
  std::uint64_t system_id = 0;
  database_state state = database_state::shut_down;
  std::int64_t time = 0;  ///< seconds since 1970
  core::lsn checkpoint_location;
  checkpoint checkpoint_copy;
  core::lsn unlogged_lsn;
  core::lsn minimum_recovery_point;
  std::uint32_t minimum_recovery_timeline = 0;
  core::lsn backup_start;
  core::lsn backup_end;
  bool backup_end_required = false;
  files::wal_level wal_level = wal_level::replica;
  bool wal_log_hints = false;
  std::int32_t max_connections = 0;
  std::int32_t max_worker_processes = 0;
  std::int32_t max_wal_senders = 0;
  std::int32_t max_prepared_transactions = 0;
  std::int32_t max_locks_per_transaction = 0;
  bool track_commit_timestamp = false;
  std::uint32_t wal_segment_size = default_wal_segment_size;  ///< not written by encode()
  std::uint32_t data_checksum_version = 0;                    ///< 0: no data checksums; not written by encode()

  /// Whether setting hint bits writes WAL: redo depends on it (redo_context::hints_are_logged).
  [[nodiscard]] bool hints_are_logged() const { return wal_log_hints || data_checksum_version != 0; }
};

/// Checks version, CRC and the sizes built into the server (pages, segments, alignment), then reads the fields.
/// errc::unsupported names a version or build that Strata does not support; errc::corrupt names the wrong field.
core::result<control_file> decode_control_file(core::bytes_view bytes);

/// `original` (bytes that decode_control_file accepted) overwritten with the fields of `of`, a new CRC, and zeros
/// up to control_file_size. Other fields stay unchanged.
core::result<core::bytes> encode_control_file(const control_file& of, core::bytes_view original);

/// The control file of a server that shut down cleanly with its last checkpoint record at `copy.redo`
/// (docs/formats/cluster_files.md): no recovery, no backup, the counters of `copy`. `original` is any control file of
/// the same cluster. `copy.redo` must be where a record can start (start_segment.hpp).
core::result<core::bytes> shut_down_control_file(core::bytes_view original, const checkpoint& copy);

}  // namespace strata::pg::files
