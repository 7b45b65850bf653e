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
  /// The first moment since the start of the process at which all was in; what no commit tells apart is told by it.
  std::optional<core::wall_time> since;
  readable_window window;
};

/// The timeline receives WAL, of a source or of safekeepers.
inline bool is_followed(const storage::timeline_record& of) { return of.source || of.safekeepers; }

/// A branch has no commits of its own before its creation; nullopt for a timeline that follows a source.
std::optional<core::wall_time> known_by_birth(const storage::timeline_record& of);

/// Where the timeline was at `time`; nullopt: that is not known yet. errc::out_of_range: before its history. (Pure.)
core::result<std::optional<core::lsn>> point_at(core::wall_time time, const storage::lsn_at_time& found,
                                                const history_bounds& known);

/// "all commits up to 2026-11-29 17:55:50 UTC have arrived; the source is streaming", for people.
std::string why_not_known(const std::optional<core::wall_time>& until, const std::string& state);

}  // namespace strata::actors::pageserver
