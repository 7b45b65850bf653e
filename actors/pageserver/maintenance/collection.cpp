#include "actors/pageserver/maintenance/collection.hpp"

#include <algorithm>

namespace strata::actors::pageserver {

void collection::start(std::optional<std::uint64_t> horizon_bytes, done then) {
  running_ = true;
  context_.plan(horizon_bytes, [this, then = std::move(then)](const core::result<core::lsn>& planned) {
    if (!planned) return end(planned.error(), then);
    collect_below(*planned, then);
  });
}

void collection::collect_below(core::lsn cutoff, const done& then) {
  retention_.expire_leases(context_.now());
  const auto keep = retention_.begin_collection(std::max(cutoff, context_.applied_cutoff()));
  if (!keep.cutoff.valid()) return end(messages::garbage_collected{}, then);
  context_.collect(keep,
                   [this, then](const core::result<messages::garbage_collected>& outcome) { end(outcome, then); });
}

void collection::end(const core::result<messages::garbage_collected>& outcome, const done& then) {
  retention_.end_collection();
  running_ = false;
  context_.ended(outcome);
  then(outcome);
}

}  // namespace strata::actors::pageserver
