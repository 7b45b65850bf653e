#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::host {

/// What a Postgres runs with that follows its branch as a hot standby, with the WAL that it gets over the socket of
/// listen_for_standby(): "name=value" for the command line.
std::vector<std::string> standby_settings(const std::string& socket_directory, int major);

/// Listens, non-blocking, for the walreceiver of the Postgres with this socket directory, which only its owner may
/// enter. Creates the directory; the next start of that Postgres gives it to its user, with the socket.
core::result<io::unique_fd> listen_for_standby(const std::string& socket_directory);

}  // namespace strata::host
