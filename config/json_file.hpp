#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace strata::config {

/// "line 3, column 7": where the parser stopped in `text`, having read `bytes_read`.
std::string json_place(std::string_view text, std::size_t bytes_read);

/// A file of ours. errc::corrupt, in words of ours, when it is not JSON.
core::result<nlohmann::json> read_json_file(const std::string& path);

/// The error for a JSON file with missing members, or members of the wrong type.
core::error wrong_members(const std::string& path);

}  // namespace strata::config
