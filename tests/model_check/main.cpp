#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "tests/model_check/search.hpp"

namespace strata::tests::model_check {
namespace {

constexpr const char* usage =
    "usage: model_check [CONFIGURATION] [--OPTION VALUE...]\n"
    "  configurations: quorum (the default), wire, files, terms, members, walks, member-walks\n"
    "  numbers: proposers acceptors terms positions appends-kept window states-max seconds-max seed length\n"
    "  0 or 1:  acceptor-crashes proposer-crashes reconnects news bumps flushes-apart connects-singly horizons "
    "replies-lost "
    "progress\n"
    "  --change FIRST,LAST: acceptors 1..FIRST are to be replaced by LAST..acceptors\n";

constexpr const char* goal_names[] = {"a proposer is elected in every term",
                                      "everything is committed",
                                      "every acceptor knows that everything is everywhere",
                                      "WAL of two terms is committed",
                                      "a proposer learns by the answer to an append that its reign is over",
                                      "durable WAL that its proposer does not have is cut off",
                                      "others keep the WAL now"};

struct task {
  cluster_options what;
  search_options how;
  std::vector<goal> goals;
  unsigned walk_length = 0;  ///< 0: everything is searched
  std::uint64_t seed = 1;
};

/// What ./check runs, and what mutants are tried with. README.md says what each is for.
std::map<std::string, task> configurations() {
  std::map<std::string, task> all;
  all["quorum"] = {
      .what = {.proposer_crashes = false, .reconnects = false, .horizons = false},
      .goals = {goal::every_term_is_won, goal::all_is_committed, goal::recovered, goal::superseded, goal::cut}};
  all["wire"] = {
      .what = {.positions = 1},
      .goals = {goal::every_term_is_won, goal::all_is_committed, goal::committed_everywhere, goal::superseded}};
  all["files"] = {.what = {.proposers = 1,
                           .acceptors = 2,
                           .news = true,
                           .bumps = true,
                           .flushes_apart = true,
                           .connects_singly = true,
                           .appends_kept = 2},
                  .goals = {goal::every_term_is_won, goal::all_is_committed, goal::committed_everywhere,
                            goal::recovered, goal::superseded}};
  all["terms"] = {.what = {.proposers = 1, .terms = 3, .reconnects = false, .news = true, .horizons = false},
                  .goals = {goal::every_term_is_won, goal::all_is_committed, goal::recovered, goal::cut}};
  all["members"] = {.what = {.acceptors = 2,
                             .terms = 3,
                             .positions = 1,
                             .change_first = 1,
                             .change_last = 2,
                             .acceptor_crashes = false,
                             .proposer_crashes = false,
                             .horizons = false},
                    .goals = {goal::every_term_is_won, goal::all_is_committed, goal::changed}};
  all["walks"] = {.what = {.proposers = 3,
                           .terms = 6,
                           .positions = 4,
                           .news = true,
                           .bumps = true,
                           .flushes_apart = true,
                           .connects_singly = true,
                           .appends_kept = 2},
                  .walk_length = 200};
  all["member-walks"] = all["walks"];
  all["member-walks"].what.acceptors = 4;
  all["member-walks"].what.change_first = 3;
  all["member-walks"].what.change_last = 2;
  for (auto& [name, of] : all)
    if (of.walk_length != 0) of.how.seconds_max = 10;
  return all;
}

[[noreturn]] void refuse() {
  std::fputs(usage, stderr);
  std::exit(2);
}

void set(task& of, const std::string& name, const char* value) {
  const auto number = std::strtoull(value, nullptr, 10);
  cluster_options& what = of.what;
  const std::map<std::string, unsigned*> numbers{
      {"proposers", &what.proposers}, {"acceptors", &what.acceptors},       {"terms", &what.terms},
      {"positions", &what.positions}, {"appends-kept", &what.appends_kept}, {"length", &of.walk_length}};
  const std::map<std::string, std::uint64_t*> large{
      {"window", &what.window}, {"states-max", &of.how.states_max}, {"seed", &of.seed}};
  const std::map<std::string, bool*> choices{{"acceptor-crashes", &what.acceptor_crashes},
                                             {"proposer-crashes", &what.proposer_crashes},
                                             {"reconnects", &what.reconnects},
                                             {"news", &what.news},
                                             {"bumps", &what.bumps},
                                             {"flushes-apart", &what.flushes_apart},
                                             {"connects-singly", &what.connects_singly},
                                             {"horizons", &what.horizons},
                                             {"replies-lost", &what.replies_lost},
                                             {"progress", &of.how.progress}};
  if (const auto found = numbers.find(name); found != numbers.end())
    *found->second = static_cast<unsigned>(number);
  else if (const auto wide = large.find(name); wide != large.end())
    *wide->second = number;
  else if (const auto choice = choices.find(name); choice != choices.end())
    *choice->second = number != 0;
  else if (name == "seconds-max")
    of.how.seconds_max = std::strtod(value, nullptr);
  else if (name != "change" || std::sscanf(value, "%u,%u", &what.change_first, &what.change_last) != 2)
    refuse();
}

int run(const task& of) {
  cluster explored(of.what);
  const search_result found =
      of.walk_length != 0 ? walk(explored, of.seed, of.walk_length, of.how) : search(explored, of.how);
  std::printf("%llu states, %llu steps, depth %u, %.1f s, %.0f states/s%s\n",
              static_cast<unsigned long long>(found.states), static_cast<unsigned long long>(found.steps), found.depth,
              found.seconds, static_cast<double>(found.states) / found.seconds,
              found.complete ? "" : " (not complete)");
  std::printf("made of %s\n", explored.sizes().c_str());
  if (!found.broken.empty()) {
    std::printf("BROKEN: %s\n%s", found.broken.c_str(), found.trace.c_str());
    return 1;
  }
  int status = 0;
  for (const goal each : of.goals) {
    if (!found.complete || explored.reached(each)) continue;
    std::printf("UNREACHABLE: %s\n", goal_names[static_cast<std::size_t>(each)]);
    status = 1;
  }
  return status;
}

}  // namespace
}  // namespace strata::tests::model_check

int main(int count, char** arguments) {
  using namespace strata::tests::model_check;
  const auto known = configurations();
  int next = 1;
  std::string name = "quorum";
  if (next < count && arguments[next][0] != '-') name = arguments[next++];
  const auto chosen = known.find(name);
  if (chosen == known.end()) refuse();
  task asked = chosen->second;
  for (; next < count; next += 2) {
    const std::string option = arguments[next];
    if (!option.starts_with("--") || next + 1 == count) refuse();
    set(asked, option.substr(2), arguments[next + 1]);
  }
  return run(asked);
}
