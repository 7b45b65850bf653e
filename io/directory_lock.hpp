#pragma once

#include <optional>
#include <string>

#include "core/result.hpp"
#include "io/disk.hpp"
#include "io/unique_fd.hpp"

namespace strata::io {

/// Holds a server's directory for one process: an flock on strata.lock, which names the holder's pid. Released by the
/// destructor or by the end of the process, also if it is killed.
class directory_lock {
 public:
  /// errc::conflict, naming the process, if another process holds the lock.
  static core::result<directory_lock> take(const std::string& directory);

 private:
  explicit directory_lock(unique_fd file) : file_(std::move(file)) {}
  unique_fd file_;
};

/// The lock of a directory on the machine's disk; none of one on another disk, which only this process has.
core::result<std::optional<directory_lock>> lock_directory(const disk& on, const std::string& directory);

}  // namespace strata::io
