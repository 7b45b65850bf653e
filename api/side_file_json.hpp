#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::api {

/// The content of a side file in JSON: "size", and "content", its LZ4 block in base64.
void put_content(nlohmann::json& into, core::bytes_view content);
/// errc::invalid_argument when it is not one, or has more bytes than any side file may have.
core::result<core::bytes> content_of(const nlohmann::json& file);

}  // namespace strata::api
