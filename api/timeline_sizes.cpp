#include "api/timeline_sizes.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "storage/mapping/cluster_summary.hpp"

namespace strata::api {

std::optional<timeline_sizes::counted> timeline_sizes::count(const core::timeline_id& id,
                                                             const storage::timeline_store& store) {
  const core::lsn at = store.last_record_lsn();
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(id);
    if (found != kept_.end() && (found->second.at == at || now - found->second.when < served_for)) return found->second;
  }
  if (!store.check_readable(at)) return std::nullopt;
  const auto found = storage::mapping::summarize(store, at);
  if (!found) return std::nullopt;
  // In the order that clients of this API know, which has files of extensions in the fourth place.
  counted made{at, now, found->relation_bytes, {found->databases, found->two_phase, found->relation_forks, 0}};
  made.directory_entries.insert(made.directory_entries.end(), found->slru_segments.begin(), found->slru_segments.end());
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kept_max) kept_.clear();
  return kept_[id] = std::move(made);
}

nlohmann::json timeline_sizes::describe(const core::timeline_id& id, const storage::timeline_store& store) {
  const storage::timeline_store* root = &store;
  while (root->ancestor()) root = root->ancestor().get();
  const auto record = store.record();
  const core::lsn last = store.last_record_lsn();
  const core::lsn begin = std::max({store.gc_cutoff(), record.readable_from, record.ancestor_lsn});
  const auto sizes = count(id, store);
  return {{"initdb_lsn", core::to_string(root->record().readable_from)},
          {"current_logical_size", sizes ? sizes->logical_bytes : 0},
          {"current_logical_size_is_accurate", sizes && sizes->at == last},
          {"directory_entries_counts", sizes ? sizes->directory_entries : std::vector<std::uint64_t>(7)},
          {"pitr_history_size", last > begin ? last - begin : 0},
          {"within_ancestor_pitr", store.ancestor() && store.ancestor()->gc_cutoff() <= record.ancestor_lsn}};
}

}  // namespace strata::api
