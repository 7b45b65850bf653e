#pragma once

#include <chrono>
#include <string>

#include "core/result.hpp"

namespace strata::pg::client {

/// errc::not_found when the connection string names a database that the server does not have: a replication connection
/// does not check it. Any other reason why this user can't open an ordinary connection is no error. Blocks for at most
/// `limit`, plus the time to resolve a host name.
core::result<void> check_database(const std::string& conninfo, std::chrono::milliseconds limit);

}  // namespace strata::pg::client
