#include <chrono>
#include <random>

#include "tests/model_check/search.hpp"

namespace strata::tests::model_check {

search_result walk(cluster& in, std::uint64_t seed, unsigned length, const search_options& options) {
  search_result result;
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  std::mt19937_64 random(seed);
  std::vector<std::pair<action, state>> next;
  for (; result.states < options.states_max && seconds() < options.seconds_max;) {
    state at = in.first();
    std::string way;
    for (unsigned step = 0; step < length; ++step) {
      next.clear();
      try {
        in.for_each_next(at, [&](const action& by, const state& to) { next.emplace_back(by, to); });
        if (next.empty()) break;
        const auto& [by, to] = next[random() % next.size()];
        way += "  " + in.describe(by) + "\n";
        at = to;
        ++result.states;
        in.check(at);
      } catch (const violation& broken) {
        result.broken = broken.what();
        result.trace = way + in.describe(at);
        result.depth = step + 1;
        result.seconds = seconds();
        return result;
      }
      result.steps += next.size();
    }
    result.depth = length;
  }
  result.seconds = seconds();
  result.complete = true;
  return result;
}

}  // namespace strata::tests::model_check
