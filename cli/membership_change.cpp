#include "cli/membership_change.hpp"

#include <algorithm>

namespace strata::cli {
namespace {

using consensus::configuration;
using consensus::member;
using consensus::node_id;

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

const member_log* log_of(const std::vector<member_log>& logs, node_id id, std::uint32_t generation) {
  const auto found = std::ranges::find(logs, id, &member_log::id);
  return found == logs.end() || found->generation != generation ? nullptr : &*found;
}

}  // namespace

core::result<change_stage> stage_of(const configuration& now, node_id from, node_id to) {
  if (from == to)
    return core::error{core::errc::invalid_argument, named(from) +
                                                         " can't replace itself: what it had is gone, and "
                                                         "its number would claim that it is there"};
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
    if (!has(now.members, from)) return change_stage::to_tidy;
    return core::error{core::errc::invalid_argument, named(to) + " keeps the branch's WAL already"};
  }
  if (!has(now.members, from))
    return core::error{core::errc::invalid_argument,
                       named(from) + " does not keep the branch's WAL: " + text_of(ids_of(now.members)) + " do"};
  return change_stage::to_begin;
}

std::vector<member> members_after(const configuration& now, node_id from, const member& to) {
  std::vector<member> next;
  for (const member& each : now.members) next.push_back(each.id == from ? to : each);
  std::ranges::sort(next);
  return next;
}

std::optional<change_goal> goal_of(const configuration& now, const std::vector<member_log>& logs) {
  change_goal goal;
  for (const member& each : now.members)
    if (const auto* log = log_of(logs, each.id, now.generation))
      goal = {std::max(goal.end, log->end), std::max(goal.term, log->term)};
  const configuration old{.generation = now.generation, .members = now.members};
  const bool known = old.is_quorum([&](node_id id) { return log_of(logs, id, now.generation) != nullptr; });
  return known ? std::optional(goal) : std::nullopt;
}

bool may_finish(const configuration& now, node_id to, const change_goal& goal, const std::vector<member_log>& logs) {
  const auto reached = [&](node_id id) {
    const auto* log = log_of(logs, id, now.generation);
    return log != nullptr && log->end >= goal.end && log->term >= goal.term;
  };
  const configuration next{.generation = now.generation, .members = now.new_members.value_or(now.members)};
  return reached(to) && next.is_quorum(reached);
}

}  // namespace strata::cli
