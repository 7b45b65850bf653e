#pragma once

#include <cstdint>
#include <memory>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

struct base_backup_options {
  core::lsn start;  ///< where replay must begin, as sent by the server before the archives (either spelling)
  pg::major_version major = pg::major_version::v15;
  std::uint32_t wal_segment_size = 0;  ///< the server's setting of that name; 0: that of the timeline's record
  /// The files are those of a server that was shut down, with its last checkpoint at `start`: they need no WAL, and the
  /// checksums of their pages are checked if the cluster has them.
  bool shut_down = false;
  pg::oid database_catalog_file = 0;  ///< of such a server, as global/pg_filenode.map has it. 0: not known
  std::uint64_t system_id = 0;        ///< replaces that of the cluster; 0: it is kept
};

/// What a base backup reports of its cluster, for the timeline's record if that has none.
struct imported_cluster {
  pg::major_version major = pg::major_version::v15;
  std::uint64_t system_id = 0;
  std::uint32_t wal_segment_size = pg::default_wal_segment_size;
  bool data_checksums = false;
  bool wal_log_hints = false;
  core::lsn start;  ///< before_header spelling; ingest WAL from here on
  std::uint32_t wal_timeline = 1;
  std::uint64_t relation_pages = 0;
};

/// Imports the archives of a base backup, as they arrive, into a timeline store, as versions at the backup's start. The
/// copy may be torn: WAL replayed from the start up to the end of the backup repairs it, hence page checksums are not
/// checked (unless the server was shut down), and nothing before the end is readable. WAL, temporary files, statistics,
/// slots and the data of unlogged relations are skipped. Memory is bounded by the number of files, not by their size.
/// Blocks (disk writes). After an error discard the import, with the timeline.
class base_backup_import {
 public:
  base_backup_import(std::shared_ptr<timeline_store> store, const base_backup_options& options);
  ~base_backup_import();
  base_backup_import(const base_backup_import&) = delete;
  base_backup_import& operator=(const base_backup_import&) = delete;

  /// Begins an archive: 0 is the data directory, any other OID a tablespace. The archives come in any order.
  /// errc::corrupt when the previous one was incomplete.
  core::result<void> begin_archive(pg::oid tablespace);
  /// The next bytes of the archive, cut anywhere.
  core::result<void> add(core::bytes_view bytes);
  /// Ends the archives. Checks that nothing essential is missing and that the label agrees with the options, writes
  /// the collected values and starts the timeline (timeline_store::finish_import): durable on return. A record that has
  /// a system id must agree with the backup. If it has none, reopen the store with a record that holds the result,
  /// since redo depends on it.
  core::result<imported_cluster> finish(core::lsn backup_end);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace strata::storage::mapping
