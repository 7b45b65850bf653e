#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/control_file.hpp"
#include "pg/types.hpp"
#include "pg/verify/wal_verifier.hpp"

namespace strata::pg::verify {

/// A directory with WAL segments: pg_wal of a data directory, or an archive.
struct wal_directory {
  std::filesystem::path path;
  major_version major = major_version::v15;
  std::uint32_t segment_size = default_wal_segment_size;
  std::uint64_t system_id = 0;
  core::lsn first;                             ///< where its first segment begins
  std::filesystem::path data_directory;        ///< empty for an archive
  std::optional<files::control_file> control;  ///< of the data directory

  /// Whether the server was stopped cleanly: its files equal the result of its WAL.
  [[nodiscard]] bool shut_down() const { return control && control->state == files::database_state::shut_down; }
};

/// Opens `path`: a data directory, its pg_wal or an archive of segments. errc::not_found when there is no WAL there.
core::result<wal_directory> open_wal_directory(const std::filesystem::path& path);

/// Every whole page of the relation files of a data directory, unlogged relations left out. Stops at the first error,
/// that of `use` included.
core::result<void> for_each_page(
    const std::filesystem::path& data_directory, major_version major,
    const std::function<core::result<void>(const relation_fork&, block_number, core::bytes_view)>& use);

struct replayed {
  core::lsn start;
  core::lsn end;            ///< of the last record
  std::uint64_t bytes = 0;  ///< of WAL read
  std::string why_ended;    ///< what follows the last record
};
/// Replays the segments from `start` on (0: from the first record of the first segment, also where zeros come before
/// it) up to the end of WAL, or to the first record that ends after `until`. Errors: errc::corrupt for a record that
/// can't be parsed.
core::result<replayed> replay(const wal_directory& from, core::lsn start, std::optional<core::lsn> until,
                              wal_verifier& verifier, const std::function<void(core::lsn)>& tell = {});

/// Whether the first or the last records of this WAL (from `from` on, 0: all of it) carry images for consistency
/// checking; a sample, so that it costs little before a long replay.
core::result<bool> has_check_images(const wal_directory& in, core::lsn from);

/// Compares every page of a stopped server's files, and its checksum if it has one.
core::result<void> compare_files(const wal_directory& with, wal_verifier& verifier, report& into);

}  // namespace strata::pg::verify
