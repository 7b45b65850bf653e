#pragma once

#include <string>

#include "control/scope.hpp"
#include "core/lsn.hpp"
#include "host/registry.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::control {

/// Starts the process that fills the data directory of a compute with pages as of `at`: this program's
/// `compute-filler`. Blocks shortly.
core::result<pid_t> start_filler(const std::string& server_directory, const host::compute_record& record, core::lsn at,
                                 const page_files::guarded_directory& of);

/// What the guard of the directory, this process's parent, has given it.
struct filler_words {
  std::string compute;
  std::string at;
  int group = -1;
  int map = -1;
};
/// The work of that process, until its guard ends.
void run_filler(const scope& of, const filler_words& words);

}  // namespace strata::control
