#pragma once

#include <string_view>

namespace strata::pg::client {

/// Does a server with this synchronous_standby_names count a standby of this application_name as a synchronous one?
/// As Postgres compares them: without case, and `*` is everybody.
bool names_standby(std::string_view synchronous_standby_names, std::string_view application_name);

}  // namespace strata::pg::client
