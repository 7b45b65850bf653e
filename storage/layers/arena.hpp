#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.hpp"

namespace strata::storage {

/// Memory for the parts of one read, released at once. The memory of a read is reused by the next, up to a limit.
class arena {
 public:
  /// A copy with a stable address until reset().
  core::bytes_view copy(core::bytes_view of);
  void reset();

 private:
  struct chunk {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t size;
  };
  std::vector<chunk> chunks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
};

}  // namespace strata::storage
