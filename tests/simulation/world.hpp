#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/simulation/options.hpp"

namespace strata::tests::simulation {

/// Something that must never happen has happened.
struct violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using micros = std::int64_t;
inline constexpr micros millisecond = 1000;
inline constexpr micros second = 1000 * millisecond;

/// What a run has seen, for the report.
struct statistics {
  std::uint64_t events = 0;
  micros simulated = 0;
  std::uint64_t elections = 0;
  std::uint64_t commits = 0;
  std::uint64_t bytes_committed = 0;
  std::uint64_t machine_crashes = 0;
  std::uint64_t process_crashes = 0;
  std::uint64_t crashes_inside_calls = 0;
  std::uint64_t sectors_lost = 0;
  std::uint64_t names_lost = 0;
  std::uint64_t failures_of_full_disks = 0;
  std::uint64_t slow_disks = 0;
  std::uint64_t connections_lost = 0;
  std::uint64_t partitions = 0;
  std::uint64_t proposer_crashes = 0;
  std::uint64_t superseded = 0;
  std::uint64_t refused_messages = 0;
  std::uint64_t damaged_appends = 0;
  std::uint64_t member_changes = 0;
  std::uint64_t abandoned_changes = 0;
  std::uint64_t pulls = 0;
  std::uint64_t removals = 0;

  void add(const statistics& other);
};
std::string to_string(const statistics& of);

/// The clock, the queue of what is to happen, and the one source of chance. Everything in a run comes from its seed.
class world {
 public:
  explicit world(const options& of) : options_(of), random_(of.seed * 0x9E3779B97F4A7C15u + 1) {}

  [[nodiscard]] const options& opts() const { return options_; }
  [[nodiscard]] micros now() const { return now_; }
  /// False in the second half of a run: everything heals, and nothing new breaks.
  bool chaos = true;
  statistics seen;

  void after(micros delay, std::function<void()> what);
  /// Does the next thing. False when there is none.
  bool step();

  std::uint64_t random(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t permille) { return random_() % 1000 < permille; }
  std::mt19937_64& generator() { return random_; }
  micros latency() { return 200 + static_cast<micros>(random(static_cast<std::uint64_t>(options_.latency_max))); }

  /// Part of the trace: the same seed must give the same hash.
  void trace(const char* what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0);
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  /// Prints the trace, for a look at a failing seed.
  bool talkative = false;

 private:
  struct event {
    micros at;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const event& other) const { return std::pair(at, order) > std::pair(other.at, other.order); }
  };
  const options options_;
  std::mt19937_64 random_;
  micros now_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t hash_ = 14695981039346656037u;
  std::vector<event> queue_;  ///< a heap
};

}  // namespace strata::tests::simulation
