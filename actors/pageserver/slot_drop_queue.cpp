#include "actors/pageserver/slot_drop_queue.hpp"

#include "core/log.hpp"

namespace strata::actors::pageserver {

void slot_drop_queue::load(std::function<void()> then) {
  context_.load([this, then = std::move(then)](core::result<slot_drops> found) {
    if (found) {
      for (const slot_drop& each : all_.all()) found->add(each);
      all_ = *std::move(found);
    } else {
      context_.note("load slots to drop", found.error());
    }
    then();
  });
}

void slot_drop_queue::add(const std::vector<slot_drop>& drops, outcome then) {
  for (const slot_drop& each : drops) all_.add(each);
  store(std::move(then));
}

void slot_drop_queue::forget(const std::string& slot, std::uint64_t system_id) {
  if (all_.forget(slot, system_id)) store([](const core::result<void>&) {});
}

void slot_drop_queue::drop_next() {
  if (all_.all().empty() || dropping_) return;
  dropping_ = true;
  // The oldest goes to the end: an unreachable source does not delay the others.
  const slot_drop drop = all_.all().front();
  all_.add(drop);
  context_.drop(drop, [this, drop](const core::result<void>& dropped) {
    dropping_ = false;
    if (!dropped) return;
    core::log_info("slot " + drop.slot + " of a removed source was dropped");
    all_.done(drop);
    store([](const core::result<void>&) {});
  });
}

void slot_drop_queue::store(outcome then) {
  when_stored_.push_back(std::move(then));
  if (std::exchange(storing_, true)) return;
  context_.store(all_, [this, count = when_stored_.size()](const core::result<void>& stored) {
    storing_ = false;
    if (!stored) context_.note("store slots to drop", stored.error());
    const auto end = when_stored_.begin() + static_cast<std::ptrdiff_t>(count);
    const std::vector<outcome> told(when_stored_.begin(), end);
    when_stored_.erase(when_stored_.begin(), end);
    for (const outcome& each : told) each(stored);
    if (!when_stored_.empty() && !storing_) {
      outcome last = std::move(when_stored_.back());
      when_stored_.pop_back();
      store(std::move(last));
    }
  });
}

}  // namespace strata::actors::pageserver
