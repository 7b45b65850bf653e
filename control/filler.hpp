#pragma once

#include <sys/types.h>

#include <string>

#include "control/scope.hpp"
#include "core/lsn.hpp"
#include "host/registry.hpp"
#include "io/unique_fd.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::control {

/// A process of this program that waits for a data directory to fill: `compute-filler`. It ends when its guard, the
/// process that started it, ends or closes the socket.
struct waiting_filler {
  pid_t process = 0;  ///< reaped by the guard; 0: none
  io::unique_fd socket;
};
/// For a guard that has no thread yet. None for a copy, and where it can't be forked.
core::result<waiting_filler> fork_filler(const scope& of, const host::compute_record& record);

/// Gives `waiting` the data directory of a compute to fill with pages as of `at`; another filler is started if there is
/// none, or if it has ended. Returns when the directory is mounted if it is to be.
core::result<pid_t> start_filler(const scope& of, const host::compute_record& record, waiting_filler waiting,
                                 core::lsn at, const page_files::guarded_directory& directory);

/// The work of that process: fills what it gets over page_files::assignment_descriptor until its guard ends.
void run_filler(const scope& of, const std::string& compute);

/// Takes away what a filler has mounted on a data directory whose Postgres has ended. Nothing there is a success.
core::result<void> remove_mount(const std::string& data_directory);
/// The same, and then its directories and its record. Precondition: it does not run.
core::result<void> remove_files(const scope& of, const host::compute_record& record);

}  // namespace strata::control
