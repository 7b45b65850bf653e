#pragma once

#include <map>
#include <optional>
#include <string>

#include "actors/pageserver/retention.hpp"
#include "consensus/membership.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "messages/timeline.hpp"
#include "storage/timeline_store.hpp"

namespace strata::actors::pageserver {

/// What is known of a timeline's history when a moment of it is looked up.
struct known_history {
  /// Everything that was committed by then is in. From before the store was asked.
  std::optional<core::wall_time> until;
  /// The first moment since the start of the process at which all was in; what no commit tells apart is told by it.
  std::optional<core::wall_time> since;
  readable_window window;
};

/// Where the timeline was at `time`; nullopt: that is not known yet. errc::out_of_range: before its history. (Pure.)
core::result<std::optional<core::lsn>> point_at(core::wall_time time, const storage::lsn_at_time& found,
                                                const known_history& known);

/// "everything committed up to 2026-11-29 17:55:50 UTC is here; the source is streaming", for people.
std::string why_not_known(const std::optional<core::wall_time>& until, const std::string& state);

/// The head of WAL that may have been acknowledged by `configuration`: the highest position that a majority can have,
/// taking those that did not answer for holders of anything. errc::unavailable when too few answered to say. (Pure.)
core::result<core::lsn> acknowledged_at_most(const consensus::configuration& members,
                                             const std::map<consensus::node_id, core::lsn>& flushed);

/// Asks the members how far the WAL on their disks goes. Blocks, at most 2 s for each.
std::map<consensus::node_id, core::lsn> ask_flushed(const consensus::configuration& members,
                                                    const core::tenant_id& tenant, const core::timeline_id& timeline);

}  // namespace strata::actors::pageserver
