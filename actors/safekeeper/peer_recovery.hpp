#pragma once

#include <caf/actor_system.hpp>
#include <string>

#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/protocol.hpp"

namespace strata::actors::safekeeper {

struct peer_recovery_options {
  runtime::actor_label label;
  acceptor_actor acceptor;
  std::shared_ptr<journal::timeline_view> view;
  std::string donor;  ///< host:port of its WAL service
};

/// Fetches the WAL that another safekeeper has and this one does not, and gives it to the acceptor as the proposer of
/// the donor's term would: tells of the election, then appends. Ends when the acceptor has what the donor had in the
/// beginning; with an error when that is not to be had.
runtime::socket_owner spawn_peer_recovery(caf::actor_system& system, peer_recovery_options options);

}  // namespace strata::actors::safekeeper
