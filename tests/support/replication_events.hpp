#pragma once

#include "core/result.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::tests {

/// Drives a connection as its owner does, until something happens; errc::timeout when nothing does for half a minute.
core::result<pg::client::replication_event> wait_for_event(pg::client::replication_connection& connection);

}  // namespace strata::tests
