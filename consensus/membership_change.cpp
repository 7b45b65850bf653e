#include "consensus/membership_change.hpp"

#include <algorithm>
#include <string>

#include "core/check.hpp"

namespace strata::consensus {
namespace {

std::string named(node_id id) { return "safekeeper " + std::to_string(id.value); }

bool has(const std::vector<member>& in, node_id id) { return std::ranges::find(in, id, &member::id) != in.end(); }

std::vector<node_id> ids_of(const std::vector<member>& of) {
  std::vector<node_id> ids;
  for (const member& each : of) ids.push_back(each.id);
  std::ranges::sort(ids);
  return ids;
}

std::string text_of(const std::vector<node_id>& ids) {
  std::string text;
  for (const node_id id : ids) text += (text.empty() ? "" : ", ") + std::to_string(id.value);
  return text;
}

core::error not_a_member(const configuration& now, node_id id) {
  return {core::errc::invalid_argument,
          named(id) + " is not a member of the branch; its safekeepers are " + text_of(ids_of(now.members))};
}

/// The member's report, if it has installed the changing configuration.
const member_log* report_of(const std::vector<member_log>& reports, node_id id, const configuration& now) {
  const auto found = std::ranges::find(reports, id, &member_log::id);
  return found == reports.end() || found->generation != now.generation ? nullptr : &*found;
}

std::optional<change_goal> goal_of(const configuration& now, const std::vector<member_log>& reports) {
  change_goal goal;
  for (const member& each : now.members)
    if (const auto* report = report_of(reports, each.id, now))
      goal = {std::max(goal.end, report->end), std::max(goal.in, report->in)};
  const configuration old{.generation = now.generation, .members = now.members};
  const bool known = old.is_quorum([&](node_id id) { return report_of(reports, id, now) != nullptr; });
  return known ? std::optional(goal) : std::nullopt;
}

bool may_finish(const configuration& now, const change_goal& goal, const std::vector<node_id>& required,
                const std::vector<member_log>& reports) {
  const auto reached = [&](node_id id) {
    const auto* report = report_of(reports, id, now);
    return report != nullptr && report->end >= goal.end && report->in >= goal.in;
  };
  const configuration next{.generation = now.generation, .members = *now.new_members};
  return std::ranges::all_of(required, reached) && next.is_quorum(reached);
}

}  // namespace

core::result<change_stage> stage_of(const configuration& now, const std::vector<node_id>& former, node_id from,
                                    node_id to) {
  if (from == to)
    return core::error{core::errc::invalid_argument, named(from) +
                                                         " can't replace itself: its WAL is lost, and "
                                                         "its ID would claim to have it"};
  if (now.changing()) {
    std::vector<node_id> wanted = ids_of(now.members);
    std::ranges::replace(wanted, from, to);
    std::ranges::sort(wanted);
    if (has(now.members, from) && ids_of(*now.new_members) == wanted) return change_stage::to_finish;
    return core::error{core::errc::conflict, "another change is under way, from the safekeepers " +
                                                 text_of(ids_of(now.members)) + " to " +
                                                 text_of(ids_of(*now.new_members))};
  }
  if (has(now.members, to)) {
    if (std::ranges::find(former, from) != former.end() && !has(now.members, from)) return change_stage::to_tidy;
    if (!has(now.members, from)) return not_a_member(now, from);
    return core::error{core::errc::invalid_argument, named(to) + " already keeps the branch's WAL"};
  }
  if (!has(now.members, from)) return not_a_member(now, from);
  return change_stage::to_begin;
}

std::vector<member> members_after(const configuration& now, node_id from, const member& to) {
  std::vector<member> next;
  for (const member& each : now.members) next.push_back(each.id == from ? to : each);
  std::ranges::sort(next);
  return next;
}

core::result<void> check_left_out(node_id self, const configuration& to) {
  if (!to.contains(self)) return {};
  return core::error{core::errc::invalid_argument, named(self) + " is a member of this configuration"};
}

core::result<void> check_deletion(node_id self, const configuration& to, const configuration& installed) {
  if (!installed.contains(self)) return {};
  return core::error{core::errc::conflict, named(self) + " is a member in generation " +
                                               std::to_string(installed.generation) + ", not older than " +
                                               std::to_string(to.generation)};
}

change_decision decide_change(const configuration& now, const std::optional<change_goal>& goal,
                              const std::vector<node_id>& required, const std::vector<member_log>& reports) {
  core::check(now.changing(), "only a change that is under way is decided on");
  change_decision decided{.goal = goal ? goal : goal_of(now, reports)};
  if (!decided.goal) return decided;
  for (const member& each : now.all()) {
    const auto* report = report_of(reports, each.id, now);
    if (report != nullptr && report->in < decided.goal->in) decided.below_term.push_back(each.id);
  }
  decided.next = may_finish(now, *decided.goal, required, reports) ? change_step::finish : change_step::catch_up;
  return decided;
}

}  // namespace strata::consensus
