#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "actors/pageserver/maintenance/retention.hpp"
#include "consensus/membership.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "messages/timeline.hpp"
#include "pg/wire/safekeeper_identity.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// The bounds of a timeline's history, for the resolution of a time.
struct history_bounds {
  /// All commits up to this time are included. Read before the store.
  std::optional<core::wall_time> until;
  /// Start of the known history if no earlier commit is found: the first `until` of this process, or the creation.
  std::optional<core::wall_time> since;
  readable_window window;
};

/// Whether the timeline receives WAL, of a source or of safekeepers.
inline bool is_followed(const storage::timeline_record& of) { return of.source || of.safekeepers; }

/// A branch has no commits of its own before its creation; nullopt for a timeline that follows a source.
std::optional<core::wall_time> known_by_birth(const storage::timeline_record& of);

/// The timeline's LSN at `time`; nullopt: not known yet. errc::out_of_range: before its history. (Pure.)
core::result<std::optional<core::lsn>> point_at(core::wall_time time, const storage::lsn_at_time& found,
                                                const history_bounds& known);

/// "all commits up to 2026-11-29 17:55:50 UTC have arrived; the source is streaming", for people.
std::string why_not_known(const std::optional<core::wall_time>& until, const std::string& state);

/// The head of WAL that may have been acknowledged by `members`: the highest position that a majority can have,
/// if members that did not answer have everything. errc::unavailable when too few answered. (Pure.)
core::result<core::lsn> acknowledged_at_most(const consensus::configuration& members,
                                             const std::map<consensus::node_id, core::lsn>& flushed);

/// A member's current address, and the identity that must answer there: addresses in a configuration may be outdated.
struct member_location {
  std::string host;
  std::uint16_t port = 0;
  pg::wire::safekeeper_identity expected;
};
/// Blocks. An error: it can't be reached now, and no other server may be taken for it.
using locate_member = std::function<core::result<member_location>(const consensus::member&)>;

/// The ends of the WAL on the members' disks, of the members that answer.
using flushed_question = std::function<core::result<std::map<consensus::node_id, core::lsn>>(
    const consensus::configuration&, const core::tenant_id&, const core::timeline_id&)>;

/// Asks all members at once, and blocks for 1.5 s at most (plus name resolution): answers that come later than shortly
/// after a majority's are left out. errc::busy, without asking, when too many timelines ask at once.
/// Without `locate` the members have the configuration's addresses.
flushed_question ask_flushed(locate_member locate = nullptr);

/// The WAL that the members may have acknowledged by now, by asking them; errors and blocking as of `ask` and
/// acknowledged_at_most().
core::result<core::lsn> ask_acknowledged(const flushed_question& ask, const consensus::configuration& members,
                                         const core::tenant_id& tenant, const core::timeline_id& timeline);

}  // namespace strata::actors::pageserver
