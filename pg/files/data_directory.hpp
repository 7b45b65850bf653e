#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/checkpoint.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// One file of a relation: its fork, cut into files of blocks_per_relation_segment blocks.
struct relation_file {
  relation_fork relation;
  std::uint32_t segment = 0;
  auto operator<=>(const relation_file&) const = default;
};

/// "PG_15_202209061": the directory of a cluster inside a tablespace.
std::string tablespace_version_directory(major_version major);

/// "base/5", "global", "pg_tblspc/16400/PG_15_202209061/5".
std::string database_directory(oid tablespace, oid database, major_version major);
/// "base/5/16384_vm.1", "global/1262", "pg_tblspc/16400/PG_15_202209061/5/16390".
std::string relation_path(const relation_file& file, major_version major);
/// "pg_xact/0000", "pg_multixact/members/1A2B", "pg_commit_ts/0000".
std::string slru_path(slru_kind kind, std::uint32_t segment);
/// "pg_twophase/0000030A"; from major 17 on 16 digits with the epoch.
std::string two_phase_path(full_transaction_id xid, major_version major);

/// What a path of a data directory (or base backup) is for.
enum class path_kind : std::uint8_t {
  relation,             ///< see `relation`
  slru,                 ///< a segment that Strata keeps: see `slru`, `slru_segment`
  two_phase,            ///< see `xid`
  relation_map,         ///< pg_filenode.map of `tablespace`, `database` (0: shared)
  version,              ///< PG_VERSION of `tablespace`, `database` (both 0: of the cluster)
  control,              ///< global/pg_control
  backup_label,         ///< written by a base backup
  tablespace_map,       ///< written by a base backup
  tablespace,           ///< pg_tblspc/<oid>: a link or directory, see `tablespace`
  database,             ///< the directory of `tablespace`, `database`
  configuration,        ///< postgresql.conf, pg_hba.conf and the like: not WAL-logged, the owner's
  replication_origins,  ///< pg_logical/replorigin_checkpoint
  ignored,  ///< rebuilt or not needed: WAL, statistics, slots, temporary relations, caches, lock files, directories
  unknown,  ///< not a name that Postgres uses
};

struct classified_path {
  path_kind kind = path_kind::unknown;
  relation_file relation;
  slru_kind slru = slru_kind::clog;
  std::uint32_t slru_segment = 0;
  full_transaction_id xid = 0;
  oid tablespace = 0;
  oid database = 0;
};

/// Takes a path relative to the data directory, '/' between parts. For a tablespace's own archive (whose names start
/// with "PG_15_...") prepend "pg_tblspc/<oid>/". A directory of another version inside a tablespace is ignored.
/// The main fork of an unlogged relation looks like any other: only the init fork beside it identifies it.
classified_path classify(std::string_view path, major_version major);

/// The file of a base backup with the position from which WAL must be replayed.
struct backup_label {
  core::lsn start;             ///< START WAL LOCATION: replay begins here
  std::string start_segment;   ///< its file name
  core::lsn checkpoint;        ///< CHECKPOINT LOCATION: of the checkpoint record itself
  std::uint32_t timeline = 1;  ///< START TIMELINE
  std::string label;           ///< LABEL
  bool from_standby = false;   ///< BACKUP FROM: standby
};
core::result<backup_label> parse_backup_label(std::string_view text);

struct tablespace_link {
  oid tablespace = 0;
  std::string target;
};
core::result<std::vector<tablespace_link>> parse_tablespace_map(std::string_view text);

}  // namespace strata::pg::files
