#pragma once

#include <string>

#include "consensus/membership.hpp"
#include "core/ids.hpp"
#include "core/instance_id.hpp"
#include "core/result.hpp"
#include "messages/wal_membership.hpp"

namespace strata::control {

/// A server's requests to a safekeeper of its directory, by the HTTP address in its safekeeper.json, as it is at the
/// moment of the call. A request waits 5 s for its answer. errc::unavailable: the safekeeper does not run.

/// The instance of its directory.
core::result<core::instance_id> instance_of_safekeeper(const std::string& server_directory, consensus::node_id id);

/// Creates the timeline on this instance of it.
core::result<void> create_on_safekeeper(const std::string& server_directory, consensus::node_id id,
                                        const messages::timeline_safekeepers& of, const core::instance_id& instance);

/// Deletes the timeline's WAL, in object storage, too: its record is gone, no safekeeper keeps it any more.
core::result<void> delete_on_safekeeper(const std::string& server_directory, consensus::node_id id,
                                        const core::tenant_id& tenant, const core::timeline_id& timeline);

}  // namespace strata::control
