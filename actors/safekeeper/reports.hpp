#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "consensus/membership.hpp"
#include "core/clock.hpp"
#include "journal/maintenance.hpp"
#include "protocol/quorum_codec.hpp"

namespace strata::actors::safekeeper {

/// The reports of others on one timeline: of its peers, and the pageserver.
struct reports {
  std::vector<journal::peer_report> peers;
  std::optional<protocol::pageserver_feedback> feedback;

  /// The latest report of each peer counts; beyond the most peers of a timeline, the first ones.
  void received(const protocol::safekeeper_timeline_info& info, core::monotonic_time now) {
    const auto known = std::find_if(peers.begin(), peers.end(), [&](const journal::peer_report& each) {
      return each.info.safekeeper == info.safekeeper;
    });
    if (known != peers.end())
      *known = {info, now};
    else if (peers.size() < consensus::members_max)
      peers.push_back({info, now});
  }
  void forget_old(core::monotonic_time now) {
    std::erase_if(peers, [now](const journal::peer_report& each) { return now - each.at > journal::peer_lifetime; });
  }
};

}  // namespace strata::actors::safekeeper
