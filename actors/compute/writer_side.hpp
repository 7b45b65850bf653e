#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/compute/compute_lifecycle.hpp"
#include "actors/compute/protocol.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "consensus/proposer.hpp"
#include "host/branch_access.hpp"
#include "host/registry.hpp"

namespace strata::actors::compute {

/// What the agent does for the writer of a branch only: it finds the safekeepers, owns a proposer at a time, and knows
/// whether commits wait. Part of the compute agent: everything it needs of that is an argument.
class writer_side {
 public:
  struct context {
    std::shared_ptr<host::branch_access> branch;
    std::function<host::agent_state()> state;
    std::function<void(const life_input&)> step;
    /// The agent spawns and adopts the proposer, and calls proposer_ended().
    std::function<void(const consensus::proposer_options&)> start_proposer;
    std::function<void()> stop_proposer;
    /// `then` is called with the proposer's answer, or with none when it has ended.
    std::function<void(std::function<void(std::optional<proposer_status>)> then)> ask_proposer;
  };

  writer_side(const host::compute_record& of, runtime::io_jobs jobs, context around)
      : tenant_(of.tenant_id),
        timeline_(of.timeline_id),
        name_(of.branch),
        jobs_(std::move(jobs)),
        context_(std::move(around)) {}

  /// Another proposer for another term. Ends with step_failed or branch_deleted when it can't be started.
  void run_for_term();
  /// Ends the proposer, then calls `then`: all its messages have arrived. At once when there is none.
  void retire(std::function<void()> then);
  void proposer_ended(const core::error& why);
  void quorum_is(bool reached) { has_quorum_ = reached; }
  /// Asks for the status of now, then calls `then`, at once when there is no proposer.
  void look(std::function<void()> then);

  [[nodiscard]] bool has_proposer() const { return has_proposer_; }
  [[nodiscard]] bool has_quorum() const { return has_quorum_; }
  /// Precondition: an election was won.
  [[nodiscard]] std::uint32_t wal_segment_size() const { return quorum_->cluster.wal_segment_size; }
  /// None: the proposer has not been asked yet.
  [[nodiscard]] std::optional<core::lsn> commit_lsn() const;
  /// Why there is no term yet.
  [[nodiscard]] std::string awaits_term() const;
  /// Why commits wait, or would with one safekeeper less; empty: they don't.
  [[nodiscard]] std::string waits() const;
  void describe(host::agent_status& to) const;

 private:
  void ask_for_members();
  void start();
  [[nodiscard]] std::string missing_on_safekeepers(const std::string& before) const;

  core::tenant_id tenant_;
  core::timeline_id timeline_;
  std::string name_;
  runtime::io_jobs jobs_;
  context context_;
  std::optional<host::branch_quorum> quorum_;
  bool has_proposer_ = false;
  bool has_quorum_ = false;
  std::function<void()> when_ended_;
  std::optional<proposer_status> status_;
};

}  // namespace strata::actors::compute
