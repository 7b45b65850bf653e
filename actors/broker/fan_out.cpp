#include "actors/broker/fan_out.hpp"

namespace strata::actors::broker {

std::vector<fan_out::receiver> fan_out::publish(const batch& what) {
  std::vector<receiver> now;
  for (auto& [to, of] : receivers_) {
    if (of.on_the_way < window) {
      ++of.on_the_way;
      now.push_back(to);
      continue;
    }
    of.waiting.push_back(what);
    of.waiting_timelines += what->size();
    while (of.waiting.size() > waiting_max || of.waiting_timelines > waiting_timelines_max) {
      of.waiting_timelines -= of.waiting.front()->size();
      of.waiting.pop_front();
      ++dropped_;
    }
  }
  return now;
}

std::optional<fan_out::batch> fan_out::taken(receiver by) {
  const auto at = receivers_.find(by);
  // No receiver may acknowledge more than was sent.
  if (at == receivers_.end() || at->second.on_the_way == 0) return std::nullopt;
  state& of = at->second;
  if (of.waiting.empty()) {
    --of.on_the_way;
    return std::nullopt;
  }
  batch next = std::move(of.waiting.front());
  of.waiting.pop_front();
  of.waiting_timelines -= next->size();
  return next;
}

}  // namespace strata::actors::broker
