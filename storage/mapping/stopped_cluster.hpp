#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/files/control_file.hpp"
#include "storage/mapping/base_backup_import.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

/// The data of a Postgres that is shut down: its data directory, or a tar archive of one, plain or packed by gzip.
struct stopped_cluster {
  std::string path;
  bool is_archive = false;
  core::bytes control_bytes;
  pg::files::control_file control;
  pg::oid database_catalog_file = 0;  ///< base_backup_options has it
  std::uint64_t archive_bytes = 0;
  std::filesystem::file_time_type archive_modified{};
};

/// Checks whether the data can be imported as they are. errc::conflict while a server runs on them, or when it was not
/// shut down; errc::unsupported for a version, a build or a form that Strata does not import; errc::corrupt for damage;
/// errc::not_found when there is nothing at the path. Reads an archive from end to end. Blocks.
core::result<stopped_cluster> inspect_stopped_cluster(const std::string& path);

struct cluster_import_options {
  std::uint64_t system_id = 0;  ///< replaces that of the cluster; 0: it is kept
  std::function<bool()> cancelled = [] { return false; };
  std::function<void(std::uint64_t)> progress = [](std::uint64_t) {};  ///< bytes read so far
};

/// Imports the cluster into an empty store whose record has the facts of its control file, and starts the timeline at
/// the cluster's last checkpoint: durable on return. Tablespaces that are links of a directory are followed. Besides
/// the errors of inspect_stopped_cluster(): errc::conflict when the data changed meanwhile, errc::unavailable when it
/// was cancelled. After an error discard the timeline. Blocks.
core::result<imported_cluster> import_stopped_cluster(const std::shared_ptr<timeline_store>& into,
                                                      const stopped_cluster& from,
                                                      const cluster_import_options& options = {});

}  // namespace strata::storage::mapping
