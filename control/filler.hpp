#pragma once

#include <string>

#include "control/scope.hpp"
#include "core/lsn.hpp"
#include "host/registry.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::control {

/// Starts the process that fills the data directory of a compute with pages as of `at`: this program's
/// `compute-filler`. Returns when it runs, and when the directory is mounted if it is to be.
core::result<pid_t> start_filler(const std::string& server_directory, const host::compute_record& record, core::lsn at,
                                 const page_files::guarded_directory& of);

/// What the guard of the directory, this process's parent, has given it.
struct filler_words {
  std::string compute;
  std::string at;
  int group = -1;  ///< of native files
  int map = -1;
};
/// The work of that process, until its guard ends.
void run_filler(const scope& of, const filler_words& words);

/// Takes away what a filler has mounted on a data directory whose Postgres has ended. Nothing there is a success.
core::result<void> remove_mount(const std::string& data_directory);
/// The same, and then its directories and its record. Precondition: it does not run.
core::result<void> remove_files(const scope& of, const host::compute_record& record);

}  // namespace strata::control
