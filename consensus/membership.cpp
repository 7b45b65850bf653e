#include "consensus/membership.hpp"

#include <algorithm>
#include <functional>

#include "core/check.hpp"

namespace strata::consensus {

namespace {

using member_set = std::vector<member>;

std::size_t majority(const member_set& of) { return of.size() / 2 + 1; }

std::size_t count(const member_set& of, const std::function<bool(node_id)>& has) {
  return static_cast<std::size_t>(std::ranges::count_if(of, has, &member::id));
}

bool has_id(const member_set& in, node_id id) { return std::ranges::find(in, id, &member::id) != in.end(); }

core::lsn majority_position(const member_set& of, const std::function<core::lsn(node_id)>& position) {
  if (of.empty()) return {};
  std::vector<core::lsn> positions;
  for (const member& each : of) positions.push_back(position(each.id));
  std::ranges::sort(positions, std::ranges::greater());
  return positions[majority(of) - 1];
}

core::result<void> check_set(const member_set& of) {
  if (of.empty()) return core::error{core::errc::invalid_argument, "form a quorum: no members"};
  for (auto each = of.begin(); each != of.end(); ++each) {
    if (each->id == node_id()) return core::error{core::errc::invalid_argument, "form a quorum: a member has no id"};
    if (std::find_if(of.begin(), each, [&](const member& other) { return other.id == each->id; }) != each)
      return core::error{core::errc::invalid_argument,
                         "form a quorum: safekeeper " + to_string(each->id) + " is named twice"};
  }
  return {};
}

}  // namespace

bool configuration::contains(node_id id) const {
  return has_id(members, id) || (new_members && has_id(*new_members, id));
}

std::vector<member> configuration::all() const {
  member_set both = members;
  if (new_members) {
    for (const member& each : *new_members)
      if (!has_id(members, each.id)) both.push_back(each);
  }
  std::ranges::sort(both, {}, &member::id);
  return both;
}

bool configuration::is_quorum(const std::function<bool(node_id)>& has) const {
  const auto wins = [&](const member_set& of) { return count(of, has) >= majority(of); };
  return wins(members) && (!new_members || wins(*new_members));
}

core::lsn configuration::quorum_position(const std::function<core::lsn(node_id)>& position) const {
  const core::lsn reached = majority_position(members, position);
  return new_members ? std::min(reached, majority_position(*new_members, position)) : reached;
}

int configuration::can_lose(const std::function<bool(node_id)>& reachable) const {
  // A lost member may be in both sets: the worst case of each set alone is the worst case of both.
  const auto spare = [&](const member_set& of) {
    return static_cast<int>(count(of, reachable)) - static_cast<int>(majority(of));
  };
  return std::max(-1, new_members ? std::min(spare(members), spare(*new_members)) : spare(members));
}

core::result<void> check(const configuration& of) {
  STRATA_TRY(check_set(of.members));
  if (of.new_members) STRATA_TRY(check_set(*of.new_members));
  if (of.all().size() > members_max)
    return core::error{core::errc::invalid_argument,
                       "form a quorum: more than " + std::to_string(members_max) + " members"};
  return {};
}

core::result<configuration> begin_change(const configuration& now, std::vector<member> to) {
  if (now.changing())
    return core::error{core::errc::conflict, "change members: the change before is not finished (generation " +
                                                 std::to_string(now.generation) + ")"};
  configuration next{now.generation + 1, now.members, std::move(to)};
  STRATA_TRY(check(next));
  return next;
}

configuration finish_change(const configuration& now) {
  core::check(now.changing(), "only a change that is under way is finished");
  return {now.generation + 1, *now.new_members, std::nullopt};
}

configuration abandon_change(const configuration& now) {
  core::check(now.changing(), "only a change that is under way is abandoned");
  return {now.generation + 1, now.members, std::nullopt};
}

}  // namespace strata::consensus
