#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <vector>

namespace strata::tests {

/// Breadth-first search: every world that the start leads to, once. World has key(), whose values are ordered, and
/// `next(world)` returns the worlds one input away.
template <class World, class Next>
std::vector<World> explore(const World& start, Next next) {
  std::map<decltype(start.key()), bool> seen{{start.key(), true}};
  std::vector<World> all;
  std::deque<World> open{start};
  while (!open.empty()) {
    all.push_back(open.front());
    open.pop_front();
    for (World& each : next(World(all.back())))
      if (seen.emplace(each.key(), true).second) open.push_back(std::move(each));
  }
  return all;
}

}  // namespace strata::tests
