#include "actors/pageserver/history_bounds.hpp"

#include "config/time_text.hpp"

namespace strata::actors::pageserver {

std::optional<core::wall_time> known_by_birth(const storage::timeline_record& of) {
  return follows_source(of) ? std::nullopt : std::optional(of.created);
}

std::optional<core::wall_time> begins_at_birth(const storage::timeline_record& of) {
  if (follows_source(of) || (!of.ancestor && of.gc_cutoff > of.readable_from)) return std::nullopt;
  return of.created;
}

core::result<std::optional<core::lsn>> point_at(core::wall_time time, const storage::lsn_at_time& found,
                                                const history_bounds& known) {
  using kind = storage::lsn_at_time::kind;
  const bool is_known = known.until && time <= *known.until;
  const bool is_since = known.since && time >= *known.since;
  switch (found.answer) {
    case kind::present: return std::optional(found.at);
    // Nothing later was committed: the timeline is as it was then, if all commits until then have arrived.
    case kind::future: return is_known ? std::optional(found.at) : std::nullopt;
    case kind::past:
      if (is_since) return std::optional(known.window.first);
      break;
    case kind::no_data:
      if (known.since && !is_since) break;
      return is_since && is_known ? std::optional(known.window.last) : std::nullopt;
  }
  return core::error{core::errc::out_of_range,
                     config::local_text(time) + " is before the retention window: it can be read from " +
                         core::to_string(known.window.first) + " to " + core::to_string(known.window.last)};
}

std::string why_not_known(const std::optional<core::wall_time>& until, const std::string& state) {
  return (until ? "all commits up to " + config::local_text(*until) + " have arrived"
                : std::string("the source has not reported its position yet")) +
         "; " + state;
}

}  // namespace strata::actors::pageserver
