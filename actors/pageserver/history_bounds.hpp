#pragma once

#include <optional>
#include <string>

#include "actors/pageserver/maintenance/retention.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "messages/timeline.hpp"
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
inline bool is_followed(const storage::timeline_record& of) { return follows_source(of) || of.safekeepers; }

/// All commits of the timeline before its creation are known; nullopt for one that follows a source.
std::optional<core::wall_time> known_by_birth(const storage::timeline_record& of);
/// A branch has no commits of its own before its creation, and neither has a root without a source: those before an
/// import are not in WAL. nullopt for a root whose beginning was collected, and for one that follows a source.
std::optional<core::wall_time> begins_at_birth(const storage::timeline_record& of);

/// The timeline's LSN at `time`; nullopt: not known yet. errc::out_of_range: before its history. (Pure.)
core::result<std::optional<core::lsn>> point_at(core::wall_time time, const storage::lsn_at_time& found,
                                                const history_bounds& known);

/// "all commits up to 2026-11-29 17:55:50 UTC have arrived; the source is streaming", for people.
std::string why_not_known(const std::optional<core::wall_time>& until, const std::string& state);

}  // namespace strata::actors::pageserver
