#pragma once

#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "consensus/term.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "host/agent_status.hpp"

namespace strata::actors::compute {

// -- inputs: those of an earlier life are the owner's to leave out ----------------------------------------------------

struct agent_begun {};
/// The members could not be asked for, the branch not be restored, or Postgres did not start.
struct step_failed {
  core::error why;
};
struct retry_due {};
struct won_election {
  consensus::term in;
};
/// A quorum holds everything before `start`: the place where Postgres is to begin.
struct start_is_safe {
  core::lsn start;
};
struct pageserver_caught_up {};
/// It has WAL after the start. It takes in only what is committed, which no election leaves out: either a later term
/// has committed it, of which we will hear, or the safekeepers have lost it.
struct pageserver_ahead {
  core::lsn reached;
};
struct branch_restored {};
struct postgres_ready {};
/// It is gone, asked to or not.
struct postgres_ended {};
/// A transaction whose wait was cancelled has not become durable within its time.
struct commit_wait_cancelled {};
struct term_lost {
  consensus::term to;
};
/// The server of its pages knows the branch no more.
struct branch_deleted {};
struct stop_wanted {};
using life_input = std::variant<agent_begun, step_failed, retry_due, won_election, start_is_safe, pageserver_caught_up,
                                pageserver_ahead, branch_restored, postgres_ready, postgres_ended,
                                commit_wait_cancelled, term_lost, branch_deleted, stop_wanted>;

// -- effects ----------------------------------------------------------------------------------------------------------

/// A new life begins: what is left of the one before goes; ask for the members and run for the next term.
struct run_for_term {};
struct await_pageserver {
  core::lsn start;
};
struct restore_branch {
  core::lsn start;
};
struct start_server {};
/// Postgres's WAL begins to flow to the quorum.
struct stream_wal {};
/// Everything that Postgres has is to be acknowledged before it ends; then postgres_ended.
struct stop_server {};
/// At once, whatever it does; then postgres_ended.
struct abandon_server {};
/// Input retry_due after a while.
struct retry_later {};
/// The agent's work is over.
struct finish {};
using life_effect = std::variant<run_for_term, await_pageserver, restore_branch, start_server, stream_wal, stop_server,
                                 abandon_server, retry_later, finish>;
using life_effects = std::vector<life_effect>;

/// What the agent of a compute does when: a pure machine over strata::host::agent_state. A data directory is used
/// for one life of Postgres; whatever ends that life, the next one begins with an election, so that it starts where the
/// quorum's WAL ends. Whoever loses the term for good never starts anything again.
class compute_lifecycle {
 public:
  /// More unexpected ends than this within restart_window are a failure.
  static constexpr std::size_t restarts_max = 5;
  static constexpr std::chrono::minutes restart_window{1};
  /// A later term is heard of within this.
  static constexpr std::chrono::seconds later_term_limit{5};

  life_effects step(const life_input& input, core::monotonic_time now);

  [[nodiscard]] strata::host::agent_state state() const { return state_; }
  /// Why, for people; empty when all is as it should be.
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] core::lsn start() const { return start_; }
  [[nodiscard]] consensus::term in() const { return term_; }
  /// Times that Postgres was ready.
  [[nodiscard]] std::uint32_t incarnations() const { return incarnations_; }

 private:
  using agent_state = strata::host::agent_state;

  life_effects on(const agent_begun& input);
  life_effects on(const step_failed& input);
  life_effects on(const retry_due& input);
  life_effects on(const won_election& input);
  life_effects on(const start_is_safe& input);
  life_effects on(const pageserver_caught_up& input);
  life_effects on(const pageserver_ahead& input);
  life_effects on(const branch_restored& input);
  life_effects on(const postgres_ready& input);
  life_effects on(const postgres_ended& input);
  life_effects on(const commit_wait_cancelled& input);
  life_effects on(const term_lost& input);
  life_effects on(const branch_deleted& input);
  life_effects on(const stop_wanted& input);

  life_effects enter(agent_state next, life_effects effects);
  life_effects end(agent_state last, std::string why);
  life_effects give_up(std::string why);
  life_effects begin_again(std::string why);
  /// Postgres's process may exist.
  [[nodiscard]] bool has_server() const;

  agent_state state_ = agent_state::waiting_for_quorum;
  /// Set while the server is being ended: what comes then.
  agent_state after_server_ = agent_state::waiting_for_quorum;
  bool ending_server_ = false;
  std::string detail_;
  consensus::term term_;
  core::lsn start_;
  std::uint32_t incarnations_ = 0;
  core::monotonic_time now_{};
  std::deque<core::monotonic_time> restarts_;
  std::optional<core::monotonic_time> ahead_since_;  ///< the pageserver, in this life
};

}  // namespace strata::actors::compute
