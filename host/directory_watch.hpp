#pragma once

#include <sys/types.h>

#include <string>

#include "io/unique_fd.hpp"

namespace strata::host {

/// Waits for files that another process replaces in a directory (io/replace_file.hpp), without looking again and again.
class directory_watch {
 public:
  /// The user may have no watch left (fs.inotify.max_user_instances): then it looks every few milliseconds.
  explicit directory_watch(const std::string& directory);

  /// Returns when a file has been replaced since the last call, or nothing happened for a while; true when `process`
  /// has ended.
  [[nodiscard]] bool wait_or_end(pid_t process) const;

 private:
  io::unique_fd events_;
};

}  // namespace strata::host
