#pragma once

#include <caf/actor_system.hpp>
#include <string>

#include "actors/safekeeper/protocol.hpp"
#include "actors/support/actor_registry.hpp"

namespace strata::actors::safekeeper {

struct peer_recovery_options {
  support::actor_label label;
  acceptor_actor acceptor;
  std::shared_ptr<timeline_view> view;
  std::string donor;  ///< host:port of its WAL service
};

/// Fetches the WAL that another safekeeper has and this one does not, and gives it to the acceptor as the proposer of
/// the donor's term would: tells of the election, then appends. Ends when the acceptor has what the donor had in the
/// beginning; with an error when that is not to be had.
support::socket_owner spawn_peer_recovery(caf::actor_system& system, peer_recovery_options options);

}  // namespace strata::actors::safekeeper
