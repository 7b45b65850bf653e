#pragma once

#include <optional>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "core/result.hpp"

/// What is to be done to replace a safekeeper of a branch, decided from the configuration that the server has and from
/// what the safekeepers say. Without input and output.
namespace strata::cli {

/// Where a replacement stands; each step goes on to the next.
enum class change_stage {
  to_begin,   ///< nothing was done yet
  to_finish,  ///< the server has the changing configuration: new members catch up
  to_tidy,    ///< the server has the new members: they and those left out have to hear of it
};

/// errc::invalid_argument: `from` is no member, or `to` is one already; errc::conflict: another change is under way.
core::result<change_stage> stage_of(const consensus::configuration& now, consensus::node_id from,
                                    consensus::node_id to);

/// `now`'s members with `to` in the place of `from`. Precondition: stage_of() is to_begin.
std::vector<consensus::member> members_after(const consensus::configuration& now, consensus::node_id from,
                                             const consensus::member& to);

/// How far the log of a member reaches: the term of its last record, and its durable end. Of two logs the one that is
/// greater has everything that can be committed in the other.
struct log_end {
  std::uint64_t last_log_term = 0;
  core::lsn flush_lsn;
  auto operator<=>(const log_end&) const = default;
};
/// A safekeeper that answered for the timeline.
struct member_log {
  consensus::node_id id;
  std::uint32_t generation = 0;  ///< of the configuration it has
  std::uint64_t term = 0;        ///< it votes for higher ones only
  log_end end;
};

/// What new members must have before the old ones may go.
struct change_goal {
  log_end end;  ///< nothing that was committed by the old members lies behind it
  std::uint64_t term =
      0;  ///< nobody was elected by the old members in a higher one: new ones must not vote for it again
  auto operator<=>(const change_goal&) const = default;
};
/// Only those that have taken over the changing configuration `now` are asked, because only from then on nobody is
/// elected and nothing more is committed without the new ones. nullopt: these are no majority of the old members.
std::optional<change_goal> goal_of(const consensus::configuration& now, const std::vector<member_log>& logs);

/// Whether `to`, and a majority of the new members, have taken over `now` and reach `goal`.
bool may_finish(const consensus::configuration& now, consensus::node_id to, const change_goal& goal,
                const std::vector<member_log>& logs);

}  // namespace strata::cli
