#pragma once

#include <string_view>

namespace strata::pg::client {

/// Whether a server with this synchronous_standby_names counts a standby of this application_name as a synchronous one.
/// Compared as in Postgres: ignoring case, and `*` matches every name.
bool names_standby(std::string_view synchronous_standby_names, std::string_view application_name);

}  // namespace strata::pg::client
