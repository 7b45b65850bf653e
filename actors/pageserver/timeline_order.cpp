#include "actors/pageserver/timeline_order.hpp"

#include <unordered_set>

namespace strata::actors::pageserver {

ordered_timelines order_by_ancestry(std::vector<storage::timeline_record> timelines) {
  ordered_timelines ordered;
  std::unordered_set<core::timeline_id> placed;
  // Each pass places at least one generation.
  for (bool progress = true; progress && !timelines.empty();) {
    progress = false;
    std::vector<storage::timeline_record> rest;
    for (auto& timeline : timelines) {
      if (timeline.ancestor && !placed.contains(*timeline.ancestor)) {
        rest.push_back(std::move(timeline));
        continue;
      }
      placed.insert(timeline.id);
      ordered.usable.push_back(std::move(timeline));
      progress = true;
    }
    timelines = std::move(rest);
  }
  ordered.stranded = std::move(timelines);
  return ordered;
}

}  // namespace strata::actors::pageserver
