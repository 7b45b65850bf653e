#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "page_files/access_pattern.hpp"
#include "page_files/failure_log.hpp"
#include "page_files/fanotify_group.hpp"
#include "page_files/fill_table.hpp"
#include "page_files/page_map.hpp"
#include "page_files/page_source.hpp"

namespace strata::page_files {

class page_toucher;

/// The filler of a data directory that Postgres uses natively: takes the kernel's events about accesses to the sparse
/// files, fetches what is missing, writes it into the files, and lets the accesses go on.
///
/// Every page that an access can see is in its file before the access goes on; if that fails the access fails: with
/// ENOSPC when the disk is full, EBUSY when a killed predecessor had taken it unrecorded, EIO otherwise.
///
/// Bounds: events_max events (the others wait in the kernel's queue), and what fill_table::options says of fetches and
/// bytes in flight: 16 MiB.
///
/// One thread, which never blocks on the page source. One door at a time for a group: a successor is made when the
/// process of its predecessor has been reaped. The process can be killed at any moment.
class fanotify_door {
 public:
  /// The slots beyond are for a successor that has as many of its predecessor's.
  static constexpr std::size_t events_max = 192;

  struct options {
    std::string directory;  ///< the data directory: where relation_file::path begins
    fill_table::options table;
    const core::clock* clock = &core::system_clock();
    /// A process that has waited so long is looked at for signals.
    std::chrono::milliseconds look_after{20};
  };

  /// What has happened so far.
  struct counts {
    std::uint64_t events = 0;
    std::uint64_t events_waited = 0;      ///< that did not find everything present
    std::uint64_t events_denied = 0;      ///< also what a predecessor left unrecorded
    std::uint64_t events_taken_over = 0;  ///< from a killed predecessor
    std::uint64_t pages_filled = 0;
    std::uint64_t files_completed = 0;
    std::uint64_t fetches = 0;
    std::uint64_t fetches_failed = 0;
  };

  /// Answers what a predecessor left before it reads any new event: an event that the map has is served like a new
  /// one, any other is denied with EBUSY. So is one whose descriptor number this process uses already: make the door
  /// before connections are made. Lowers the process's limit of descriptors to 4,096, so that no event has a higher
  /// number. `map`, opened for writing, outlives the door; `source` does not answer once the door is gone.
  static core::result<std::unique_ptr<fanotify_door>> make(fanotify_group group, page_map& map, page_source& source,
                                                           options with);
  /// Leaves unanswered events to a successor.
  ~fanotify_door();
  fanotify_door(const fanotify_door&) = delete;
  fanotify_door& operator=(const fanotify_door&) = delete;

  /// Readable when on_readable() has something to do.
  [[nodiscard]] int fd() const { return poll_.get(); }
  /// Takes what has come. An error means that the door can't go on and its process ends.
  core::result<void> on_readable();
  /// When `waiting()`, every 10 ms or so: an access whose process was told to end or to cancel (SIGINT, SIGTERM or
  /// SIGQUIT is pending, which the wait does not let through) is denied, so that the signal reaches it. Postgres
  /// reports that its read failed. Without effect on statement_timeout: Postgres's timers go off when nothing is due.
  void on_tick();

  [[nodiscard]] std::size_t waiting() const { return table_.waiting() + orphans_; }
  /// No access waits, and no page is being fetched: it may end without anybody noticing.
  [[nodiscard]] bool is_idle() const { return waiting() == 0 && table_.in_flight() == 0; }
  [[nodiscard]] const fanotify_group& group() const { return group_; }
  [[nodiscard]] const counts& counted() const { return counts_; }

 private:
  /// A taken event, in the slot of the same number in the map.
  struct taken {
    int number = -1;   ///< of the descriptor; -1: a free slot
    io::unique_fd fd;  ///< unless an open_file has it
    std::int32_t process = 0;
    std::uint32_t file = 0;
    bool orphan = false;  ///< taken over, and no descriptor of its file is there yet
    core::monotonic_time since;
  };
  /// The descriptor of a file that is being filled, from the first event that had to wait.
  struct open_file {
    std::uint32_t file = 0;
    io::unique_fd fd;
  };

  fanotify_door(fanotify_group group, page_map& map, page_source& source, options with);
  core::result<void> take_over();
  [[nodiscard]] std::optional<std::uint32_t> take(access_event event);
  void begin(std::uint32_t slot);
  void raise(std::uint32_t slot, const taken_event& event);
  void serve_orphans(std::uint32_t file);
  void deny_unreachable();
  void keep_open(std::uint32_t slot);
  void step();
  void answer(std::uint32_t slot, std::optional<core::errc> denied);
  void on_pages(std::uint32_t fetch, core::result<core::bytes_view> pages);
  void log_failure(const fill_table::fetch& of, const core::error& why);
  core::result<void> write_pages(int fd, const fill_table::fetch& of, core::bytes_view pages);
  core::result<void> write_into(int fd, std::uint64_t at, core::bytes_view pages);
  void lower_limit(std::uint32_t file, int fd);
  void complete(int fd);
  void close_idle();
  [[nodiscard]] open_file* opened(std::uint32_t file);
  void listen(bool to_events);
  [[nodiscard]] std::size_t room() const;

  fanotify_group group_;
  page_map& map_;
  page_source& source_;
  options options_;
  fill_table table_;
  access_pattern pattern_;
  io::unique_fd poll_;
  io::unique_fd staging_;  ///< a memfd, for pages that may only be written into what the file has
  std::shared_ptr<page_toucher> toucher_;
  std::array<taken, page_map::taken_max> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<open_file> files_;
  std::size_t orphans_ = 0;
  std::uint32_t look_ = 0;  ///< the slot that was looked at last
  bool listens_ = false;
  counts counts_;
  failure_log failure_log_;
};

}  // namespace strata::page_files
