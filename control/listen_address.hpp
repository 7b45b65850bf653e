#pragma once

#include <string>

#include "core/result.hpp"

namespace strata::control {

/// The IP address to listen on, as getaddrinfo takes it: "::1" from "[::1]", 127.0.0.1 from "localhost".
/// errc::invalid_argument if it is not an IP address, or if other machines could reach it, unless `insecure` allows
/// that: the ports have no authentication.
core::result<std::string> checked_listen_address(const std::string& given, bool insecure);

}  // namespace strata::control
