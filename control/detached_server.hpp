#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "control/server_file.hpp"

namespace strata::control {

/// A server in a process of its own, which logs to DIR/strata.log and goes on when this one ends. Call before any other
/// thread runs.
class detached_server {
 public:
  /// Runs a server and calls `ready` when it answers; throws a failure when it can't.
  using runner = std::function<void(const std::string& log_file, const std::function<void(const server_file&)>& ready)>;
  static detached_server start(const std::string& directory, const runner& run);

  [[nodiscard]] pid_t process() const { return process_; }
  /// Blocks until the server answers; a failure says why it does not.
  server_file wait_until_ready();

 private:
  detached_server(std::string directory, pid_t process, int report)
      : directory_(std::move(directory)), process_(process), report_(report) {}
  std::string directory_;
  pid_t process_;
  int report_;
};

}  // namespace strata::control
