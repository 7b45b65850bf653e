#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::host {

/// How to reach a server over its Unix socket for replication, as a libpq connection string.
std::string replication_conninfo(const std::string& socket_directory, std::uint16_t port, const std::string& user);

/// How far a server has written its WAL. Blocks, at most for `limit` (then errc::timeout).
core::result<core::lsn> flushed_position(const std::string& conninfo, std::chrono::milliseconds limit);

}  // namespace strata::host
