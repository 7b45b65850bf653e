#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "core/result.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// Makes the files of a data directory complete, one after the other, in a thread of the filler's process.
class background_fill {
 public:
  /// Returns when these pages of a file are there, or no longer part of it; not more than page_range::count_max.
  /// errc::not_found: the file has no name any more. Called by the thread.
  using fetcher = std::function<core::result<void>(std::uint32_t file, std::uint32_t first, std::uint32_t count)>;

  struct options {
    std::string directory;
    std::uint64_t bytes_per_second = 64u << 20;
    /// A fetch that took so long tells of a machine or a server with more work than it can do, such as the start of
    /// many computes. Then it waits for back_off_factor times as long, at most back_off_max: what somebody waits for
    /// goes first.
    std::chrono::milliseconds slow_fetch{50};
    std::uint32_t back_off_factor = 3;
    std::chrono::milliseconds back_off_max{1000};
    /// It pauses while fewer bytes of the disk are free.
    std::uint64_t reserve = 1u << 30;
    /// Before files that could not be filled are tried again.
    std::chrono::milliseconds pause{1000};
  };

  /// `map` outlives it; only read.
  background_fill(const page_map& map, fetcher fetch, options with);
  /// Ends the thread, after the fetch that it is in: the door must still answer, or the process be about to end.
  ~background_fill();
  background_fill(const background_fill&) = delete;
  background_fill& operator=(const background_fill&) = delete;

  /// Every file that can be filled is complete, and the thread has ended.
  [[nodiscard]] bool is_done() const { return done_; }

 private:
  void run();
  bool fill(std::uint32_t file, bool also_cut);
  bool fill_all(bool also_cut);
  [[nodiscard]] bool has_room() const;
  void pace(std::uint64_t bytes, std::chrono::steady_clock::duration took);

  const page_map& map_;
  fetcher fetch_;
  const options options_;
  std::atomic<bool> stops_ = false;
  std::atomic<bool> done_ = false;
  std::chrono::steady_clock::time_point next_{};
  std::thread thread_;
};

/// Of native files: reads them, so that the kernel raises an event as for any other access, and all rules are kept,
/// also when a name belongs to another file by now. The door does not take the reads of its process for a scan.
background_fill::fetcher fetch_by_reading(const page_map& map, std::string directory);

}  // namespace strata::page_files
