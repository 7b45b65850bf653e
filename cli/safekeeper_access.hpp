#pragma once

#include <string>

#include "actors/pageserver/quorum/flushed_positions.hpp"
#include "actors/pageserver/quorum/safekeeper_reconciler.hpp"

namespace strata::cli {

/// Requests to the safekeepers of a server's directory, at the HTTP address in their safekeeper.json at the time of the
/// call. A request times out after 5 s.
actors::pageserver::safekeeper_access access_to_safekeepers(const std::string& server_directory);

/// The WAL services of the safekeepers, found as computes find them (safekeeper_addresses.hpp).
actors::pageserver::locate_member wal_of_safekeepers(const std::string& server_directory);

}  // namespace strata::cli
