// What does a compute cost whose pages come when they are touched: its start, its work when it is complete and before,
// commits through the quorum, cold reads, a hundred of them? Each beside the same Postgres on a plain local directory.
//
// compute_bench [WORKLOAD...] [--rounds N] [--seconds N] [--scales N,N...]: without a workload, all of them.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/compute/workloads.hpp"
#include "bench/stopwatch.hpp"

namespace {

using namespace strata::bench;

struct workload {
  const char* name;
  void (*measure)(const plan&, database_shelf&);
};
constexpr std::array<workload, 6> all{{{"starts", measure_starts},
                                       {"hundred", measure_hundred},
                                       {"warm", measure_warm},
                                       {"quorum", measure_quorum},
                                       {"scan", measure_scan},
                                       {"touches", measure_touches}}};

constexpr const char* usage =
    "compute_bench [WORKLOAD...] [--rounds N] [--seconds N] [--scales N,N...]\n"
    "  workloads: starts hundred warm quorum scan touches (without one: all)\n"
    "  --rounds   measurements of each side, in turns (starts 50, others 3)\n"
    "  --seconds  of each run of pgbench (3)\n"
    "  --scales   of pgbench, 66 is 1 GB; starts measures each of them (130,1), others the first\n";

struct request {
  std::vector<const workload*> workloads;
  plan of;
};

int number(const std::string& text) {
  const int value = std::atoi(text.c_str());
  if (value < 1) throw std::runtime_error("'" + text + "' is not a number from 1");
  return value;
}

std::vector<int> numbers(const std::string& text) {
  std::vector<int> found;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    found.push_back(number(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return found;
}

request parse(const std::vector<std::string>& words) {
  request asked;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with("--")) {
      if (i + 1 == words.size()) throw std::runtime_error(word + " needs a value\n" + usage);
      const std::string& value = words[++i];
      if (word == "--rounds")
        asked.of.rounds = number(value);
      else if (word == "--seconds")
        asked.of.slice = std::chrono::seconds(number(value));
      else if (word == "--scales")
        asked.of.scales = numbers(value);
      else
        throw std::runtime_error("there is no option " + word + "\n" + usage);
      continue;
    }
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return word == each.name; });
    if (found == all.end()) throw std::runtime_error("there is no workload " + word + "\n" + usage);
    asked.workloads.push_back(found);
  }
  if (asked.workloads.empty())
    for (const auto& each : all) asked.workloads.push_back(&each);
  return asked;
}

/// One that fails does not keep the others from being measured.
bool run(const workload& each, const plan& of, database_shelf& from) {
  const wall_stopwatch clock;
  try {
    each.measure(of, from);
    std::printf("%s took %.0f s\n\n", each.name, clock.seconds());
    std::fflush(stdout);
    return true;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", each.name, e.what());
    return false;
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    const request asked = parse(std::vector<std::string>(words + 1, words + count));
    database_shelf databases;
    bool good = true;
    for (const auto* each : asked.workloads) good &= run(*each, asked.of, databases);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return EXIT_FAILURE;
  }
}
