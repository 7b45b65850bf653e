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

/// Fetches WAL that another safekeeper has and this one lacks, and sends it to the acceptor as the proposer of
/// the donor's term would: first the election, then appends. Ends when the acceptor has what the donor had at the
/// start; with an error when that is not possible.
runtime::socket_owner spawn_peer_recovery(caf::actor_system& system, peer_recovery_options options);

}  // namespace strata::actors::safekeeper
