#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/model_check/search.hpp"

using namespace strata::tests::model_check;

namespace {

constexpr const char* usage =
    "usage: model_check [--proposers N] [--acceptors N] [--terms N] [--positions N] [--change FIRST,LAST]\n"
    "                   [--news] [--bumps] [--no-acceptor-crashes] [--no-proposer-crashes] [--no-reconnects]\n"
    "                   [--states-max N] [--seconds-max N] [--quiet] [--no-goals]\n";

constexpr const char* goal_names[] = {"a proposer is elected in every term", "everything is committed",
                                      "every acceptor knows that everything is everywhere",
                                      "WAL of two terms is committed", "a proposer is superseded"};

}  // namespace

int main(int count, char** arguments) {
  cluster_options what;
  search_options how;
  bool goals = true;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    const auto value = [&] {
      if (++i >= count) {
        std::fputs(usage, stderr);
        std::exit(2);
      }
      return arguments[i];
    };
    const auto number = [&] { return static_cast<unsigned>(std::strtoul(value(), nullptr, 10)); };
    if (name == "--proposers") what.proposers = number();
    else if (name == "--acceptors") what.acceptors = number();
    else if (name == "--terms") what.terms = number();
    else if (name == "--positions") what.positions = number();
    else if (name == "--appends-kept") what.appends_kept = number();
    else if (name == "--connects-singly") what.connects_singly = true;
    else if (name == "--flushes-apart") what.flushes_apart = true;
    else if (name == "--no-horizons") what.horizons = false;
    else if (name == "--window") what.window = number();
    else if (name == "--change") {
      if (std::sscanf(value(), "%u,%u", &what.change_first, &what.change_last) != 2) return std::fputs(usage, stderr), 2;
    } else if (name == "--news") what.news = true;
    else if (name == "--bumps") what.bumps = true;
    else if (name == "--no-acceptor-crashes") what.acceptor_crashes = false;
    else if (name == "--no-proposer-crashes") what.proposer_crashes = false;
    else if (name == "--no-reconnects") what.reconnects = false;
    else if (name == "--states-max") how.states_max = std::strtoull(value(), nullptr, 10);
    else if (name == "--seconds-max") how.seconds_max = std::strtod(value(), nullptr);
    else if (name == "--quiet") how.progress = false;
    else if (name == "--no-goals") goals = false;
    else return std::fputs(usage, stderr), 2;
  }
  cluster explored(what);
  search_result found = search(explored, how);
  std::printf("%llu states, %llu steps, depth %u, %.1f s, %.0f states/s%s\n",
              static_cast<unsigned long long>(found.states), static_cast<unsigned long long>(found.steps), found.depth,
              found.seconds, static_cast<double>(found.states) / found.seconds, found.complete ? "" : " (not complete)");
  std::printf("made of %s\n", explored.sizes().c_str());
  if (!found.broken.empty()) {
    std::printf("BROKEN: %s\n%s", found.broken.c_str(), found.trace.c_str());
    return 1;
  }
  if (goals && found.complete) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(goal::count); ++i) {
      if (explored.reached(static_cast<goal>(i))) continue;
      std::printf("UNREACHABLE: %s\n", goal_names[i]);
      found.broken = goal_names[i];
    }
  }
  return found.broken.empty() ? 0 : 1;
}
