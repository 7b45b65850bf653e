#pragma once

#include <vector>

#include "consensus/membership.hpp"
#include "consensus/messages.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

/// The safekeepers of a timeline, and the start position and cluster that a proposer needs.
struct timeline_safekeepers {
  core::tenant_id tenant;
  core::timeline_id timeline;
  consensus::configuration members;
  core::lsn start_lsn;  ///< start of its WAL there: its branch point, or the end of what a root had without it
  consensus::cluster_identity cluster;
  std::vector<consensus::node_id> former;  ///< members of earlier configurations that are none now; ids ascend
};

/// Creates the first configuration of a branch from the available safekeepers; an existing configuration is returned
/// unchanged. Durable on reply. errc::conflict for a timeline that follows a source, errc::unavailable if no safekeeper
/// is available. On reply the timeline was created on all reachable members, or 2 s have passed.
struct assign_safekeepers {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::vector<consensus::member> available;
};
/// errc::not_found if there is no configuration.
struct get_safekeepers {
  core::tenant_id tenant;
  core::timeline_id timeline;
};
/// Stores the next configuration, durable on reply; the current one may be repeated. errc::conflict unless its
/// generation follows the current one (1 follows none).
struct change_safekeepers {
  core::tenant_id tenant;
  core::timeline_id timeline;
  consensus::configuration to;
};

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::timeline_safekeepers)
STRATA_LOCAL_MESSAGE(strata::messages::assign_safekeepers)
STRATA_LOCAL_MESSAGE(strata::messages::get_safekeepers)
STRATA_LOCAL_MESSAGE(strata::messages::change_safekeepers)
