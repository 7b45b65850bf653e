#pragma once

#include <string>

#include "core/result.hpp"

namespace strata::control {

/// The IP address to listen on, as getaddrinfo takes it: "::1" from "[::1]", 127.0.0.1 from "localhost".
/// errc::invalid_argument when it is none, or when others than programs of this machine would reach ports that ask for
/// no password, and nobody has said that they may (`insecure`).
core::result<std::string> checked_listen_address(const std::string& given, bool insecure);

}  // namespace strata::control
