#pragma once

#include <filesystem>
#include <string>

#include "core/lsn.hpp"
#include "storage/mapping/base_backup_import.hpp"
#include "storage/mapping/data_directory.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/timeline_home.hpp"

namespace strata::tests {

/// A base backup: base.tar, and <oid>.tar for each tablespace. pg_basebackup would refuse a newer server than itself.
struct taken_backup {
  std::filesystem::path directory;
  core::lsn start;
  core::lsn end;
  std::uint32_t wal_segment_size = pg::default_wal_segment_size;
  pg::major_version major = pg::major_version::v15;
};
taken_backup take_backup(postgres_cluster& of, const std::filesystem::path& into);

/// Imports it and opens the store again with what it says. Throws std::runtime_error, as all here.
storage::mapping::imported_cluster import_backup(timeline_home& home, const taken_backup& backup);

struct ingested {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  double seconds_adding = 0;  ///< in wal_ingest::add alone
};
/// Ingests the files of a pg_wal directory from the store's last record up to `until`, flushing layers as they fill up.
ingested ingest_wal(timeline_home& home, const std::filesystem::path& pg_wal, core::lsn until);

/// The whole archive.
core::bytes export_directory(timeline_home& home, const storage::mapping::data_directory_options& options);
/// Writes it to a file and unpacks that with tar.
void export_to(timeline_home& home, core::lsn at, const std::filesystem::path& directory,
               storage::mapping::data_directory_kind kind = storage::mapping::data_directory_kind::full);

}  // namespace strata::tests
