#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::io {

struct replace_options {
  /// False for a file that is useless after a crash of the machine.
  bool durable = true;
  /// User and group of the new file; without it, those of the process. For the machine's own disk.
  std::optional<std::pair<uid_t, gid_t>> owner = {};
};

/// Replaces a small file through a temporary file in the same directory: readers, and a process started after a crash
/// of this one, find the old content or the new one. Durable on return unless requested otherwise. On an error the old
/// file is unchanged.
core::result<void> replace_file(const std::string& path, std::string_view content, const replace_options& how = {},
                                disk& on = real_disk());

}  // namespace strata::io
