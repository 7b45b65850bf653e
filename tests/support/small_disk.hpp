#pragma once

#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// A small file system of its own.
class small_disk {
 public:
  explicit small_disk(const std::string& size) {
    std::filesystem::create_directory(place());
    if (::mount("strata-test", place().c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0)
      problem = std::strerror(errno);
  }
  ~small_disk() {
    if (problem.empty()) ::umount2(place().c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  void grow(const std::string& size) const {
    if (::mount("strata-test", place().c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str()) != 0)
      throw std::runtime_error(std::string("grow a tmpfs: ") + std::strerror(errno));
  }
  [[nodiscard]] std::filesystem::path place() const { return home_ / "disk"; }
  std::string problem;

 private:
  temp_dir home_;
};

}  // namespace strata::tests
