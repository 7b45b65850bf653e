#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "page_files/fanotify_door.hpp"

namespace strata::tests {

/// Whether pre-content events work for files in a directory. If not, says that the test is skipped and why.
bool can_fill_at(const std::string& directory);

/// 64-bit words of half a page of a file: of the page service (value 1), of a hole (0), or as a worker wrote it.
void fill_half(std::uint8_t* to, std::uint32_t file, std::uint32_t half, std::uint32_t value);
inline constexpr std::size_t half_bytes = pg::page_size / 2;
inline constexpr std::uint32_t of_the_source = 1;

/// A page source in memory that answers after a random time, in any order, and at times with an error.
class slow_source final : public page_files::page_source {
 public:
  struct options {
    std::chrono::microseconds delay_max{0};
    std::uint32_t failures_per_thousand = 0;
    bool silent = false;  ///< never answers
  };
  slow_source(options with, std::uint32_t seed) : options_(with), random_(seed) {}

  void fetch(const page_files::page_range& range, receiver then) override;
  /// Answers what is due.
  void run();
  /// Until the next answer is due; none: nothing was asked.
  [[nodiscard]] std::optional<std::chrono::microseconds> next() const;

 private:
  struct request {
    std::chrono::steady_clock::time_point due;
    page_files::page_range range;
    receiver then;
  };
  options options_;
  std::mt19937 random_;
  std::vector<request> requests_;
};

struct filler_options {
  page_files::fill_table::options table;
  slow_source::options source;
  bool background = false;
  bool completes = false;     ///< it ends when all pages are there, as a real filler; with `background`
  std::uint64_t reserve = 0;  ///< of its disk
};

/// Sparse files of a data directory, base/5/16384 and on, under a group and a map that this process holds: it is the
/// guard.
class sparse_directory {
 public:
  sparse_directory(std::string path, const std::vector<std::uint32_t>& pages);
  ~sparse_directory();

  /// Starts a filler as a process of its own, or the successor of the last one.
  void start_filler(const filler_options& with);
  /// SIGKILL, and waits until it is wholly gone. False if it had ended by itself.
  bool kill_filler();
  /// Waits for a filler that ends by itself: its exit code, or minus the signal.
  int wait_for_filler();
  [[nodiscard]] pid_t filler() const { return filler_; }
  /// Events that successors found taken by the filler before them: served like new ones, or denied because they were
  /// not recorded.
  [[nodiscard]] std::uint64_t taken_over() const { return counts_->taken_over; }
  [[nodiscard]] std::uint64_t unrecorded() const { return counts_->unrecorded; }

  [[nodiscard]] std::string path_of(std::uint32_t file) const;
  /// Opened after the mark, as Postgres does.
  [[nodiscard]] int open(std::uint32_t file) const;
  [[nodiscard]] const page_files::page_map& map() const { return *map_; }
  [[nodiscard]] const page_files::fanotify_group& group() const { return *group_; }
  /// Files that the kernel knows for the group.
  [[nodiscard]] int marks() const;
  /// Events that a filler has taken and not answered.
  [[nodiscard]] std::size_t taken() const;
  /// As a filler that was killed after it completed a file and before it answered: all pages present, no more events.
  void complete(std::uint32_t file);
  /// This process no longer holds the group.
  void leave_group() { group_.reset(); }

 private:
  std::string path_;
  std::optional<page_files::fanotify_group> group_;
  std::optional<page_files::page_map> map_;
  struct counts {
    std::atomic<std::uint64_t> taken_over, unrecorded;
  };
  counts* counts_;
  pid_t filler_ = -1;
};

/// What a process finds in a page: 0 its content, 1 zeros, 2 something else, or 100 plus an error number.
int read_page(int file, std::uint32_t of, std::uint32_t page);

/// Whether something becomes true within 20 s.
bool eventually(const std::function<bool()>& holds);

/// Runs `what` in a process of its own, which ends with its result and is killed when this process ends.
pid_t start_process(const std::function<int()>& what);
/// Waits for its end: the exit code, or minus the signal.
int wait_for(pid_t process);

}  // namespace strata::tests
