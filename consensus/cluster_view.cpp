#include "consensus/cluster_view.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace strata::consensus {
namespace {

constexpr std::array<std::pair<safekeeper_state, std::string_view>, 4> state_names{{
    {safekeeper_state::unreachable, "unreachable"},
    {safekeeper_state::down, "down"},
    {safekeeper_state::starting, "starting"},
    {safekeeper_state::up, "up"},
}};

/// `failure`: what keeps it from voting and writing.
quorum_view::row row_for(const member& of, const observed_safekeeper* keeper, const timeline_copy* copy,
                         member_failure& failure) {
  failure = member_failure::down;
  if (keeper == nullptr) return {of.id, "unknown", {}};
  const safekeeper_status& status = keeper->status;
  if (status.state == safekeeper_state::unreachable) failure = member_failure::silent;
  if (!status.up()) return {of.id, std::string(to_string(status.state)), {}};
  if (copy == nullptr) {
    failure = member_failure::lacks;
    return {of.id, "missing", {}};
  }
  quorum_view::row row{of.id, copy->state,
                       quorum_view::positions{copy->in, copy->flush_lsn, copy->commit_lsn, copy->backup_lsn}};
  const auto unreachable = status.unreachable_at.find(address_of(of));
  if (!copy->usable) {
    failure = member_failure::broken;
  } else if (status.disk_full.value_or(true)) {
    failure = member_failure::full;
    row.state += status.disk_full ? "; disk full" : "; free disk space unknown";
  } else if (unreachable != status.unreachable_at.end()) {
    failure = member_failure::unreachable;
    row.state += "; unreachable at " + address_of(of) + ": " + unreachable->second;
  } else {
    failure = member_failure::none;
  }
  return row;
}

const observed_safekeeper* find(const std::vector<observed_safekeeper>& all, node_id id) {
  const auto found = std::ranges::find(all, id, [](const observed_safekeeper& each) { return each.status.id; });
  return found == all.end() ? nullptr : &*found;
}

void fill(quorum_view& view, const std::vector<observed_safekeeper>& all) {
  core::lsn furthest;
  std::vector<member_state> members;
  for (const member& each : view.members.all()) {
    const auto* keeper = find(all, each.id);
    const timeline_copy* copy = nullptr;
    if (keeper != nullptr)
      if (const auto at = std::ranges::find(keeper->copies, view.of, &timeline_copy::of); at != keeper->copies.end())
        copy = &*at;
    auto& state = members.emplace_back(member_state{.id = each.id.value});
    auto row = row_for(each, keeper, copy, state.failure);
    if (state.failure == member_failure::lacks) view.lacking.push_back(each.id.value);
    if (row.reported) furthest = std::max(furthest, row.reported->flush_lsn);
    view.rows.push_back(std::move(row));
  }
  for (auto& row : view.rows)
    if (row.reported) row.reported->lag_bytes = furthest - row.reported->flush_lsn;
  view.health = health_of(view.members, members);
}

/// Without timelines: as if one had all safekeepers as members.
quorum_health health_of_all(const std::vector<observed_safekeeper>& all) {
  if (all.empty()) return {.can_lose = -1, .text = "no safekeepers"};
  configuration everybody{.generation = 1};
  std::vector<member_state> members;
  for (const auto& [status, copies] : all) {
    everybody.members.push_back({status.id, "", 0});
    const bool is_silent = status.state == safekeeper_state::unreachable;
    members.push_back({status.id.value, is_silent                         ? member_failure::silent
                                        : !status.up()                    ? member_failure::down
                                        : status.disk_full.value_or(true) ? member_failure::full
                                                                          : member_failure::none});
  }
  return health_of(everybody, members);
}

}  // namespace

std::string address_of(const member& of) { return of.host + ":" + std::to_string(of.port); }

std::string_view to_string(safekeeper_state state) {
  return std::ranges::find(state_names, state, &std::pair<safekeeper_state, std::string_view>::first)->second;
}

std::optional<safekeeper_state> parse_safekeeper_state(std::string_view text) {
  for (const auto& [state, name] : state_names)
    if (name == text) return state;
  return std::nullopt;
}

void observation_times::note(core::wall_time at, std::vector<observed_safekeeper>& seen) {
  std::map<node_id, times> now;
  for (auto& [status, copies] : seen) {
    const auto before = known_.find(status.id);
    times next{status.state, status.process, status.instance, at, std::nullopt};
    if (before != known_.end()) {
      next.last_answer = before->second.last_answer;
      const times& then = before->second;
      if (then.process == status.process) {
        // A look that could not read the file tells nothing of the instance.
        if (!status.instance.valid()) next.instance = then.instance;
        const bool is_same = !then.instance.valid() || then.instance == next.instance;
        if (then.state == status.state && is_same) next.since = then.since;
      }
    }
    if (status.up()) next.last_answer = at;
    status.since = next.since;
    status.last_answer = next.last_answer;
    now.emplace(status.id, next);
  }
  known_ = std::move(now);
}

cluster_view view_cluster(const std::vector<observed_safekeeper>& safekeepers,
                          const std::vector<observed_branch>& branches, std::vector<unlisted_source> unlisted) {
  std::map<core::timeline_key, configuration> newest;
  for (const auto& each : safekeepers)
    for (const timeline_copy& copy : each.copies) {
      if (copy.members.generation == 0) continue;
      auto& known = newest[copy.of];
      if (copy.members.generation > known.generation) known = copy.members;
    }
  std::map<core::timeline_key, std::string> names;
  for (const observed_branch& each : branches) {
    names[each.of] = each.name;
    if (!each.members || each.members->generation == 0) continue;
    auto& known = newest[each.of];
    if (each.members->generation > known.generation) known = *each.members;
  }

  cluster_view view{.safekeepers = {}, .quorums = {}, .unlisted = std::move(unlisted), .health = {}};
  for (const auto& each : safekeepers) view.safekeepers.push_back(each.status);
  for (auto& [of, members] : newest) {
    const auto name = names.find(of);
    quorum_view quorum{
        .of = of,
        .branch = name != names.end() ? name->second : core::to_string(of.tenant) + "/" + core::to_string(of.timeline),
        .members = std::move(members),
        .health = {},
        .rows = {},
        .lacking = {}};
    fill(quorum, safekeepers);
    view.quorums.push_back(std::move(quorum));
  }
  const auto worst =
      std::ranges::min_element(view.quorums, {}, [](const quorum_view& each) { return each.health.can_lose; });
  view.health = worst != view.quorums.end() ? worst->health : health_of_all(safekeepers);
  for (const unlisted_source& each : view.unlisted)
    view.health.text += "; the branches of " + each.name + " are unknown: " + each.why;
  return view;
}

}  // namespace strata::consensus
