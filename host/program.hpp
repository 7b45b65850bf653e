#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "host/account.hpp"
#include "host/connection_block.hpp"

namespace strata::host {

/// An open file of this process, and its number in the program that inherits it.
struct inherited_file {
  int fd = -1;
  int as = -1;
};

/// A program to start. Of this process's environment it gets no variable of libpq (libpq_environment.hpp).
struct program {
  std::vector<std::string> arguments;  ///< the first is its path
  std::string directory;               ///< empty: stay here
  std::optional<account> run_as;
  std::vector<std::pair<std::string, std::string>> environment;  ///< set on top of this process's
  /// Sent to the program when the thread that starts it ends, however it ends. 0: it outlives us.
  int signal_at_death = 0;
  /// Open files that it gets, beside the standard ones.
  std::vector<inherited_file> inherited{};
  /// It and its children can open no connections to other servers, where the kernel can prevent that.
  std::optional<connection_block_options> no_connections{};
};

/// What a program that has ended leaves: exit code (128 + signal when killed) and what it wrote, bounded.
struct outcome {
  int exit_code = 0;
  std::string output;
};

/// Runs a short program to its end. errc::timeout after `limit`, and then it is killed.
core::result<outcome> run(const program& what, std::chrono::milliseconds limit = std::chrono::seconds(30));

/// Starts a program in a session of its own, so that it outlives this process and its terminal; its output is appended
/// to `log_file`. Returns its process id; the caller reaps it as long as it lives itself.
core::result<pid_t> start_detached(const program& what, const std::string& log_file);

/// Waits until a process, ours or not, has ended. False: not within `limit`.
bool wait_for_end(pid_t process, std::chrono::milliseconds limit);
/// Whether there is such a process (a zombie is none).
bool is_running(pid_t process);

}  // namespace strata::host
