#include "actors/compute/writer_side.hpp"

#include <utility>

#include "actors/compute/quorum_report.hpp"

namespace strata::actors::compute {

using host::agent_state;

void writer_side::run_for_term() {
  retire([this] { ask_for_members(); });
}

void writer_side::retire(std::function<void()> then) {
  if (!has_proposer_) return then();
  when_ended_ = std::move(then);
  context_.stop_proposer();
}

void writer_side::proposer_ended(const core::error& why) {
  has_proposer_ = false;
  if (auto then = std::exchange(when_ended_, nullptr)) return then();
  context_.step(step_failed{core::error{core::errc::io_error, "the proposer ended: " + why.detail}});
}

void writer_side::ask_for_members() {
  jobs_.run(
      "ask for the safekeepers", [branch = context_.branch] { return branch->quorum(); },
      [this](core::result<host::branch_quorum> answer) {
        if (context_.state() != agent_state::waiting_for_quorum || has_proposer_) return;
        if (!answer && answer.error().code == core::errc::not_found) return context_.step(branch_deleted{});
        // Otherwise the members known before are used: if they have changed, they report it.
        if (answer) quorum_ = *std::move(answer);
        if (!quorum_) return context_.step(step_failed{answer.error()});
        start();
      });
}

void writer_side::start() {
  consensus::proposer_options machine;
  machine.tenant = tenant_;
  machine.timeline = timeline_;
  machine.cluster = quorum_->cluster;
  machine.members = quorum_->members;
  machine.timeline_start = quorum_->timeline_start;
  has_quorum_ = false;
  status_.reset();
  has_proposer_ = true;
  context_.start_proposer(machine);
}

void writer_side::look(std::function<void()> then) {
  if (!has_proposer_) return then();
  context_.ask_proposer([this, then = std::move(then)](std::optional<proposer_status> status) {
    if (status) status_ = *std::move(status);
    then();
  });
}

std::optional<core::lsn> writer_side::commit_lsn() const {
  return status_ ? std::optional(status_->commit) : std::nullopt;
}

std::string writer_side::awaits_term() const {
  return "no majority of the safekeepers has answered yet" + missing_on_safekeepers("; ");
}

std::string writer_side::waits() const {
  if (has_quorum_) return missing_on_safekeepers("");
  return "no majority of the safekeepers answers: commits wait" + missing_on_safekeepers("; ");
}

std::string writer_side::missing_on_safekeepers(const std::string& before) const {
  const std::string text = status_ ? missing_branches_text(*status_, name_) : "";
  return text.empty() ? text : before + text;
}

void writer_side::describe(host::agent_status& to) const {
  to.has_quorum = has_quorum_;
  if (status_) describe_quorum(*status_, to);
}

}  // namespace strata::actors::compute
