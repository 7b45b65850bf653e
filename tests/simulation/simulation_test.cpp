#include "tests/simulation/simulation.hpp"

#include <malloc.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "core/log.hpp"

namespace strata::tests::simulation {
namespace {

/// ./check runs this many seeds, in parts so that ctest runs several at once.
constexpr std::uint64_t seeds_of_a_part = 3000;
/// One run in so many is repeated: it must be the same.
constexpr std::uint64_t repeated = 100;

volatile std::uint64_t running_seed = 0;

/// A broken invariant of the product aborts: the seed must be known then, too.
extern "C" void tell_seed(int) {
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "\nit happened with seed %llu\n", static_cast<unsigned long long>(running_seed));
  (void)!::write(STDERR_FILENO, text, static_cast<std::size_t>(length));
  std::signal(SIGABRT, SIG_DFL);
  std::raise(SIGABRT);
}

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

void run_part(std::uint64_t part) {
  std::signal(SIGABRT, tell_seed);
  // A run's memory is used again by the next one: three quarters of the time in the kernel was for getting it anew.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  // A single seed is looked at, with every step it takes.
  const bool talkative = std::getenv("STRATA_SIMULATION_TRACE") != nullptr;
  const auto count = number_from("STRATA_SIMULATION_SEEDS", seeds_of_a_part);
  const auto first = number_from("STRATA_SIMULATION_FIRST", part * seeds_of_a_part);
  statistics all;
  std::uint64_t failed = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    running_seed = seed;
    const auto result = run(options_of(seed), talkative);
    all.add(result.seen);
    if (!result.violated.empty()) {
      ++failed;
      BOOST_ERROR("seed " << seed << ": " << result.violated << "\n  " << to_string(options_of(seed))
                          << "\n  again, with all its steps: scripts/simulate --trace " << seed);
    }
    if (seed % repeated == 0 && run(options_of(seed)).trace_hash != result.trace_hash)
      BOOST_ERROR("seed " << seed << " runs differently when it is run again");
    if (failed == 10) break;
  }
  std::cout << count << " seeds from " << first << ": " << to_string(all) << std::endl;
}

}  // namespace

BOOST_AUTO_TEST_CASE(seeds_part_1) { run_part(0); }
BOOST_AUTO_TEST_CASE(seeds_part_2) { run_part(1); }
BOOST_AUTO_TEST_CASE(seeds_part_3) { run_part(2); }
BOOST_AUTO_TEST_CASE(seeds_part_4) { run_part(3); }

BOOST_AUTO_TEST_CASE(a_broken_promise_is_noticed) {
  std::signal(SIGABRT, tell_seed);
  for (const auto broken : {sabotage::disks_lie, sabotage::hasty_members}) {
    std::uint64_t seed = 0;
    std::string noticed;
    for (; seed < 3000 && noticed.empty(); ++seed) {
      running_seed = seed;
      auto options = options_of(seed);
      options.broken = broken;
      // More changes to more others than usual, by the rules and with few other faults to blame.
      options.spares = 3;
      options.member_change = 500;
      options.proposers = 3;
      noticed = run(options).violated;
      // That would be no proof: it is the safety of acknowledged WAL that is broken here.
      if (noticed.starts_with("it does not heal")) noticed.clear();
    }
    BOOST_TEST(!noticed.empty());
    BOOST_TEST_MESSAGE("after " << seed << " seeds: " << noticed);
  }
}

}  // namespace strata::tests::simulation
