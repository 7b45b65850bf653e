#pragma once

#include <optional>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/page_key.hpp"

namespace strata::storage {

/// Whether a read may wait for the disk.
enum class read_mode { memory_only, may_block };

/// One page of a vectored read: the caller's 8 KiB, and the result.
struct page_read {
  core::page_key key;
  core::bytes_span page;
  std::optional<core::error> failure;
};

}  // namespace strata::storage
