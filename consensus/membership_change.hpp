#pragma once

#include <optional>
#include <vector>

#include "consensus/membership.hpp"
#include "consensus/term.hpp"
#include "core/result.hpp"

/// The decisions of a membership change, made from the server's configuration and the safekeepers' reports. The command
/// that replaces a safekeeper, the simulation and the model check run these functions; there is no second copy of the
/// rule.
namespace strata::consensus {

// -- replacing one safekeeper -----------------------------------------------------------------------------------------

/// The stage of a replacement, in order.
enum class change_stage {
  to_begin,   ///< nothing is done yet
  to_finish,  ///< the server has the changing configuration: new members catch up
  to_tidy,  ///< the server has the new members: they install their configuration, and those left out delete their copy
};

/// `former`: members of earlier configurations. Only with them a replacement that has ended can be told from one of a
/// safekeeper that never was a member: `now` is the same after both.
/// errc::invalid_argument: `from` is no member, or `to` is one already; errc::conflict: another change is under way.
core::result<change_stage> stage_of(const configuration& now, const std::vector<node_id>& former, node_id from,
                                    node_id to);

/// `now`'s members with `to` in the place of `from`. Precondition: stage_of() is to_begin.
std::vector<member> members_after(const configuration& now, node_id from, const member& to);

// -- a member that is left out
// -----------------------------------------------------------------------------------------

/// Whether `to` leaves this safekeeper out. errc::invalid_argument: it is a member.
core::result<void> check_left_out(node_id self, const configuration& to);

/// Whether a safekeeper that `to` leaves out may delete its copy, once it has `installed`: `to` itself, or a
/// configuration that is not older. errc::conflict: it is a member there, and what that configuration counts on stays.
core::result<void> check_deletion(node_id self, const configuration& to, const configuration& installed);

// -- the end of a change ----------------------------------------------------------------------------------------------

/// How far the log of a member reaches: the term of its last record, and its durable end. The greater of two logs has
/// everything that can be committed in the other.
struct log_end {
  term last_log_term;
  core::lsn flush_lsn;
  auto operator<=>(const log_end&) const = default;
};

/// The report of a safekeeper that has the timeline.
struct member_log {
  node_id id;
  std::uint32_t generation = 0;  ///< of its configuration
  term in;                       ///< it votes only in higher ones
  log_end end;
};

/// What a majority of the new members must have before the old members are released.
struct change_goal {
  log_end end;  ///< no WAL after it was committed by the old members alone
  term in;      ///< the old members elected no proposer in a higher term: new ones must not vote in it again
  auto operator<=>(const change_goal&) const = default;
};

/// The next step of the change's driver.
enum class change_step {
  install,   ///< too few old members report the changing configuration: install it on all members
  catch_up,  ///< bring new members to the goal: its WAL, and its term
  finish,    ///< store finish_change(): the old members are released
};

struct change_decision {
  change_step next = change_step::install;
  std::optional<change_goal> goal;  ///< set from catch_up on; the driver passes it with the next reports
  std::vector<node_id> below_term;  ///< members that need bump_term{goal->in}
};

/// Decides from the driver's newest reports, at most one for each member. Members that don't answer are left out.
///
/// The goal is set once, from reports of a majority of the old members that have installed `now`: from then on
/// elections and commits need a majority of the new members, too. The change ends when a majority of the new members,
/// and each of `required`, have installed `now` and report the goal.
///
/// Precondition: now.changing().
change_decision decide_change(const configuration& now, const std::optional<change_goal>& goal,
                              const std::vector<node_id>& required, const std::vector<member_log>& reports);

}  // namespace strata::consensus
