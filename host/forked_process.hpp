#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "host/program.hpp"

namespace strata::host {

/// Work for a child of this process that does not start a program: the start of this one takes 15 to 20 ms, most of
/// them for its shared libraries (docs/decisions/0056-start-of-a-compute.md).
struct forked_work {
  /// What `ps` shows; the same that would be executed.
  std::vector<std::string> command_line;
  /// The open files that it has, beside the standard ones.
  std::vector<inherited_file> inherited{};
  /// Returns the exit code. No object on the parent's stack is destroyed.
  std::function<int()> run;
};

/// Whether this process can fork: others than the thread that calls would be missing in the child, with the locks that
/// they hold.
bool has_one_thread();

/// As start_detached(): a session of its own, output to `log_file`, no variable of libpq, no signal handler and no open
/// file of this process. Precondition: has_one_thread().
core::result<pid_t> fork_detached(const forked_work& what, const std::string& log_file);

}  // namespace strata::host
