#include "placement/tenant_life.hpp"

#include <utility>

#include "core/check.hpp"

namespace strata::placement {

using enum messages::tenant_state;
using enum tenant_effect;

std::string tenant_life::text() const {
  return std::string(to_string(state_)) + (reason_.empty() ? "" : ": " + reason_);
}

tenant_admission tenant_life::admit(tenant_need need) const {
  using enum tenant_admission;
  if (need == tenant_need::information) return serve;
  if (state_ == attaching) return wait;
  switch (need) {
    case tenant_need::information:
    case tenant_need::list: return serve;
    case tenant_need::timeline:
    case tenant_need::change: return state_ == active ? serve : refuse;
    case tenant_need::removal: return state_ == active || state_ == broken ? serve : refuse;
  }
  return refuse;
}

core::error tenant_life::refusal(const std::string& tenant) const {
  return {core::errc::unavailable, "tenant " + tenant + " is " + text()};
}

tenant_life::effects tenant_life::loaded() {
  if (state_ != attaching) return {};  // told to stop meanwhile
  state_ = active;
  timelines_ = timelines::running;
  return moved({start_timelines, answer_waiting});
}

tenant_life::effects tenant_life::load_failed(std::string why) {
  if (state_ != attaching) return {};
  state_ = broken;
  reason_ = std::move(why);
  return moved({answer_waiting});
}

tenant_life::effects tenant_life::stop() {
  const bool waited_for = state_ == attaching;
  state_ = stopping;
  reason_.clear();
  if (timelines_ == timelines::running) timelines_ = timelines::ending;
  return moved(waited_for ? effects{answer_waiting, stop_timelines} : effects{stop_timelines});
}

tenant_life::effects tenant_life::remove() {
  core::check(admit(tenant_need::removal) == tenant_admission::serve, "a tenant is removed that can be");
  state_ = deleting;
  reason_.clear();
  if (timelines_ == timelines::running) timelines_ = timelines::ending;
  return moved({stop_timelines});
}

tenant_life::effects tenant_life::timelines_stopped() {
  core::check(state_ == stopping || state_ == deleting, "timelines are stopped for a reason");
  timelines_ = timelines::stopped;
  return moved({state_ == deleting ? remove_metadata : end});
}

tenant_life::effects tenant_life::removed() {
  if (state_ != deleting) return {};  // it stops anyway
  return moved({end});
}

tenant_life::effects tenant_life::removal_failed(std::string why) {
  if (state_ != deleting) return {};
  state_ = broken;
  reason_ = std::move(why);
  return moved({});
}

tenant_life::effects tenant_life::moved(effects made) const {
  const std::string wrong = broken_invariant();
  core::check(wrong.empty(), wrong);
  return made;
}

std::string tenant_life::broken_invariant() const {
  // Invariant: the reason belongs to broken. A state that serves shows none from before.
  if ((state_ == broken) == reason_.empty()) return "a broken tenant has a reason, and no other one has";
  // Invariant: timelines run in an active tenant only, so nothing writes to files that are being removed.
  if ((state_ == active) != (timelines_ == timelines::running)) return "the timelines of an active tenant run";
  // Invariant: while the tenant loads no timeline has started: each needs to be told all its branch points.
  if (state_ == attaching && timelines_ != timelines::not_started) return "no timeline starts before all are loaded";
  return {};
}

}  // namespace strata::placement
