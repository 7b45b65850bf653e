#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "io/unique_fd.hpp"
#include "page_files/access_pattern.hpp"
#include "page_files/failure_log.hpp"
#include "page_files/fill_table.hpp"
#include "page_files/page_map.hpp"
#include "page_files/page_source.hpp"

namespace strata::page_files {

/// Accesses to relation files whose pages may be missing: they wait, without a thread, until the pages were fetched and
/// are in the file. What is present is read and written by the caller, without a lock.
///
/// Every change of such a file goes through here and takes the lock of the table: a fill, a write of pages that were
/// never fetched, a truncation. So a fill never overwrites what came after its fetch began, and never lengthens a file.
class fuse_pages {
 public:
  using clock = std::chrono::steady_clock;
  using content = std::shared_ptr<const io::unique_fd>;

  /// An access: an answer to the kernel that is not given yet.
  struct access {
    /// `fill`: nobody reads the pages yet.
    enum class kind { read, write, truncate, fill };
    kind what = kind::read;
    std::uint32_t file = 0;
    content in;
    std::uint64_t offset = 0;  ///< of a truncation: the new size
    std::uint32_t size = 0;    ///< of a read, write or fill
    core::bytes_view bytes{};  ///< of a write; valid during the call only
    pid_t process = 0;         ///< that waits; 0: the kernel itself
    /// Called once, by any thread, also from within the call that takes the access: an errno, or 0 and for a read what
    /// the file holds, valid during the call.
    std::function<void(int failed, core::bytes_view read)> answer;
  };

  struct counters {
    std::uint64_t fetches = 0;
    std::uint64_t pages = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t waiting = 0;  ///< now
  };

  /// Both outlive it; `source` is used by the thread of run().
  fuse_pages(page_map& map, page_source& source, fill_table::options with);
  fuse_pages(const fuse_pages&) = delete;
  /// Accesses that wait are answered EIO. By the thread of the source, or when that has ended.
  ~fuse_pages();

  // -- any thread ---------------------------------------------------------
  /// Whether any page of the bytes has to be fetched before they are read, or may not simply be written.
  [[nodiscard]] bool missing(std::uint32_t file, std::uint64_t offset, std::uint64_t size) const;
  /// A read of a file that is not complete, which may be served from the file: for the recognition of scans. What is
  /// fetched ahead is written to `in` as long as it is open.
  void observe(std::uint32_t file, const content& in, std::uint64_t offset, std::uint64_t size);
  void take(access what);
  /// The file is gone for good; its inode number may be given to another one.
  void gone(std::uint32_t file);
  [[nodiscard]] counters counts() const;

  // -- the thread of the source -------------------------------------------
  /// Readable when run() has something to do.
  [[nodiscard]] int wake_fd() const { return poll_.get(); }
  void run();

 private:
  struct waiting_access {
    access what;
    core::bytes head{};  ///< of a write: what goes into its first page, which had to be fetched
    core::bytes tail{};  ///< into its last one
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    clock::time_point since{};
  };
  /// What became of an access within the call that took it.
  struct outcome {
    bool waits = false;
    int failed = 0;
  };
  struct failure {
    std::uint32_t file = 0;
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    clock::time_point at{};
    core::errc why{};
  };
  struct decided {
    waiting_access of;
    std::optional<core::errc> denied;
    bool is_new_failure = true;
  };
  struct started {
    fill_table::fetch what;
    content in;
  };

  // With the lock.
  outcome write(access& what);
  outcome truncate(access& what);
  void wait(waiting_access what);
  int fill(const fill_table::fetch& what, const io::unique_fd& in, core::bytes_view pages);
  void admit(waiting_access of);
  [[nodiscard]] content content_of(std::uint32_t file) const;

  // Without it.
  void wake() const;
  void tick();
  void pump();
  void finish(const started& of, const core::result<core::bytes_view>& pages);
  void resume(decided of);
  void read_file(const access& what);
  void cancel_some();

  page_map& map_;
  page_source& source_;
  io::unique_fd poll_;
  io::unique_fd wake_;
  io::unique_fd timer_;

  std::mutex pattern_lock_;
  access_pattern pattern_;

  mutable std::mutex lock_;
  fill_table table_;
  std::unordered_map<std::uint32_t, std::weak_ptr<const io::unique_fd>> open_;  ///< files that are read ahead
  std::vector<std::optional<waiting_access>> waiting_;                          ///< by ticket
  std::deque<waiting_access> arrived_;  ///< bounded by the kernel: a request of each process, and max_background
  std::deque<waiting_access> later_;    ///< writes whose pages could not be fetched: tried again
  std::vector<fill_table::ticket> free_tickets_;
  counters counts_;

  // Of the thread of the source.
  std::shared_ptr<int> alive_ = std::make_shared<int>();  ///< as long as callbacks of the source find this object
  std::vector<decided> decided_;
  std::vector<started> started_;
  pid_t cancelled_process_ = 0;  ///< the last one
  std::uint32_t next_watched_ = 0;
  std::array<failure, 16> failures_{};
  std::size_t next_failure_ = 0;
  core::bytes buffer_;
  clock::time_point retry_at_{};
  failure_log failure_log_;
  bool is_ticking_ = false;
  bool pumping_ = false;
  bool again_ = false;
};

}  // namespace strata::page_files
