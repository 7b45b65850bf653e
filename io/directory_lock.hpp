#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "io/file.hpp"

namespace strata::io {

/// Holds a server's directory for one process: an flock on strata.lock, which names the holder's pid. Released by the
/// destructor or the end of the process, whatever ends it.
class directory_lock {
 public:
  /// errc::conflict, naming the process, when another one has it.
  static core::result<directory_lock> take(const std::string& directory);

 private:
  explicit directory_lock(unique_fd file) : file_(std::move(file)) {}
  unique_fd file_;
};

/// The version of a directory's format. Version 1 had no seals.
inline constexpr std::uint32_t directory_version = 2;

/// Checks the file STRATA, which says that a directory is ours and which format version it has (docs/formats/
/// metadata.md), and returns the version; writes it when the directory is new. errc::unsupported for a version we don't
/// know, errc::corrupt when it is damaged, or missing although `in_use`.
core::result<std::uint32_t> check_identity_file(const std::string& directory, bool in_use);
/// Says that the directory has the present version.
core::result<void> write_identity_file(const std::string& directory);

}  // namespace strata::io
