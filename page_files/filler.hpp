#pragma once

#include <sys/types.h>

#include <string>

#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "page_files/page_client.hpp"

namespace strata::page_files {

struct filler_options {
  std::string directory;         ///< where the sparse files are
  io::unique_fd map;             ///< from the guard (guarded_directory)
  io::unique_fd group;           ///< from the guard, of native files
  std::string mount_point;       ///< without a group: the data directory that Postgres sees
  bool for_other_users = false;  ///< Postgres runs as another user than this process
  bool fill = false;             ///< also pages that nobody touches
  page_client_options pages;
  pid_t guard = 0;  ///< the process that started this one
};

/// The work of a filler process: fills the directory until its guard has ended, it was unmounted, or an error ends it;
/// also until native files are complete (page_map::is_complete()): their guard starts no other one. It may be killed at
/// any moment; readers of native files wait for its successor, those of a mount get an error.
core::result<void> run_filler(filler_options of);

}  // namespace strata::page_files
