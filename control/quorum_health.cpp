#include "control/quorum_health.hpp"

#include <algorithm>

namespace strata::control {
namespace {

struct words {
  member_trouble of;
  const char* one;
  const char* several;
};
constexpr words told[] = {
    {member_trouble::down, "is down", "are down"},
    {member_trouble::lacks, "has not got it", "have not got it"},
    {member_trouble::broken, "has a broken copy", "have broken copies"},
    {member_trouble::full, "has a full disk", "have full disks"},
    {member_trouble::unreachable, "is not reached at its address", "are not reached at their addresses"},
};

}  // namespace

std::string said_of(const std::vector<std::uint64_t>& some, const char* of_one, const char* of_several) {
  std::string ids;
  for (const auto id : some) ids += (ids.empty() ? "" : ", ") + std::to_string(id);
  if (some.empty()) return "";
  return (some.size() == 1 ? "safekeeper " + ids + " " + of_one : "safekeepers " + ids + " " + of_several);
}

quorum_health health_of(const consensus::configuration& quorum, const std::vector<member_state>& members) {
  const auto trouble_of = [&](std::uint64_t id) {
    const auto found = std::ranges::find(members, id, &member_state::id);
    return found == members.end() ? member_trouble::down : found->trouble;
  };
  const auto all = quorum.all();
  std::string why;
  std::size_t up = 0;
  bool others = false;  ///< than being down
  for (const words& each : told) {
    std::vector<std::uint64_t> ids;
    for (const auto& member : all)
      if (trouble_of(member.id.value) == each.of) ids.push_back(member.id.value);
    if (const std::string said = said_of(ids, each.one, each.several); !said.empty())
      why += (why.empty() ? "" : ", ") + said;
    if (each.of == member_trouble::down)
      up = all.size() - ids.size();
    else
      others = others || !ids.empty();
  }
  quorum_health health{
      .can_lose = quorum.can_lose([&](consensus::node_id id) { return trouble_of(id.value) == member_trouble::none; })};
  if (health.can_lose > 0)
    health.text = "can lose " + std::to_string(health.can_lose) +
                  (health.can_lose == 1 ? " safekeeper" : " safekeepers") + (why.empty() ? "" : "; " + why);
  else if (health.can_lose == 0)
    health.text = "can lose none: " + (why.empty() ? "they are too few for more" : why);
  else
    health.text = "no quorum: commits wait (" + std::to_string(up) + " of " + std::to_string(all.size()) + " up" +
                  (others ? "; " + why : "") + ")";
  return health;
}

}  // namespace strata::control
