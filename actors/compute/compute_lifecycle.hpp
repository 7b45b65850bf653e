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

// -- inputs; the owner must omit those of an earlier incarnation ------------------------------------------------------

/// `at`: for a compute that only reads its branch, as of that LSN. `follows`: for one that reads the branch as it is
/// now. Neither has a term, and no WAL of it is kept.
struct agent_begun {
  std::optional<core::lsn> at;
  bool follows = false;
};
/// The members could not be read, the branch could not be restored, or Postgres did not start.
struct step_failed {
  core::error why;
};
struct retry_due {};
struct won_election {
  consensus::term in;
};
/// A quorum has everything before `start`: Postgres must begin there.
struct start_is_safe {
  core::lsn start;
};
struct pageserver_caught_up {};
/// The pageserver has WAL after the start. It ingests committed WAL only, which every election preserves: either a
/// later term has committed it, whose superseded message will come, or the safekeepers have lost it.
struct pageserver_ahead {
  core::lsn reached;
};
/// The newest position from which a standby can follow its branch.
struct start_chosen {
  core::lsn at;
};
/// WAL that the standby needs is gone, or can't be replayed. `before`: nor from any start before this; 0: not known.
struct following_lost {
  std::string why;
  core::lsn before{};
};
/// The standby has paused: the branch's writer runs with larger settings than it.
struct settings_outgrown {};
/// Postgres did not start, and there are other settings for the next incarnation.
struct settings_refused {
  core::error why;
};
struct branch_restored {};
struct postgres_ready {};
/// Postgres has ended, requested or not.
struct postgres_ended {};
/// A transaction with a cancelled wait has not become durable within its time.
struct commit_wait_cancelled {};
/// Postgres's data directory can't be read any more.
struct directory_lost {};
struct term_lost {
  consensus::term to;
};
/// The branch is missing on the server of its pages.
struct branch_deleted {};
struct stop_wanted {};
/// The same without waiting for anything.
struct end_at_once {};
/// Another incarnation is to begin, because of new settings, when this one has had everything acknowledged.
struct restart_wanted {};
using life_input = std::variant<agent_begun, step_failed, retry_due, won_election, start_is_safe, pageserver_caught_up,
                                pageserver_ahead, start_chosen, following_lost, settings_outgrown, settings_refused,
                                branch_restored, postgres_ready, postgres_ended, commit_wait_cancelled, directory_lost,
                                term_lost, branch_deleted, stop_wanted, end_at_once, restart_wanted>;

// -- effects ----------------------------------------------------------------------------------------------------------

/// A new incarnation begins: remove the previous one, ask for the members and campaign for the next term.
struct run_for_term {};
struct await_pageserver {
  core::lsn start;
};
/// Ask for the newest position from which the branch can be followed.
struct choose_start {};
struct restore_branch {
  core::lsn start;
};
struct start_server {};
/// Postgres's WAL is streamed to the quorum from now on.
struct stream_wal {};
/// Everything that Postgres has must be acknowledged before it ends; then postgres_ended.
struct stop_server {};
/// End it at once, whatever it does; then postgres_ended.
struct abandon_server {};
/// Input retry_due after a pause.
struct retry_later {};
/// The agent's work is over.
struct finish {};
using life_effect = std::variant<run_for_term, await_pageserver, choose_start, restore_branch, start_server, stream_wal,
                                 stop_server, abandon_server, retry_later, finish>;
using life_effects = std::vector<life_effect>;

/// The lifecycle of a compute's agent: a pure machine over strata::host::agent_state. A data directory is used for one
/// incarnation of Postgres. Whatever ends it, the next one begins with an election, so that it starts where the
/// quorum's WAL ends, or, of a compute that only reads, at the same LSN, or, of a standby, where the branch can be
/// followed from; where that turned out not to be so it does not begin again. An agent that has lost the term for good
/// starts nothing again.
class compute_lifecycle {
 public:
  /// More unexpected ends than this within restart_window are a failure.
  static constexpr std::size_t restarts_max = 5;
  static constexpr std::chrono::minutes restart_window{1};
  /// Limit for the news of a later term.
  static constexpr std::chrono::seconds later_term_limit{5};

  life_effects step(const life_input& input, core::monotonic_time now);

  [[nodiscard]] strata::host::agent_state state() const { return state_; }
  /// While Postgres is being ended: the state that follows; waiting_for_quorum when it is replaced.
  [[nodiscard]] std::optional<strata::host::agent_state> ending() const {
    return ending_server_ ? std::optional(after_server_) : std::nullopt;
  }
  /// The reason of the state, for people; empty in normal operation.
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] core::lsn start() const { return start_; }
  [[nodiscard]] consensus::term in() const { return term_; }
  /// How often Postgres became ready.
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
  life_effects on(const start_chosen& input);
  life_effects on(const following_lost& input);
  life_effects on(const settings_outgrown& input);
  life_effects on(const settings_refused& input);
  life_effects on(const branch_restored& input);
  life_effects on(const postgres_ready& input);
  life_effects on(const postgres_ended& input);
  life_effects on(const commit_wait_cancelled& input);
  life_effects on(const directory_lost& input);
  life_effects on(const term_lost& input);
  life_effects on(const branch_deleted& input);
  life_effects on(const stop_wanted& input);
  life_effects on(const end_at_once& input);
  life_effects on(const restart_wanted& input);

  life_effects enter(agent_state next, life_effects effects);
  life_effects end(agent_state last, std::string why);
  life_effects give_up(std::string why);
  life_effects begin_again(std::string why);
  life_effects begin();
  life_effects replace_server(std::string why);
  /// Whether Postgres's process may exist.
  [[nodiscard]] bool has_server() const;

  agent_state state_ = agent_state::waiting_for_quorum;
  /// Set while the server is being ended: the next state.
  agent_state after_server_ = agent_state::waiting_for_quorum;
  bool ending_server_ = false;
  bool restart_is_wanted_ = false;  ///< no fault: the end of the server is no unexpected one
  bool reads_only_ = false;
  bool follows_ = false;
  core::lsn unfollowable_;  ///< a standby that begins before this comes to WAL that it can't replay
  std::string detail_;
  consensus::term term_;
  core::lsn start_;
  std::uint32_t incarnations_ = 0;
  core::monotonic_time now_{};
  std::deque<core::monotonic_time> restarts_;
  std::optional<core::monotonic_time> ahead_since_;  ///< of the pageserver, in this incarnation
};

}  // namespace strata::actors::compute
