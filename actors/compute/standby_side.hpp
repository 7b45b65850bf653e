#pragma once

#include <functional>
#include <memory>
#include <string>

#include "actors/compute/branch_directory.hpp"
#include "actors/compute/compute_lifecycle.hpp"
#include "actors/compute/protocol.hpp"
#include "actors/compute/standby_progress.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "host/branch_access.hpp"
#include "io/unique_fd.hpp"

namespace strata::actors::compute {

/// What the agent does for a standby only: where it begins, its data directory, its WAL feed, its lag. Part of the
/// compute agent: everything it needs of that is an argument.
class standby_side {
 public:
  struct context {
    std::shared_ptr<host::branch_access> branch;
    std::string socket_directory;
    std::function<host::agent_state()> state;
    std::function<void(const life_input&)> step;
    std::function<core::monotonic_time()> now;
    /// The first directory is there: the feed, which serves what connects to `listener`.
    std::function<void(io::unique_fd listener)> start_feed;
    std::function<void(follow_from)> follow;
    /// `then` is called with the feed's answer, unless it has ended.
    std::function<void(std::function<void(feed_status)> then)> ask_feed;
    std::function<void(core::lsn)> report_head;
    /// The directory and the LSN of its pages.
    std::function<void(const branch_directory::directory&, core::lsn)> restored;
  };

  standby_side(runtime::io_jobs jobs, context of) : jobs_(std::move(jobs)), context_(std::move(of)) {}

  /// Ends with start_chosen, step_failed or branch_deleted.
  void choose_start();
  /// The directory for a start at the place that was chosen last. Ends with `restored` or step_failed.
  void restore(branch_directory& into);
  /// The feed has ended: the next directory gets another one.
  void forget_feed() { has_feed_ = false; }
  /// The feed's progress.
  void look();
  /// The server of the branch has its WAL up to here.
  void head_is(core::lsn reached);

  /// Why no WAL arrives; empty: it does.
  [[nodiscard]] std::string waits() const { return progress_.waits(); }
  void describe(host::agent_status& to) const { progress_.describe(to, context_.now()); }

 private:
  runtime::io_jobs jobs_;
  context context_;
  host::standby_place place_;
  bool has_feed_ = false;
  standby_progress progress_;
};

}  // namespace strata::actors::compute
