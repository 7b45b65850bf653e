#include "actors/pageserver/history_points.hpp"

#include <utility>

#include "actors/pageserver/ingest/source_progress.hpp"

namespace strata::actors::pageserver {

history_points::history_points(context around)
    : around_(std::move(around)),
      head_({.keep = [this](const reply& owed) { around_.keep(around_.last_record(), owed); },
             .handed_over = [this] { return around_.handed_over(); },
             .committed = [this] { return around_.committed(); },
             .state = [this] { return around_.state(); },
             .now = [this] { return around_.now(); },
             .ask = [this] { around_.ask_for_word(); }}) {}

void history_points::find(const question& asked) {
  // From before the store is asked: what is known now is in its answer.
  around_.find(asked.time, [this, asked, known = around_.known()](const core::result<storage::lsn_at_time>& found) {
    if (!found) return asked.owed.fail(found.error());
    const auto at = point_at(asked.time, *found, known);
    if (!at) return asked.owed.fail(at.error());
    if (*at) return around_.keep(**at, asked.owed);
    wait(asked);
  });
}

void history_points::wait(const question& asked) {
  if (stopped_) return asked.owed.fail({core::errc::unavailable, "find a point in time: the timeline is stopping"});
  if (asked.deadline <= around_.now()) return refuse(asked);
  if (waiting_.size() >= waiting_max)
    return asked.owed.fail({core::errc::busy, "find a point in time: too many requests are waiting"});
  waiting_.push_back(asked);
  around_.ask_for_word();
}

void history_points::refuse(const question& asked) {
  const auto until = around_.known().until;
  std::string state = quorum_error_.empty() ? around_.state() : quorum_error_;
  if (quorum_word_)
    state =
        "WAL up to " + core::to_string(quorum_word_->head) + " may have been committed and has not arrived, " + state;
  asked.owed.deliver({.at = {}, .kept_until = {}, .known_until = until, .why = why_not_known(until, state)});
}

template <class Predicate>
std::vector<history_points::question> history_points::take(Predicate leaves) {
  std::vector<question> taken;
  std::erase_if(waiting_, [&](const question& each) {
    if (!leaves(each)) return false;
    taken.push_back(each);
    return true;
  });
  return taken;
}

void history_points::tick() {
  head_.tick();
  if (waiting_.empty()) return;
  const auto now = around_.now();
  for (const question& each : take([&](const question& asked) { return asked.deadline <= now; })) refuse(each);
  // A branch that nobody is known to write may have been given to nobody meanwhile: what is known decides.
  const auto until = around_.known().until;
  for (const question& each : take([&](const question& asked) { return until && asked.time <= *until; })) find(each);
  if (!waiting_.empty()) around_.ask_for_word();
}

void history_points::stop() {
  stopped_ = true;
  head_.stop();
  for (const question& each : take([](const question&) { return true; }))
    each.owed.fail({core::errc::unavailable, "find a point in time: the timeline is stopping"});
}

void history_points::word_came(core::wall_time until) {
  if (word_ == until) return;
  word_ = until;
  if (!first_word_) first_word_ = until;
  for (const question& each : take([&](const question& asked) { return asked.time <= until; })) find(each);
}

void history_points::committed(core::wall_time time) {
  for (const question& each : take([&](const question& asked) { return asked.time < time; })) find(each);
}

bool history_points::begin_asking_quorum() {
  if (std::exchange(asking_quorum_, true)) return false;
  head_.round_begins();
  return true;
}

void history_points::quorum_answered(const core::result<core::lsn>& head, core::wall_time asked) {
  asking_quorum_ = false;
  quorum_error_ = head ? "" : head.error().detail;
  if (head) quorum_word_ = {*head, asked - commit_delay_max};
  head_.round_ended(head);
}

void history_points::handed_over(core::lsn position) {
  head_.handed_over(position);
  if (!quorum_word_ || position < quorum_word_->head) return;
  const core::wall_time until = quorum_word_->until;
  quorum_word_.reset();
  word_came(until);
}

}  // namespace strata::actors::pageserver
