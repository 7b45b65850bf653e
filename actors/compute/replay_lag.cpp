#include "actors/compute/replay_lag.hpp"

#include <algorithm>

namespace strata::actors::compute {

void replay_lag::head_seen(core::lsn head, time now) {
  head_at_ = now;
  advance(head, now);
}

void replay_lag::head_passed(core::lsn at_least, time now) {
  passed_at_ = now;
  advance(at_least, now);
}

void replay_lag::advance(core::lsn head, time now) {
  if (head <= head_) return;
  head_ = head;
  if (head <= replayed_) return;
  if (samples_.size() == samples_max) {
    // Every other one: the oldest stays, and a lag that lasts is measured more coarsely.
    std::deque<sample> kept;
    for (std::size_t i = 0; i < samples_.size(); i += 2) kept.push_back(samples_[i]);
    samples_ = std::move(kept);
  }
  samples_.push_back({head, now});
}

void replay_lag::replayed(core::lsn to, time now) {
  replayed_at_ = now;
  replayed_ = std::max(replayed_, to);
  while (!samples_.empty() && samples_.front().head <= replayed_) samples_.pop_front();
}

std::optional<replay_lag::lag> replay_lag::now(time now) const {
  const auto is_fresh = [&](const std::optional<time>& at) { return at && now - *at <= report_age_max; };
  if (!is_fresh(replayed_at_) || !replayed_.valid()) return std::nullopt;
  const bool is_behind = head_ > replayed_;
  if (!is_fresh(head_at_) && !(is_behind && is_fresh(passed_at_))) return std::nullopt;
  if (!is_behind) return lag{};
  const auto age = samples_.empty() ? time::duration{} : now - samples_.front().seen;
  return lag{head_ - replayed_, std::chrono::duration_cast<std::chrono::milliseconds>(age)};
}

}  // namespace strata::actors::compute
