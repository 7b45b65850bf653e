#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace strata::config {

/// "10 min", "7 d", "1h30m", "2 hours", "250ms"; a bare number is milliseconds. At most 1000 years.
core::result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest exact text that parse_duration reads back: "10m", "7d", "90s", "250ms".
std::string duration_text(std::chrono::milliseconds value);

/// "128 MiB", "64MB", "8k"; a bare number is bytes. All units are powers of 1024, as in postgresql.conf.
core::result<std::uint64_t> parse_size(std::string_view text);
/// For people: "1.4 GiB", "312 B".
std::string size_text(std::uint64_t bytes);

}  // namespace strata::config
