#include "core/admission.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/address.hpp"

namespace strata::core {
namespace {

/// Null: none of `peer` has this use.
const seat* longest(std::span<const seat> seats, seat_use use, const std::string& peer) {
  const seat* found = nullptr;
  for (const seat& each : seats)
    if (each.use == use && each.peer == peer && (found == nullptr || each.since < found->since)) found = &each;
  return found;
}

std::optional<std::string> peer_with_most(std::span<const seat> seats, seat_use use) {
  std::map<std::string, std::size_t> counts;
  for (const seat& each : seats)
    if (each.use == use) ++counts[each.peer];
  const auto most = std::ranges::max_element(counts, {}, [](const auto& of) { return of.second; });
  return most == counts.end() ? std::nullopt : std::optional(most->first);
}

}  // namespace

admission admit(std::span<const seat> seats, const std::string& newcomer, const seat_limits& limits) {
  const auto of_peer = std::ranges::count(seats, newcomer, &seat::peer);
  const bool peer_full = !is_loopback(newcomer) && std::cmp_greater_equal(of_peer, limits.per_peer);
  if (!peer_full && seats.size() < limits.total) return {};
  for (const seat_use use : {seat_use::fresh, seat_use::idle, seat_use::quiet}) {
    const auto from = peer_full ? std::optional(newcomer) : peer_with_most(seats, use);
    if (!from) continue;
    if (const seat* found = longest(seats, use, *from)) return {true, found->number};
  }
  return {false, std::nullopt};
}

}  // namespace strata::core
