#include "actors/pageserver/ingest/source_progress.hpp"

#include <algorithm>

namespace strata::actors::pageserver {

void source_progress::connected(core::lsn head) {
  head_ = head;
  previous_.reset();
  pending_.reset();
  questions_ = 0;
}

void source_progress::asked(core::monotonic_time now) {
  ++questions_;
  asked_at_ = now;
}

bool source_progress::may_ask(core::monotonic_time now) const {
  if (questions_ > 0 && now - asked_at_ < answer_lost) return false;
  return now - std::max(asked_at_, previous_heard_) >= ask_interval;
}

void source_progress::heard_wal(core::lsn server_end, core::monotonic_time now) {
  head_ = std::max(head_, server_end);
  last_message_ = now;
}

void source_progress::heard_keepalive(core::lsn server_end, core::wall_time sent, core::monotonic_time now,
                                      core::wall_time our_time) {
  head_ = std::max(head_, server_end);
  last_message_ = now;
  // A message that waited in the socket has an old clock: only the answer to a single open request counts.
  if (questions_ == 1 && now - asked_at_ <= answer_max) clock_ahead_ = sent - our_time;
  const bool apart = questions_ == 0 || (questions_ == 1 && asked_at_ >= previous_heard_);
  questions_ = std::max(0, questions_ - 1);
  if (previous_ && apart) pending_ = word{std::min(*previous_, sent - commit_delay_max), head_};
  previous_ = sent;
  previous_heard_ = now;
}

bool source_progress::handed_over(core::lsn position) {
  if (!pending_ || position < pending_->head) return false;
  known_until_ = pending_->until;
  pending_.reset();
  return true;
}

messages::source_lag lag_of(const messages::source_status& source, core::monotonic_time now, bool disk_fails) {
  using phase = messages::source_status::phase;
  /// A keepalive is requested every second.
  constexpr std::chrono::seconds silence_max{5};
  messages::source_lag lag;
  if (source.last_message)
    lag.since_message = std::chrono::duration_cast<std::chrono::milliseconds>(now - *source.last_message);
  const bool follows = source.now == phase::streaming || source.now == phase::catching_up;
  if (!follows || disk_fails || !lag.since_message || *lag.since_message > silence_max) return lag;
  lag.bytes = source.source_head > source.received ? source.source_head - source.received : 0;
  return lag;
}

}  // namespace strata::actors::pageserver
