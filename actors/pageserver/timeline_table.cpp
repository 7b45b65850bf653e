#include "actors/pageserver/timeline_table.hpp"

#include <algorithm>
#include <tuple>

#include "actors/pageserver/timeline_description.hpp"

namespace strata::actors::pageserver {

timeline_entry& timeline_table::add(storage::timeline_record record) {
  auto& entry = entries_[record.id];
  entry.record = std::move(record);
  return entry;
}

void timeline_table::add(std::vector<loaded_timeline> loaded) {
  for (loaded_timeline& each : loaded) {
    timeline_entry& entry = add(std::move(each.record));
    if (each.store)
      entry.store = *std::move(each.store);
    else
      entry.reason = core::to_string(each.store.error());
  }
}

timeline_entry* timeline_table::seek(const core::timeline_id& id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

core::result<timeline_entry*> timeline_table::find(const core::timeline_id& id) {
  timeline_entry* found = seek(id);
  if (found == nullptr || found->deleting())
    return core::error{core::errc::not_found, "tenant " + tenant_ + " has no timeline " + to_string(id)};
  return found;
}

core::result<timeline_entry*> timeline_table::find_alive(const core::timeline_id& id) {
  STRATA_ASSIGN(timeline_entry * found, find(id));
  if (found->actor) return found;
  const bool importing = found->record.state == storage::timeline_state::importing;
  return core::error{importing ? core::errc::unavailable : core::errc::corrupt,
                     "timeline " + found->record.name + " is broken: " + found->reason};
}

void timeline_table::creation_began(const core::timeline_id& id, std::string name, const core::timeline_id& ancestor) {
  creations_[id] = {std::move(name), ancestor};
}

std::vector<storage::timeline_record> timeline_table::records() const {
  std::vector<storage::timeline_record> made;
  for (const auto& [id, entry] : entries_) made.push_back(entry.record);
  return made;
}

void timeline_table::describe(messages::tenant_info& tenant) const {
  for (const auto& [id, entry] : entries_) {
    if (entry.deleting()) continue;
    ++tenant.timeline_count;
    if (entry.store) tenant.layer_bytes += entry.store->counters().layer_bytes;
  }
}

messages::timeline_list timeline_table::list() const {
  messages::timeline_list made;
  for (const auto& [id, entry] : entries_)
    if (!entry.deleting()) made.timelines.push_back(describe_broken(entry.record, entry.reason));
  std::ranges::sort(made.timelines, {}, [](const auto& each) { return std::tie(each.created, each.id); });
  return made;
}

std::vector<placement::known_branch> timeline_table::branches() const {
  using phase = placement::known_branch::phase;
  std::vector<placement::known_branch> known;
  known.reserve(entries_.size() + creations_.size());
  for (const auto& [id, entry] : entries_)
    known.push_back({.id = id,
                     .name = entry.record.name,
                     .in = entry.phase,
                     .ancestor = entry.record.ancestor,
                     .ancestor_lsn = entry.record.ancestor_lsn,
                     .deletion_protected = entry.record.deletion_protected,
                     .expires = entry.record.expires});
  for (const auto& [id, of] : creations_)
    known.push_back({.id = id, .name = of.name, .in = phase::creating, .ancestor = of.ancestor, .ancestor_lsn = {}});
  return known;
}

std::vector<std::pair<core::timeline_id, core::lsn>> timeline_table::branch_points_of(
    const core::timeline_id& ancestor) const {
  std::vector<std::pair<core::timeline_id, core::lsn>> points;
  for (const auto& [id, child] : entries_)
    if (child.record.ancestor == ancestor) points.emplace_back(id, child.record.ancestor_lsn);
  return points;
}

}  // namespace strata::actors::pageserver
