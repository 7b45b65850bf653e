#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "core/log.hpp"
#include "tests/storage_simulation/simulated_server.hpp"

namespace strata::tests::storage_simulation {
namespace {

/// ./check runs this many seeds, in parts so that ctest runs several at once.
constexpr std::uint64_t seeds_of_a_part = 500;

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

/// What was violated, empty when nothing.
std::string run(const options& of, bool talkative, statistics& all) {
  running_seed = of.seed;
  simulated_server server(of, talkative);
  std::string violated;
  try {
    server.run();
  } catch (const violation& found) {
    violated = found.what();
  }
  all.add(server.seen());
  return violated;
}

void prepare(bool talkative) {
  std::signal(SIGABRT, tell_seed);
  // A crash leaves much to warn of.
  if (!talkative) core::open_log(core::log_level::critical, "");
}

void run_part(std::uint64_t part) {
  // A single seed is looked at, with every step it takes and every call of the disk.
  const bool talkative = std::getenv("STRATA_SIMULATION_TRACE") != nullptr;
  prepare(talkative);
  const auto count = number_from("STRATA_SIMULATION_SEEDS", seeds_of_a_part);
  const auto first = number_from("STRATA_SIMULATION_FIRST", part * seeds_of_a_part);
  statistics all;
  std::uint64_t failed = 0;
  for (auto seed = first; seed < first + count && failed < 10; ++seed) {
    const std::string violated = run(options_of(seed), talkative, all);
    if (violated.empty()) continue;
    ++failed;
    BOOST_ERROR("seed " << seed << ": " << violated
                        << "\n  again, with all its steps: scripts/simulate --storage --trace " << seed);
  }
  std::cout << count << " seeds from " << first << ": " << to_string(all) << std::endl;
}

}  // namespace

BOOST_AUTO_TEST_CASE(seeds_part_1) { run_part(0); }
BOOST_AUTO_TEST_CASE(seeds_part_2) { run_part(1); }
BOOST_AUTO_TEST_CASE(seeds_part_3) { run_part(2); }
BOOST_AUTO_TEST_CASE(seeds_part_4) { run_part(3); }

BOOST_AUTO_TEST_CASE(a_disk_that_lies_is_noticed) {
  prepare(false);
  for (const auto broken : {sabotage::lost_syncs, sabotage::lost_name_syncs}) {
    std::uint64_t seed = 0;
    std::string noticed;
    statistics all;
    for (; seed < 300 && noticed.empty(); ++seed) {
      auto options = options_of(seed);
      options.broken = broken;
      options.flip = false;
      noticed = run(options, false, all);
    }
    BOOST_TEST(!noticed.empty());
    BOOST_TEST_MESSAGE("after " << seed << " seeds: " << noticed);
  }
}

}  // namespace strata::tests::storage_simulation
