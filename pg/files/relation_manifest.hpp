#pragma once

#include <cstdint>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/start_segment.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// The entries of a data directory without relation files (docs/formats/cluster_files.md). The control file has another
/// name there, so that nothing starts from the directory before its relation files exist.
inline constexpr const char* relation_manifest_path = "relation_manifest";
inline constexpr const char* held_control_file_path = "global/pg_control.held";

/// A fork whose files are not in the archive.
struct listed_fork {
  relation_fork relation;
  std::uint32_t blocks = 0;
  bool operator==(const listed_fork&) const = default;
};

/// The files that belong to a data directory and are mostly holes when it is started: relation files, by fork (names
/// and sizes of files follow), and the WAL that the start reads.
struct relation_manifest {
  /// Files of all forks together; more are refused.
  static constexpr std::uint64_t files_max = 10'000'000;

  major_version major = major_version::v15;
  core::lsn at;                       ///< the pages are those of this LSN
  std::vector<sparse_file> segments;  ///< of pg_wal, whole but for their zeros
  std::vector<listed_fork> forks;     ///< by tablespace, database, relation and fork, none twice
};

/// Files of a fork of so many blocks: one of 0 blocks has one file.
constexpr std::uint32_t files_of(std::uint32_t blocks) {
  return blocks == 0 ? 1 : (blocks - 1) / blocks_per_relation_segment + 1;
}

/// 3 to 4 bytes a fork in a database of the usual kind. Precondition: the forks are in order.
core::bytes encode_relation_manifest(const relation_manifest& manifest);
/// errc::corrupt for everything that encode_relation_manifest() does not write, and for more files than files_max.
core::result<relation_manifest> decode_relation_manifest(core::bytes_view file);

}  // namespace strata::pg::files
