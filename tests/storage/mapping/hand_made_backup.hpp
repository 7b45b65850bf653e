#pragma once

#include <map>
#include <optional>
#include <string>

#include "storage/mapping/base_backup_import.hpp"
#include "tests/storage/mapping/mapping_fixture.hpp"

namespace strata::tests {

/// A base backup of a tiny cluster, as files; change them before it is imported.
struct hand_made_backup {
  hand_made_backup();

  std::map<std::string, core::bytes> files;             ///< of the data directory
  std::map<std::string, core::bytes> tablespace_files;  ///< of tablespace 16500
  core::lsn start{pg::default_wal_segment_size + 40};
  core::lsn end{pg::default_wal_segment_size + 4096};

  [[nodiscard]] static core::bytes archive_of(const std::map<std::string, core::bytes>& files);
};

/// Imports it, in pieces of `piece` bytes.
core::result<storage::mapping::imported_cluster> import_into(timeline_home& home, const hand_made_backup& backup,
                                                             std::size_t piece = 10'007);

/// Name to content of an archive.
std::map<std::string, core::bytes> unpack(const core::bytes& archive);

core::bytes bytes_of(const std::string& text);

/// A pg_filenode.map of Postgres 15: relation to file.
core::bytes relation_map_of(const std::map<pg::oid, pg::oid>& files);

}  // namespace strata::tests
