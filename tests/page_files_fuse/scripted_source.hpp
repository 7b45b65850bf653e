#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "io/unique_fd.hpp"
#include "page_files/page_source.hpp"

namespace strata::tests {

/// Answers from memory or from files, when and how the test says. All is thread safe but fetch().
class scripted_source final : public page_files::page_source {
 public:
  using clock = std::chrono::steady_clock;
  /// Writes the pages of a range.
  using contents = std::function<void(const page_files::page_range&, core::bytes&)>;

  explicit scripted_source(contents with);

  void fetch(const page_files::page_range& range, receiver then) override;

  // -- the script ---------------------------------------------------------
  void set_delay(std::chrono::microseconds of) { delay_us_ = of.count(); }
  /// Fetches wait until they are let go.
  void hold(bool on);
  /// Only those of this relation; 0: all.
  void hold_only(pg::oid relation) { held_relation_ = relation; }
  /// Only those that begin at this block or after it.
  void hold_from(pg::block_number block) { held_from_ = block; }
  void fail(bool on) { fails_ = on; }

  [[nodiscard]] std::uint64_t fetches() const { return fetches_; }
  [[nodiscard]] std::uint64_t pages() const { return pages_; }
  [[nodiscard]] std::uint32_t largest() const { return largest_; }
  /// Asked for and not answered.
  [[nodiscard]] std::uint64_t open() const { return open_; }

  // -- its thread ---------------------------------------------------------
  /// Answers what is due; how long until the next is: -1 none.
  int run();
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  void wake() const;

 private:
  struct request {
    page_files::page_range range;
    receiver then;
    clock::time_point due;
  };
  contents contents_;
  io::unique_fd wake_;
  std::vector<request> waiting_;
  core::bytes buffer_;
  std::atomic<std::int64_t> delay_us_ = 0;
  std::atomic<bool> held_ = false;
  std::atomic<pg::oid> held_relation_ = 0;
  std::atomic<pg::block_number> held_from_ = 0;
  std::atomic<bool> fails_ = false;
  std::atomic<std::uint64_t> fetches_ = 0;
  std::atomic<std::uint64_t> pages_ = 0;
  std::atomic<std::uint64_t> open_ = 0;
  std::atomic<std::uint32_t> largest_ = 0;
};

/// The bytes of a page that nobody has written: different for every page and never zeros.
void append_made_page(const pg::relation_fork& relation, pg::block_number block, core::bytes& to);

}  // namespace strata::tests
