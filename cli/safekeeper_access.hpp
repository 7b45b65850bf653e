#pragma once

#include <string>

#include "actors/pageserver/history_bounds.hpp"
#include "actors/pageserver/quorum/safekeeper_reconciler.hpp"

namespace strata::cli {

/// The server's way to the safekeepers of its directory: by the HTTP address in their safekeeper.json, as it is at the
/// moment of the call. A request waits 5 s for its answer.
actors::pageserver::safekeeper_access access_to_safekeepers(const std::string& server_directory);

/// Where the WAL of their timelines is asked for, as computes do (safekeeper_addresses.hpp).
actors::pageserver::locate_member wal_of_safekeepers(const std::string& server_directory);

}  // namespace strata::cli
