#include "actors/pageserver/maintenance/collection.hpp"

#include <algorithm>

namespace strata::actors::pageserver {

core::result<void> collection::add_branch_point(const core::timeline_id& child, core::lsn at) {
  return retention_.add_branch_point(child, at, window_of(*store_));
}

core::result<messages::lsn_leased> collection::lease(core::lsn at, std::chrono::milliseconds length) {
  const auto now = clock_.monotonic();
  retention_.expire_leases(now);
  STRATA_ASSIGN(const auto left, retention_.lease(at, window_of(*store_), now, length));
  return messages::lsn_leased{clock_.now() + left};
}

core::result<void> collection::hold(core::lsn at) { return retention_.hold(at, window_of(*store_)); }

void collection::collect(std::optional<std::uint64_t> horizon_bytes,
                         const runtime::reply<messages::garbage_collected>& owed) {
  if (std::exchange(running_, true)) return owed.fail({core::errc::busy, "collect: a collection is running"});
  context_.plan(horizon_bytes, [this, owed](const core::result<cutoff_planned>& planned) {
    if (!planned) return end(planned.error(), owed);
    collect_below(planned->cutoff, owed);
  });
}

void collection::collect_below(core::lsn cutoff, const runtime::reply<messages::garbage_collected>& owed) {
  retention_.expire_leases(clock_.monotonic());
  const auto keep = retention_.begin_collection(std::max(cutoff, store_->gc_cutoff()));
  if (!keep.cutoff.valid()) return end(messages::garbage_collected{}, owed);
  context_.collect(keep,
                   [this, owed](const core::result<messages::garbage_collected>& outcome) { end(outcome, owed); });
}

void collection::end(const core::result<messages::garbage_collected>& outcome,
                     const runtime::reply<messages::garbage_collected>& owed) {
  retention_.end_collection();
  running_ = false;
  context_.ended(outcome);
  owed.answer(outcome);
}

}  // namespace strata::actors::pageserver
