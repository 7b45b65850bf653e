#include "actors/pageserver/history_points.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "actors/pageserver/ingest/source_progress.hpp"
#include "pg/types.hpp"

namespace strata::actors::pageserver {

history_points::history_points(std::shared_ptr<storage::timeline_store> store, const followed_source& source,
                               const core::clock& clock, runtime::io_jobs jobs, context of)
    : store_(std::move(store)),
      source_(source),
      clock_(clock),
      jobs_(std::move(jobs)),
      context_(std::move(of)),
      head_({.keep = [this](const reply& owed) { keep(store_->last_record_lsn(), owed); },
             .handed_over = [this] { return handed_over(); },
             .committed = [this] { return source_.head(); },
             .state = [this] { return source_.state_text(); },
             .now = [this] { return clock_.monotonic(); },
             .ask = [this] { request_reply(); }}) {}

void history_points::resolve(const messages::resolve_point& request, const reply& owed) {
  if (const auto* time = std::get_if<core::wall_time>(&request.at))
    return find({*time, clock_.monotonic() + request.timeout, owed});
  const auto* given = std::get_if<core::lsn>(&request.at);
  if (given == nullptr && store_->record().safekeepers) return head_.find(request.timeout, owed);
  resolve_lsn(given != nullptr ? *given : store_->last_record_lsn(), request.timeout, owed);
}

void history_points::resolve_lsn(core::lsn at, std::chrono::milliseconds timeout, const reply& owed) {
  const core::lsn last = store_->last_record_lsn();
  // If no record ends there, the last one before it does.
  if (at > last && at <= handed_over()) at = last;
  const auto record = store_->record();
  if (at <= last || !is_followed(record) || timeout.count() <= 0) return keep(at, owed);
  // The source may have written it since its last report; then it arrives at once.
  const bool announced = !source_.status() || at <= source_.head() || record.safekeepers;
  const auto patience = announced ? timeout : std::min<std::chrono::milliseconds>(timeout, std::chrono::seconds(1));
  context_.wait(at, patience,
                [this, at, left = timeout - patience, owed](const core::result<messages::lsn_reached>& reached) {
                  if (reached || (source_.status() && at <= source_.head())) return resolve_lsn(at, left, owed);
                  keep(at, owed);
                });
}

void history_points::keep(core::lsn at, const reply& owed) {
  const auto leased = context_.lease(at);
  if (!leased) return owed.fail(leased.error());
  owed.deliver({.at = at, .kept_until = leased->valid_until, .known_until = known().until, .why = {}});
}

void history_points::find(const question& asked) {
  // Read before the store: the store then includes everything until this moment.
  jobs_.run(
      "look up a point in time",
      [store = store_, time = asked.time] { return store->find_lsn(pg::timestamp_of(time)); },
      [this, asked, known = known()](const core::result<storage::lsn_at_time>& found) {
        if (!found) return asked.owed.fail(found.error());
        const auto at = point_at(asked.time, *found, known);
        if (!at) return asked.owed.fail(at.error());
        if (*at) return keep(**at, asked.owed);
        wait(asked);
      });
}

void history_points::wait(const question& asked) {
  if (stopped_) return asked.owed.fail({core::errc::unavailable, "find a point in time: the timeline is stopping"});
  if (asked.deadline <= clock_.monotonic()) return refuse(asked);
  if (waiting_.size() >= waiting_max)
    return asked.owed.fail({core::errc::busy, "find a point in time: too many requests are waiting"});
  waiting_.push_back(asked);
  request_reply();
}

void history_points::refuse(const question& asked) {
  const auto until = known().until;
  std::string state = quorum_error_.empty() ? source_.state_text() : quorum_error_;
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
  const auto now = clock_.monotonic();
  for (const question& each : take([&](const question& asked) { return asked.deadline <= now; })) refuse(each);
  // A branch without a known writer may have been given to one meanwhile: what is known decides.
  const auto until = known().until;
  for (const question& each : take([&](const question& asked) { return until && asked.time <= *until; })) find(each);
  if (!waiting_.empty()) request_reply();
}

void history_points::stop() {
  stopped_ = true;
  head_.stop();
  for (const question& each : take([](const question&) { return true; }))
    each.owed.fail({core::errc::unavailable, "find a point in time: the timeline is stopping"});
}

void history_points::source_reported(core::wall_time until) {
  if (word_ == until) return;
  word_ = until;
  if (!first_word_) first_word_ = until;
  for (const question& each : take([&](const question& asked) { return asked.time <= until; })) find(each);
}

void history_points::batch_in(const commits_of_batch& commits) {
  if (commits.last) last_commit_ = commits.last;
  progressed();
  if (!commits.latest) return;
  for (const question& each : take([&](const question& asked) { return asked.time < *commits.latest; })) find(each);
}

void history_points::look_up_last_commit() {
  jobs_.run(
      "last commit", [store = store_] { return store->find_time(store->last_record_lsn()); },
      [this](const core::result<std::optional<pg::timestamp>>& found) {
        if (found && *found && !last_commit_) last_commit_ = pg::wall_time_of(**found);
      });
}

history_bounds history_points::known() const {
  const auto record = store_->record();
  history_bounds now{.until = std::max({word_, last_commit_, known_by_birth(record)}),
                     .since = follows_source(record) ? first_word_ : begins_at_birth(record),
                     .window = window_of(*store_)};
  if (!is_followed(record)) now.until = clock_.now();  // no WAL comes
  return now;
}

void history_points::request_reply() {
  context_.ask_receiver();
  const auto record = store_->record();
  if (!record.safekeepers || std::exchange(asking_quorum_, true)) return;
  head_.round_begins();
  jobs_.run(
      "ask the safekeepers",
      [question = context_.ask_flushed, members = *record.safekeepers, tenant = record.tenant, id = record.id] {
        return ask_acknowledged(question, members, tenant, id);
      },
      [this, asked = clock_.now()](const core::result<core::lsn>& head) {
        quorum_answered(head, asked);
        progressed();
      });
}

void history_points::quorum_answered(const core::result<core::lsn>& head, core::wall_time asked) {
  asking_quorum_ = false;
  quorum_error_ = head ? "" : head.error().detail;
  if (head) quorum_word_ = {*head, asked - commit_delay_max};
  head_.round_ended(head);
}

core::lsn history_points::handed_over() const { return std::max(store_->last_record_lsn(), source_.handed_over()); }

void history_points::progressed() {
  const core::lsn position = handed_over();
  head_.handed_over(position);
  if (!quorum_word_ || position < quorum_word_->head) return;
  const core::wall_time until = quorum_word_->until;
  quorum_word_.reset();
  source_reported(until);
}

}  // namespace strata::actors::pageserver
