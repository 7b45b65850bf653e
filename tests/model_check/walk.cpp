#include <chrono>
#include <random>

#include "tests/model_check/search.hpp"

namespace strata::tests::model_check {

namespace {

/// How often a step is taken. Crashes are always possible: as often as the rest they would keep everybody from getting
/// anywhere.
unsigned weight(const action& of) {
  switch (of.what) {
    case action::kind::to_acceptor: return of.crashed_after != 0 ? 1 : of.answered ? 24 : 6;
    case action::kind::flush: return of.answered ? 24 : 6;
    case action::kind::write: return 8;
    case action::kind::connect:
    case action::kind::heartbeat:
    case action::kind::begin_change:
    case action::kind::set_goal:
    case action::kind::raise_term:
    case action::kind::finish_change:
    case action::kind::abandon_change:
    case action::kind::switch_members: return 4;
    case action::kind::news: return 2;
    case action::kind::crash_acceptor:
    case action::kind::crash_proposer:
    case action::kind::bump: return 1;
  }
  return 1;
}

}  // namespace

search_result walk(cluster& in, std::uint64_t seed, unsigned length, const search_options& options) {
  search_result result;
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  std::mt19937_64 random(seed);
  std::vector<std::pair<action, state>> next;
  for (; result.states < options.states_max && seconds() < options.seconds_max;) {
    state at = in.first();
    std::vector<action> way;
    for (unsigned step = 0; step < length; ++step) {
      next.clear();
      try {
        in.for_each_next(at, [&](const action& by, const state& to) { next.emplace_back(by, to); });
        if (next.empty()) break;
        std::uint64_t sum = 0;
        for (const auto& [by, to] : next) sum += weight(by);
        std::uint64_t drawn = random() % sum;
        std::size_t chosen = 0;
        for (; drawn >= weight(next[chosen].first); ++chosen) drawn -= weight(next[chosen].first);
        const auto& [by, to] = next[chosen];
        way.push_back(by);
        at = to;
        ++result.states;
        in.check(at);
      } catch (const violation& broken) {
        result.broken = broken.what();
        for (const action& by : way) result.trace += "  " + in.describe(by) + "\n";
        result.trace += in.describe(at);
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
