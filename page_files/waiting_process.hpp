#pragma once

#include <sys/types.h>

namespace strata::page_files {

/// Whether a process that waits in the kernel has been sent a signal by which Postgres cancels a query or ends a
/// session (SIGINT, SIGTERM, SIGQUIT). It can't run its handlers before its system call returns.
bool wants_to_stop(pid_t process);

}  // namespace strata::page_files
