#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/request_head.hpp"

namespace strata::api {

/// "localhost", "127.0.0.1", "[::1]" and the like; what a Host header has before its port.
bool is_loopback_name(std::string_view host);

/// Why a request is refused that a browser sends for a page of another site: its Origin is not this server, or its
/// Host, when the server is `on_loopback`, is no name of the machine itself, so that some name was made to lead here.
/// nullopt: it is not refused. Programs send neither, or the address that they were given.
std::optional<std::string> foreign_origin(const request_head& head, bool on_loopback);

}  // namespace strata::api
