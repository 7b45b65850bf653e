#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace strata::pg::client {

/// The error of a server or of libpq.
struct server_complaint {
  std::string sqlstate;  ///< empty if it did not come from a server
  std::string message;   ///< primary message
  std::string detail;
  std::string hint;
};

/// Our error for it: a code for the caller, and a text with the remedy, followed by the server's message.
core::error explain(std::string_view doing, const server_complaint& complaint);

/// Parses the verbose text of a failed connection attempt ("... FATAL:  28P01: password ...").
server_complaint parse_connection_failure(std::string_view text);

}  // namespace strata::pg::client
