#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/page_files_stress/sparse_directory.hpp"

namespace strata::tests {

/// What the files of a directory must hold, in memory that worker processes share, and the locks under which they use
/// them. Locks as Postgres's: a page is used by one process at a time, a truncation excludes every other use; but reads
/// for nobody, whose bytes are not looked at, come at any moment.
class shared_files {
 public:
  static constexpr std::uint32_t file_count = 2;
  static constexpr std::uint32_t pages_at_start = 6000;
  static constexpr std::uint32_t pages_max = 7000;

  struct counts {
    std::atomic<std::uint64_t> reads, writes, extensions, truncations, refused;
  };

  shared_files();
  ~shared_files();
  shared_files(const shared_files&) = delete;
  shared_files& operator=(const shared_files&) = delete;

  /// Uses the files until stop(). The exit code of a worker: 0.
  int work(const sparse_directory& in, std::uint32_t seed);
  void stop() { state_->stops = true; }
  /// All bytes of all files, when no worker works.
  void compare(const sparse_directory& in);
  /// What was wrong first; empty: nothing.
  [[nodiscard]] std::string wrong() const;
  [[nodiscard]] const counts& counted() const { return state_->counted; }

 private:
  struct file_state {
    pthread_rwlock_t lock;
    pthread_mutex_t extension;
    std::atomic<std::uint32_t> pages;
    std::atomic<std::uint32_t> hot;  ///< where all workers meet
    std::array<pthread_mutex_t, pages_max> page_locks;
    std::array<std::uint32_t, pages_max * 2> values;  ///< of each half of a page
  };
  struct state {
    std::atomic<bool> stops;
    std::atomic<std::uint32_t> wrong_count;
    std::array<char, 256> wrong;
    std::atomic<std::uint32_t> last_value;
    counts counted;
    std::array<file_state, file_count> files;
  };
  class worker;

  void report(const std::string& what);

  state* state_;
};

}  // namespace strata::tests
