#pragma once

#include <chrono>
#include <string>

#include "core/result.hpp"

namespace strata::pg::client {

/// errc::not_found when the connection string names a database that the server does not have: a replication connection
/// does not mind. Whatever else keeps this user from an ordinary connection is no error. Blocks, for `limit` at most
/// but for the time that it takes to resolve a host name.
core::result<void> check_database(const std::string& conninfo, std::chrono::milliseconds limit);

}  // namespace strata::pg::client
