#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::host {

/// Unpacks a data directory from a tar as it arrives. Whatever the archive says, nothing is written outside the target:
/// names are checked, links are refused, no file is written twice, and the target is new. Everything belongs to this
/// process's user; files are 0600, directories 0700, whatever the archive says.
class data_directory_unpacker {
 public:
  /// Makes the directory; errc::conflict when it is there already.
  static core::result<std::unique_ptr<data_directory_unpacker>> open(const std::string& directory);
  virtual ~data_directory_unpacker() = default;

  virtual core::result<void> feed(core::bytes_view part) = 0;
  /// errc::corrupt when the archive is not complete or is not of a data directory.
  virtual core::result<void> finish() = 0;

  [[nodiscard]] virtual std::uint64_t bytes_written() const = 0;
};

}  // namespace strata::host
