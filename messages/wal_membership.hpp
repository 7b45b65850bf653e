#pragma once

#include <vector>

#include "consensus/membership.hpp"
#include "consensus/messages.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

/// Who keeps a timeline's WAL, and what a proposer must know to write the first of it.
struct timeline_safekeepers {
  core::tenant_id tenant;
  core::timeline_id timeline;
  consensus::configuration members;
  core::lsn start_lsn;  ///< where the timeline's own WAL begins: its branch point
  consensus::cluster_identity cluster;
};

/// The first configuration of a branch, from those that the server has; if there is one it is answered, whatever is
/// available. Durable on reply. errc::conflict for a timeline that follows a source, errc::unavailable when none is
/// available. The timeline was then made on all members that are there, or 2 s are over.
struct assign_safekeepers {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::vector<consensus::member> available;
};
/// errc::not_found when there is no configuration.
struct get_safekeepers {
  core::tenant_id tenant;
  core::timeline_id timeline;
};
/// The next configuration, durable on reply; the one there is may be repeated. errc::conflict unless its generation
/// follows the one there is (1 follows none).
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
