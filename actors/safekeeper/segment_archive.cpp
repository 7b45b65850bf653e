#include "actors/safekeeper/segment_archive.hpp"

namespace strata::actors::safekeeper {

void segment_archive::store_next(const journal::timeline_situation& situation) {
  if (under_way_ != work::none) return;
  const auto begin = journal::segment_to_offload(situation);
  if (!begin) return;
  under_way_ = work::storing;
  jobs_.run(
      "store a segment in object storage",
      [archive = archive_, view = view_, begin = *begin] { return archive->store(*view, begin); },
      [this, end = *begin + situation.segment_size](const core::result<void>& stored) {
        under_way_ = work::none;
        stored ? context_.stored(end) : context_.not_stored(stored.error());
      });
}

void segment_archive::trim(const journal::timeline_situation& situation) {
  if (!archive_ || situation.segment_size == 0 || under_way_ != work::none) return;
  const core::lsn before =
      journal::segment_begin(journal::backup_removal_horizon(situation.position), situation.segment_size);
  if (before <= trimmed_) return;
  under_way_ = work::trimming;
  jobs_.run(
      "remove segments from object storage",
      [archive = archive_, view = view_, before] { return archive->remove_before(*view, before); },
      [this, before](const core::result<void>& removed) {
        under_way_ = work::none;
        if (!removed) return context_.not_removed(removed.error());
        trimmed_ = before;
      });
}

}  // namespace strata::actors::safekeeper
