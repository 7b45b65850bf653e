#pragma once

#include "api/http.hpp"
#include "core/error.hpp"

namespace strata::api {

/// The HTTP status that an error is answered with.
int http_status(core::errc code) noexcept;

/// {"error": {"code": "not_found", "message": ..., "next": what the caller may do}} with the fitting status.
reply error_reply(const core::error& e);

/// The same for what the HTTP layer itself refuses.
reply refusal(int status, std::string_view code, const std::string& message, const std::string& next);

}  // namespace strata::api
