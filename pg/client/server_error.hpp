#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace strata::pg::client {

/// What a server or libpq said when something failed.
struct server_complaint {
  std::string sqlstate;  ///< empty if it did not come from a server
  std::string message;   ///< primary message
  std::string detail;
  std::string hint;
};

/// Our error for it: a code that says what can be done, and a text that says how, with the server's words behind.
core::error explain(std::string_view doing, const server_complaint& complaint);

/// Takes apart the verbose text of a failed connection attempt ("... FATAL:  28P01: password ...").
server_complaint parse_connection_failure(std::string_view text);

}  // namespace strata::pg::client
