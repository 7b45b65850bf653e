#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "page_files/page_map.hpp"

namespace strata::page_files {

/// Makes the files of a data directory complete, one after the other, by reading what is missing: each read raises an
/// event like any other, so it keeps all rules, also when a name belongs to another file by now. A thread of the
/// filler's process, whose reads the door does not take for a scan.
class background_fill {
 public:
  struct options {
    std::string directory;
    std::uint64_t bytes_per_second = 64u << 20;
    /// It pauses while fewer bytes of the disk are free.
    std::uint64_t reserve = 1u << 30;
    /// Before files that could not be filled are tried again.
    std::chrono::milliseconds pause{1000};
  };

  /// `map` outlives it; only read.
  background_fill(const page_map& map, options with);
  /// Ends the thread, after the read that it is in: the door must still answer, or the process be about to end.
  ~background_fill();
  background_fill(const background_fill&) = delete;
  background_fill& operator=(const background_fill&) = delete;

  /// Every file that can be filled is complete, and the thread has ended.
  [[nodiscard]] bool is_done() const { return done_; }

 private:
  void run();
  bool fill(std::uint32_t file);
  [[nodiscard]] bool has_room() const;
  void pace(std::uint64_t bytes);

  const page_map& map_;
  const options options_;
  std::atomic<bool> stops_ = false;
  std::atomic<bool> done_ = false;
  std::chrono::steady_clock::time_point next_{};
  std::thread thread_;
};

}  // namespace strata::page_files
