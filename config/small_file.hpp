#pragma once

#include <string>

#include "core/result.hpp"

namespace strata::config {

/// The content of a file of ours. Never waits, and never reads what is no file: errc::corrupt when something else has
/// its name, or it has more than 1 MiB; otherwise the system's error, which names it.
core::result<std::string> read_small_file(const std::string& path);

}  // namespace strata::config
