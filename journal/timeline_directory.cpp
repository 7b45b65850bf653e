#include "journal/timeline_directory.hpp"

#include <set>

namespace strata::journal {
namespace {

std::string tombstone_name(const core::timeline_key& key) {
  return core::to_string(key.tenant) + "-" + core::to_string(key.timeline);
}

}  // namespace

core::result<void> ensure_durable_directory(io::disk& disk, const std::string& parent, const std::string& name) {
  STRATA_TRY(io::ensure_directory(disk, parent + "/" + name));
  disk.sync_directory(parent);
  return {};
}

core::result<std::vector<core::timeline_key>> timeline_directory::load() const {
  STRATA_TRY(ensure_durable_directory(disk_, directory_, "timelines"));
  STRATA_TRY(ensure_durable_directory(disk_, directory_, "deleted"));
  STRATA_ASSIGN(const auto deleted_names, disk_.list(tombstones()));
  const std::set<std::string> deleted(deleted_names.begin(), deleted_names.end());
  std::vector<core::timeline_key> found;
  STRATA_ASSIGN(const auto tenants, disk_.list(timelines()));
  for (const std::string& tenant_name : tenants) {
    STRATA_ASSIGN(const auto tenant, core::parse_id<core::tenant_id>(tenant_name));
    STRATA_ASSIGN(const auto names, disk_.list(timelines() + "/" + tenant_name));
    for (const std::string& name : names) {
      STRATA_ASSIGN(const auto timeline, core::parse_id<core::timeline_id>(name));
      const core::timeline_key key{tenant, timeline};
      if (deleted.contains(tombstone_name(key))) {
        STRATA_TRY(disk_.remove_directory(where(key).directory));
      } else {
        found.push_back(key);
      }
    }
  }
  return found;
}

core::result<std::unique_ptr<timeline_journal>> timeline_directory::create(
    const consensus::acceptor_state& state) const {
  const core::timeline_key key{state.tenant, state.timeline};
  const std::string tombstone = tombstones() + "/" + tombstone_name(key);
  const bool was_here = static_cast<bool>(disk_.open(tombstone));
  if (was_here && (state.members.generation == 0 || state.members.contains(self_)))
    return core::error{core::errc::conflict,
                       "create timeline " + core::to_string(key.timeline) + ": it was deleted on this safekeeper"};
  STRATA_TRY(ensure_durable_directory(disk_, timelines(), core::to_string(key.tenant)));
  auto made = timeline_journal::create(disk_, where(key), state);
  // In this order: a crash in between leaves it deleted.
  if (made && was_here) {
    STRATA_TRY(disk_.remove(tombstone));
    disk_.sync_directory(tombstones());
  }
  return made;
}

core::result<std::unique_ptr<timeline_journal>> timeline_directory::open(const core::timeline_key& key) const {
  return timeline_journal::open(disk_, where(key));
}

core::result<void> timeline_directory::remove(const core::timeline_key& key) const {
  if (auto made = disk_.create(tombstones() + "/" + tombstone_name(key)); made)
    (*made)->sync();
  else if (made.error().code != core::errc::conflict)
    return std::move(made).error();
  disk_.sync_directory(tombstones());
  return disk_.remove_directory(where(key).directory);
}

timeline_journal::options timeline_directory::where(const core::timeline_key& key) const {
  return {timelines() + "/" + core::to_string(key.tenant) + "/" + core::to_string(key.timeline), self_};
}

}  // namespace strata::journal
