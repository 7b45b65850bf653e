#include <sys/types.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <random>
#include <thread>

#include "tests/page_files_stress/workers.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t worker_count = 5;

struct stress_options {
  page_files::fill_table::options table;
  bool kills = true;
  std::chrono::milliseconds each = 1000ms;
  std::chrono::milliseconds together = 12s;
};

/// Rounds with fresh files until something is wrong or the time is over; what was wrong.
std::string stress(const temp_dir& at, const stress_options& with) {
  std::mt19937 random(std::random_device{}());
  const auto end = std::chrono::steady_clock::now() + with.together;
  std::uint64_t rounds = 0, kills = 0, reads = 0, writes = 0, truncations = 0, filled = 0, refused = 0, taken_over = 0,
                unrecorded = 0;
  std::string wrong;
  while (wrong.empty() && std::chrono::steady_clock::now() < end) {
    const std::uint32_t seed = static_cast<std::uint32_t>(random());
    BOOST_TEST_CONTEXT("round " << rounds << " seed " << seed) {
      sparse_directory directory((at / std::to_string(rounds)).string(),
                                 std::vector<std::uint32_t>(shared_files::file_count, shared_files::pages_at_start));
      shared_files files;
      page_files::fill_table::options table = with.table;
      if (seed % 2 == 0) {
        table.fetches_max = 8;
        table.pages_max = 64;
        table.pages_ahead_max = 48;
      }
      const filler_options filler{.table = table,
                                  .source = {.delay_max = std::chrono::microseconds(200 << seed % 5),
                                             .failures_per_thousand = seed % 3 == 0 ? 5u : 0u},
                                  .background = seed % 4 == 0};
      directory.start_filler(filler);
      std::vector<pid_t> workers;
      for (std::uint32_t i = 0; i < worker_count; ++i)
        workers.push_back(start_process([&] { return files.work(directory, seed + i); }));
      const auto round_end = std::chrono::steady_clock::now() + with.each;
      // A directory that is complete proves nothing more.
      while (std::chrono::steady_clock::now() < round_end && files.wrong().empty() && directory.map().missing() > 100) {
        // A random moment is the point here.
        std::this_thread::sleep_for(std::chrono::microseconds(2'000 + random() % 30'000));
        if (!with.kills) continue;
        BOOST_TEST_REQUIRE(directory.kill_filler());
        if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
        directory.start_filler(filler);
        ++kills;
      }
      files.stop();
      for (const pid_t each : workers) BOOST_TEST(wait_for(each) == 0);
      if (files.wrong().empty()) files.compare(directory);
      wrong = files.wrong();
      ++rounds;
      reads += files.counted().reads;
      writes += files.counted().writes + files.counted().extensions;
      truncations += files.counted().truncations;
      filled += directory.map().file(0).pages * shared_files::file_count - directory.map().missing();
      refused += files.counted().refused;
      taken_over += directory.taken_over();
      unrecorded += directory.unrecorded();
      BOOST_TEST(directory.kill_filler());
    }
    std::filesystem::remove_all(at / std::to_string(rounds - 1));
  }
  BOOST_TEST_MESSAGE(rounds << " rounds, " << kills << " kills of the filler (" << taken_over << " events taken over, "
                            << unrecorded << " unrecorded), " << reads << " reads, " << writes << " writes, "
                            << truncations << " truncations, " << filled << " pages filled or cut off, " << refused
                            << " refused" << (wrong.empty() ? "" : ": ") << wrong);
  // Without these the successors have not shown that they can do it.
  if (with.kills) BOOST_TEST(taken_over > 0u);
  return wrong;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_stress)

BOOST_AUTO_TEST_CASE(no_write_is_lost_and_no_page_is_wrong_while_fillers_are_killed) {
  const temp_dir at;
  if (!can_fill_at(at.path().string())) return;
  BOOST_TEST(stress(at, {}) == "");
}

BOOST_AUTO_TEST_CASE(an_access_that_does_not_wait_for_the_claims_of_others_is_found) {
  const temp_dir at;
  if (!can_fill_at(at.path().string())) return;
  BOOST_TEST(stress(at, {.table = {.without_waiting_for_claims = true}, .kills = false}) != "");
}

BOOST_AUTO_TEST_CASE(a_filler_without_a_limit_is_found) {
  const temp_dir at;
  if (!can_fill_at(at.path().string())) return;
  BOOST_TEST(stress(at, {.table = {.without_limit = true}, .kills = false}) != "");
}

BOOST_AUTO_TEST_CASE(a_truncation_that_does_not_wait_is_found) {
  const temp_dir at;
  if (!can_fill_at(at.path().string())) return;
  BOOST_TEST(stress(at, {.table = {.without_drain = true}, .kills = false}) != "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
