#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/compute/failure_reports.hpp"
#include "actors/compute/server_process.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "host/agent_status.hpp"
#include "host/program.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::actors::compute {

/// What fills the data directory of one incarnation of Postgres. The agent is the guard of that directory: it holds
/// what outlives a filler, and starts another filler when one ends. Part of the compute agent: everything it needs of
/// that is an argument.
class page_supply {
 public:
  static constexpr std::chrono::milliseconds restart_pause{200};
  /// A filler that has done nothing in so many calls of look(), 15 s of them, is killed.
  static constexpr int silent_looks_max = 75;
  /// After so many, 2 s of them, waits() has that reason.
  static constexpr int silent_looks_told = 10;
  /// A lease is renewed after a third of its time, at these intervals at most and at least.
  static constexpr std::chrono::milliseconds lease_interval_max{60'000};
  static constexpr std::chrono::milliseconds lease_interval_min{1'000};

  struct context {
    std::function<runtime::socket_owner()> owner;
    std::function<void(const char* doing, const core::error&)> note;
    /// retry() after the time.
    std::function<void(std::chrono::milliseconds)> retry_after;
    /// The filler of a directory that can't be taken over by another one has ended: Postgres has to, too.
    std::function<void()> lost;
    /// The directory is complete: its filler has ended, and there will be no other one.
    std::function<void()> all_present;
    /// The first filler of the directory runs, or could not be started.
    std::function<void(const core::result<void>&)> begun;
    /// On a thread that may block: starts a filler of this directory, and keeps the LSN of its pages readable.
    std::function<core::result<pid_t>(const page_files::guarded_directory&, core::lsn)> start_filler;
    std::function<core::result<std::chrono::milliseconds>(core::lsn)> lease;
    /// On a thread that may block: takes away what a filler has mounted.
    std::function<core::result<void>()> remove_mount;
    /// The next incarnation starts where this one did: its LSN is leased also when no page is missing.
    bool starts_at_same_lsn = false;
  };

  /// `sockets` outlives it.
  page_supply(runtime::socket_watcher& sockets, runtime::io_jobs jobs, context of);

  /// Starts the filler of a directory with pages as of `at`; null: a copy, which needs none. Then `begun`, from within
  /// for a copy. Precondition: the one before has ended.
  void begin(std::shared_ptr<const page_files::guarded_directory> directory, core::lsn at);
  /// Open files that Postgres inherits, so that no process of it can read what nobody fills.
  [[nodiscard]] std::vector<host::inherited_file> inherited() const;
  /// Ends the filler, then calls `then`; at once when there is none. Postgres has ended: nobody waits for a page.
  void end(std::function<void()> then);

  void retry();
  /// Five times a second: renews the lease, looks whether the filler hangs, and answers for one that was the last.
  void look(core::monotonic_time now);
  void on_ready(runtime::watch_token token) { filler_.on_ready(token); }
  /// Why readers wait for pages for longer than usual, or can't have them; empty: they don't.
  [[nodiscard]] std::string waits() const;
  /// Adds what is known of the pages.
  void describe(host::agent_status& to) const;

 private:
  enum class filler_state { none, starts, runs, pauses, ends };

  [[nodiscard]] bool needs_no_filler() const;
  [[nodiscard]] const char* filler_word() const;
  void start();
  void started(const core::result<void>& how);
  void ended();
  void pause(std::chrono::milliseconds length);
  void look_at_filler();
  void continue_if_stopped();
  void renew_lease(core::monotonic_time now);

  runtime::io_jobs jobs_;
  context context_;
  std::shared_ptr<const page_files::guarded_directory> directory_;  ///< null: a copy, or none yet
  core::lsn at_;
  std::shared_ptr<pid_t> pid_ = std::make_shared<pid_t>(0);
  std::function<void()> when_ended_;
  core::monotonic_time lease_due_{};
  std::uint32_t beats_ = 0;
  int silent_looks_ = 0;
  failure_reports lease_failures_;
  std::string lost_lease_;  ///< why the pages that are missing are no longer kept
  filler_state state_ = filler_state::none;
  std::uint32_t fillers_ = 0;  ///< of this directory, that ran
  server_process filler_;
};

}  // namespace strata::actors::compute
