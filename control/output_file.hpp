#pragma once

#include <cstdint>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::control {

/// A file that a command writes for the user. A regular file appears under its name, or takes the place of the one that
/// has it, when it is complete; into a device or FIFO is written as it comes. Symbolic links are followed: the link
/// stays. Without finish() nothing is left behind, also after a kill where the file system has unnamed files.
class output_file {
 public:
  /// errc::invalid_argument for what is no place for an archive: a directory, a socket, a block device.
  static core::result<output_file> open(const std::string& path);
  static output_file standard_output();

  output_file(output_file&& other) noexcept;
  output_file& operator=(output_file&&) = delete;
  ~output_file();

  core::result<void> write(core::bytes_view data);
  core::result<void> finish();
  /// The file that a kill would leave; empty: none.
  [[nodiscard]] const std::string& temporary() const { return temporary_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  output_file() = default;
  core::result<void> open_regular(std::string path);
  core::result<void> name_it();

  std::string shown_;      ///< for messages
  std::string path_;       ///< of the regular file to appear; empty: written in place
  std::string temporary_;  ///< its name until then; empty: it has none
  int file_ = -1;
  bool owned_ = false;
  std::uint64_t bytes_ = 0;
};

}  // namespace strata::control
