#include "actors/pageserver/quorum/promotion.hpp"

#include "actors/pageserver/quorum/safekeeper_assignment.hpp"
#include "actors/pageserver/timeline_description.hpp"
#include "config/quantity.hpp"

namespace strata::actors::pageserver {
namespace {

/// A source that is followed answers at once.
constexpr std::chrono::seconds answer_limit{3};

core::result<consensus::configuration> check_promotion(const storage::timeline_record& of,
                                                       messages::timeline_state state,
                                                       std::vector<consensus::member> available) {
  if (!follows_source(of))
    return core::error{core::errc::conflict, "branch " + of.name + " follows no source: it was promoted, or never did"};
  if (state != messages::timeline_state::active)
    return core::error{core::errc::unavailable,
                       "branch " + of.name + " is " + std::string(to_string(state)) + "; wait until it can be read"};
  auto promoted = of;
  promoted.source->ended = true;
  return first_safekeepers(promoted, std::move(available));
}

}  // namespace

void promotion::start(const end_source& request, messages::timeline_state state, core::monotonic_time now,
                      const runtime::reply<source_ended>& owed) {
  if (machine_) return owed.fail({core::errc::busy, "the source is being promoted"});
  auto members = check_promotion(store_->record(), state, request.available);
  if (!members) return owed.fail(members.error());
  safekeepers_ = *std::move(members);
  machine_.emplace(request.force);
  asked_ = now;
  deadline_ = now + request.patience;
  owed_ = owed;
  carry_out();
}

void promotion::reported(const followed_source& source) {
  if (!machine_ || !machine_->waits_for_source() || !source.status()) return;
  const messages::source_status& status = *source.status();
  if (machine_->now() == step::ask_source && status.last_message && *status.last_message >= asked_)
    machine_->source_answered(status.source_head);
  if (machine_->now() != step::catch_up || source.handed_over() < machine_->goal()) return;
  machine_->caught_up();
  carry_out();
}

void promotion::tick(core::monotonic_time now, const followed_source& source) {
  if (!machine_ || !machine_->waits_for_source()) return;
  const bool is_silent = machine_->now() == step::ask_source && now - asked_ > answer_limit;
  if (is_silent || now > deadline_) give_up(source, now, !is_silent);
}

void promotion::give_up(const followed_source& source, core::monotonic_time now, bool is_late) {
  const auto lag = source.lag(now, false);
  const auto& status = source.status();
  std::string text = is_late ? "the branch is behind its source" : "the source does not answer";
  if (status && !status->last_error.empty()) text += " (" + status->last_error + ")";
  text += ": ";
  text += lag.bytes ? config::size_text(*lag.bytes) + " of the WAL that it reported is missing"
                    : std::string("how much of its WAL is missing is unknown");
  if (lag.since_message)
    text += ", and WAL that it wrote since its last message (" +
            config::duration_text(std::chrono::duration_cast<std::chrono::seconds>(*lag.since_message)) +
            " ago) is unknown";
  machine_->source_lost({is_late ? core::errc::timeout : core::errc::unavailable, std::move(text)});
  carry_out();
}

void promotion::receiver_ended() {
  machine_->receiver_ended();
  carry_out();
}

void promotion::carry_out() {
  switch (machine_->now()) {
    case step::ask_source: return context_.ask_source();
    case step::catch_up: return;
    case step::end_receiver: return context_.end_receiver();
    case step::flush: return flush();
    case step::store_record: return store_record();
    case step::create_wal:
      return context_.create_on_safekeepers([this] {
        machine_->wal_created();
        carry_out();
      });
    case step::promoted:
      context_.follow();
      owed_.deliver({machine_->boundary(), machine_->missing()});
      break;
    case step::failed:
      if (machine_->resumes()) context_.follow();
      owed_.fail(machine_->error());
      break;
  }
  owed_ = {};
  machine_.reset();
}

void promotion::flush() {
  context_.flush([this](const core::result<void>& flushed) {
    next(flushed, [this] { machine_->flushed(store_->last_record_lsn(), store_->disk_consistent_lsn()); });
  });
}

void promotion::store_record() {
  storage::timeline_edit edit{.end_source = true, .safekeepers = safekeepers_};
  edit.quorum_start = machine_->boundary();
  jobs_.run(
      "end the source", [store = store_, edit] { return store->update(edit); },
      [this](const core::result<void>& stored) { next(stored, [this] { machine_->record_stored(); }); });
}

void promotion::next(const core::result<void>& outcome, const std::function<void()>& input) {
  if (outcome)
    input();
  else
    machine_->fail(outcome.error());
  carry_out();
}

}  // namespace strata::actors::pageserver
