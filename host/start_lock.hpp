#pragma once

#include <string>
#include <utility>

#include "core/result.hpp"

namespace strata::host {

/// Held by a command as long as it makes, starts or uses up a compute: <compute's directory>/start.lock. The kernel
/// lets go of it when the command ends, however it ends, and programs that it started don't inherit it.
class start_lock {
 public:
  /// errc::conflict when another command has it, errc::not_found when there is no such directory.
  static core::result<start_lock> take(const std::string& directory);
  static bool is_held(const std::string& directory);

  start_lock(start_lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  start_lock& operator=(start_lock&&) = delete;
  ~start_lock();

 private:
  explicit start_lock(int file) : file_(file) {}
  int file_;
};

}  // namespace strata::host
