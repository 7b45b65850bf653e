#pragma once

#include <string>

#include "core/ids.hpp"
#include "core/result.hpp"
#include "messages/safekeeper.hpp"

namespace strata::api {

/// Asks the safekeeper whose HTTP API is at `host` (HOST:PORT) for its copy of a timeline and for the address of its
/// WAL service. Blocks; each of the two answers is waited for 15 s. errc::corrupt if an answer is not a safekeeper's.
core::result<messages::wal_donor> ask_donor(const std::string& host, const core::timeline_key& of);

}  // namespace strata::api
