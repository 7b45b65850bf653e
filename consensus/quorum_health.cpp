#include "consensus/quorum_health.hpp"

#include <algorithm>

namespace strata::consensus {
namespace {

struct words {
  member_failure of;
  const char* one;
  const char* several;
};
constexpr words told[] = {
    {member_failure::down, "is down", "are down"},
    {member_failure::silent, "does not answer", "do not answer"},
    {member_failure::lacks, "is missing the branch", "are missing the branch"},
    {member_failure::broken, "has a broken copy", "have broken copies"},
    {member_failure::full, "has a full disk", "have full disks"},
    {member_failure::unreachable, "is unreachable at its address", "are unreachable at their addresses"},
};

}  // namespace

std::string said_of(const std::vector<std::uint64_t>& some, const char* of_one, const char* of_several) {
  std::string ids;
  for (const auto id : some) ids += (ids.empty() ? "" : ", ") + std::to_string(id);
  if (some.empty()) return "";
  return (some.size() == 1 ? "safekeeper " + ids + " " + of_one : "safekeepers " + ids + " " + of_several);
}

quorum_health health_of(const configuration& quorum, const std::vector<member_state>& members) {
  const auto failure_of = [&](std::uint64_t id) {
    const auto found = std::ranges::find(members, id, &member_state::id);
    return found == members.end() ? member_failure::down : found->failure;
  };
  const auto all = quorum.all();
  std::string why;
  std::size_t up = all.size();
  bool others = false;  ///< reasons that the number of those that are up does not include
  for (const words& each : told) {
    std::vector<std::uint64_t> ids;
    for (const auto& member : all)
      if (failure_of(member.id.value) == each.of) ids.push_back(member.id.value);
    if (const std::string said = said_of(ids, each.one, each.several); !said.empty())
      why += (why.empty() ? "" : ", ") + said;
    if (each.of == member_failure::down || each.of == member_failure::silent)
      up -= ids.size();
    else
      others = others || !ids.empty();
  }
  quorum_health health{.can_lose =
                           quorum.can_lose([&](node_id id) { return failure_of(id.value) == member_failure::none; })};
  if (health.can_lose > 0)
    health.text = "tolerates " + std::to_string(health.can_lose) + (health.can_lose == 1 ? " failure" : " failures") +
                  (why.empty() ? "" : "; " + why);
  else if (health.can_lose == 0)
    health.text = "tolerates no failure: " + (why.empty() ? "too few safekeepers" : why);
  else
    health.text = "no quorum: commits wait (" + std::to_string(up) + " of " + std::to_string(all.size()) + " up" +
                  (others ? "; " + why : "") + ")";
  return health;
}

}  // namespace strata::consensus
