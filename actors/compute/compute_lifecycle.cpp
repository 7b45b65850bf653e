#include "actors/compute/compute_lifecycle.hpp"

#include <algorithm>
#include <utility>

#include "host/lasting_files.hpp"

namespace strata::actors::compute {

using strata::host::is_final;

life_effects compute_lifecycle::step(const life_input& input, core::monotonic_time now) {
  now_ = now;
  if (is_final(state_)) return {};
  return std::visit([this](const auto& each) { return on(each); }, input);
}

bool compute_lifecycle::has_server() const {
  return state_ == agent_state::starting || state_ == agent_state::running || state_ == agent_state::stopping;
}

life_effects compute_lifecycle::enter(agent_state next, life_effects effects) {
  state_ = next;
  return effects;
}

/// The last state, at once or when the server has ended.
life_effects compute_lifecycle::end(agent_state last, std::string why) {
  detail_ = std::move(why);
  if (has_server()) {
    after_server_ = last;
    ending_server_ = true;
    return {abandon_server{}};
  }
  return enter(last, {finish{}});
}

life_effects compute_lifecycle::give_up(std::string why) {
  detail_ = std::move(why);
  return enter(agent_state::failed, {finish{}});
}

life_effects compute_lifecycle::begin_again(std::string why) {
  while (!restarts_.empty() && now_ - restarts_.front() > restart_window) restarts_.pop_front();
  if (restarts_.size() == restarts_max) return give_up(why + "; too many restarts, it is not restarted");
  restarts_.push_back(now_);
  detail_ = why + "; restarting";
  return begin();
}

life_effects compute_lifecycle::begin() {
  if (follows_) return enter(agent_state::waiting_for_pageserver, {choose_start{}});
  if (reads_only_) return enter(agent_state::restoring, {restore_branch{start_}});
  return enter(agent_state::waiting_for_quorum, {run_for_term{}});
}

life_effects compute_lifecycle::on(const agent_begun& input) {
  follows_ = input.follows;
  reads_only_ = follows_ || input.at.has_value();
  if (input.at) start_ = *input.at;
  return begin();
}

life_effects compute_lifecycle::on(const step_failed& input) {
  const bool passes =
      core::advice_for(input.why.code) == core::advice::retry_later || input.why.code == core::errc::outcome_unknown;
  if (state_ == agent_state::starting) {
    if (ending_server_) return on(postgres_ended{});
    // If Postgres never ran, the next attempt would fail for the same reason.
    if (incarnations_ == 0) return give_up(input.why.detail);
    return begin_again("Postgres did not start: " + input.why.detail);
  }
  detail_ = input.why.detail;
  // The position may have left the window meanwhile: there is a newer one.
  const bool has_moved = input.why.code == core::errc::out_of_range || input.why.code == core::errc::invalid_argument;
  if (follows_ && state_ == agent_state::restoring && (passes || has_moved))
    return enter(agent_state::waiting_for_pageserver, {retry_later{}});
  if (passes) return {retry_later{}};
  return end(agent_state::failed, input.why.detail);
}

life_effects compute_lifecycle::on(const retry_due&) {
  if (state_ == agent_state::waiting_for_quorum) return {run_for_term{}};
  if (state_ == agent_state::waiting_for_pageserver && follows_) return {choose_start{}};
  if (state_ == agent_state::waiting_for_pageserver) return {await_pageserver{start_}};
  if (state_ == agent_state::restoring) return {restore_branch{start_}};
  return {};
}

life_effects compute_lifecycle::on(const won_election& input) {
  term_ = input.in;
  return {};
}

life_effects compute_lifecycle::on(const start_is_safe& input) {
  if (state_ != agent_state::waiting_for_quorum) return {};
  start_ = input.start;
  ahead_since_.reset();
  detail_.clear();
  return enter(agent_state::waiting_for_pageserver, {await_pageserver{start_}});
}

life_effects compute_lifecycle::on(const pageserver_ahead& input) {
  if (state_ != agent_state::waiting_for_pageserver) return {};
  if (!ahead_since_) ahead_since_ = now_;
  if (now_ - *ahead_since_ < later_term_limit) return {};
  return end(agent_state::failed, "the safekeepers have lost acknowledged WAL: their WAL ends at " + to_string(start_) +
                                      ", and the server has the branch up to " + to_string(input.reached) +
                                      ". Nothing was written. Restore the safekeepers' newer directories, or continue "
                                      "from the server's state: strata branch create NEW --from BRANCH@" +
                                      to_string(input.reached));
}

life_effects compute_lifecycle::on(const pageserver_caught_up&) {
  if (state_ != agent_state::waiting_for_pageserver) return {};
  detail_.clear();
  return enter(agent_state::restoring, {restore_branch{start_}});
}

life_effects compute_lifecycle::on(const start_chosen& input) {
  if (state_ != agent_state::waiting_for_pageserver) return {};
  if (input.at < unfollowable_) {
    if (detail_.find("; waiting for a newer position") == std::string::npos)
      detail_ += "; waiting for a newer position from which the branch can be followed";
    return {retry_later{}};
  }
  start_ = input.at;
  detail_.clear();
  return enter(agent_state::restoring, {restore_branch{start_}});
}

life_effects compute_lifecycle::on(const following_lost& input) {
  if (state_ == agent_state::stopping || !has_server()) return {};
  unfollowable_ = std::max(input.before, start_ + 1);
  return replace_server("the branch could not be followed: " + input.why);
}

life_effects compute_lifecycle::on(const settings_outgrown&) {
  if (state_ != agent_state::running) return {};
  return replace_server("the writer of the branch runs with larger settings (max_connections and the like)");
}

life_effects compute_lifecycle::on(const settings_refused& input) {
  if (state_ != agent_state::starting) return {};
  if (ending_server_) return on(postgres_ended{});
  // In a directory of its own: this one may have been written to.
  return begin_again("Postgres did not start with the settings of the branch: " +
                     strata::host::reason_in(input.why.detail));
}

life_effects compute_lifecycle::on(const branch_restored&) {
  if (state_ != agent_state::restoring) return {};
  detail_.clear();
  return enter(agent_state::starting, {start_server{}});
}

life_effects compute_lifecycle::on(const postgres_ready&) {
  if (state_ != agent_state::starting || ending_server_) return {};
  ++incarnations_;
  if (reads_only_) return enter(agent_state::running, {});
  return enter(agent_state::running, {stream_wal{}});
}

life_effects compute_lifecycle::on(const postgres_ended&) {
  if (!has_server()) return {};
  if (state_ == agent_state::stopping) return enter(ending_server_ ? after_server_ : agent_state::stopped, {finish{}});
  if (!std::exchange(ending_server_, false)) return begin_again("Postgres ended unexpectedly; see its log");
  if (is_final(after_server_)) return enter(after_server_, {finish{}});
  if (std::exchange(restart_is_wanted_, false)) return begin();
  return begin_again(std::exchange(detail_, {}));
}

/// By the one of a new incarnation.
life_effects compute_lifecycle::replace_server(std::string why) {
  if (ending_server_) return {};
  detail_ = std::move(why);
  after_server_ = agent_state::waiting_for_quorum;
  ending_server_ = true;
  return {abandon_server{}};
}

life_effects compute_lifecycle::on(const commit_wait_cancelled&) {
  if (state_ != agent_state::running) return {};
  return replace_server("a transaction cancelled its wait for the quorum and did not become durable in time");
}

life_effects compute_lifecycle::on(const directory_lost&) {
  if (state_ == agent_state::stopping) return end(agent_state::stopped, "its data directory was lost while it stopped");
  if (!has_server()) return {};
  return replace_server("the file system of its data directory ended");
}

life_effects compute_lifecycle::on(const term_lost& input) {
  return end(agent_state::superseded, "another compute has taken over the branch, in term " + to_string(input.to));
}

// None of its WAL can be kept any more, so there is nothing to wait for.
life_effects compute_lifecycle::on(const branch_deleted&) {
  return end(agent_state::stopped, "the branch was deleted; strata compute stop NAME --remove removes its files");
}

life_effects compute_lifecycle::on(const stop_wanted&) {
  if (state_ == agent_state::stopping) return {};
  // It is being stopped in order already.
  if (std::exchange(restart_is_wanted_, false)) {
    detail_.clear();
    after_server_ = agent_state::stopped;
    return enter(agent_state::stopping, {});
  }
  if (state_ != agent_state::running || ending_server_) return end(agent_state::stopped, "");
  return enter(agent_state::stopping, {stop_server{}});
}

life_effects compute_lifecycle::on(const end_at_once&) {
  if (ending_server_ && is_final(after_server_)) return {};
  return end(agent_state::stopped, "");
}

life_effects compute_lifecycle::on(const restart_wanted&) {
  if (state_ != agent_state::running || ending_server_) return {};
  detail_ = "restarting with new settings";
  after_server_ = agent_state::waiting_for_quorum;
  ending_server_ = true;
  restart_is_wanted_ = true;
  return {stop_server{}};
}

}  // namespace strata::actors::compute
