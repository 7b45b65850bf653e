#include "actors/pageserver/tenant_files.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

#include "actors/pageserver/timeline_order.hpp"
#include "core/log.hpp"
#include "placement/cluster_import.hpp"
#include "placement/timeline_deletion.hpp"

namespace strata::actors::pageserver {
namespace {

std::filesystem::path tenant_path(const std::string& directory, const core::tenant_id& tenant) {
  return std::filesystem::path(directory) / "tenants" / to_string(tenant);
}

core::result<void> remove_tree(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::remove_all(path, failure);
  if (failure) return core::from_errno("remove " + path.string(), failure.value());
  return {};
}

core::result<void> make_directories(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) return core::from_errno("create " + path.string(), failure.value());
  return {};
}

}  // namespace

std::string tenant_files::timeline_directory(const core::tenant_id& tenant, const core::timeline_id& timeline) const {
  return (tenant_path(directory_, tenant) / "timelines" / to_string(timeline)).string();
}

core::result<std::shared_ptr<storage::timeline_store>> tenant_files::open(
    const storage::timeline_record& record, std::shared_ptr<storage::timeline_store> ancestor,
    const tenant_attachment& as) const {
  const std::string directory = timeline_directory(record.tenant, record.id);
  STRATA_TRY(make_directories(directory));
  return storage::timeline_store::open({.metadata = &metadata_,
                                        .layers = &layers_,
                                        .clock = &clock_,
                                        .directory = directory,
                                        .generation = as.generation,
                                        .options = as.options},
                                       record, std::move(ancestor));
}

core::result<std::vector<loaded_timeline>> tenant_files::load(const core::tenant_id& tenant,
                                                              const tenant_attachment& as) const {
  STRATA_ASSIGN(auto records, metadata_.timelines(tenant));
  for (const auto& record : records)
    if (placement::timeline_deletion::was_interrupted(record)) STRATA_TRY(remove_timeline(tenant, record.id));
  std::erase_if(records, placement::timeline_deletion::was_interrupted);

  std::vector<loaded_timeline> loaded;
  std::unordered_map<core::timeline_id, std::shared_ptr<storage::timeline_store>> stores;
  auto ordered = order_by_ancestry(std::move(records));
  const auto open_one =
      [&](const storage::timeline_record& record) -> core::result<std::shared_ptr<storage::timeline_store>> {
    std::shared_ptr<storage::timeline_store> ancestor;
    if (record.ancestor) {
      ancestor = stores[*record.ancestor];
      if (!ancestor)
        return core::error{core::errc::unavailable, "its ancestor " + to_string(*record.ancestor) + " is broken"};
      // A branch is made durable only once its ancestor is on disk up to the branch point.
      if (ancestor->last_record_lsn() < record.ancestor_lsn)
        return core::error{core::errc::corrupt, "its ancestor ends at " + to_string(ancestor->last_record_lsn()) +
                                                    ", before the branch point " + to_string(record.ancestor_lsn)};
    }
    return open(record, std::move(ancestor), as);
  };
  for (auto& record : ordered.usable) {
    auto store = open_one(record);
    if (store)
      stores[record.id] = *store;
    else
      core::log_error("timeline " + to_string(record.id) + " (" + record.name +
                      ") is broken: " + to_string(store.error()));
    loaded.push_back({std::move(record), std::move(store)});
  }
  for (auto& record : ordered.stranded)
    loaded.push_back(
        {std::move(record), core::error{core::errc::corrupt, "its line of ancestors does not end at a root"}});
  return loaded;
}

core::result<void> tenant_files::remove_files(const core::tenant_id& tenant, const core::timeline_id& timeline) const {
  return remove_tree(timeline_directory(tenant, timeline));
}

core::result<void> tenant_files::remove_timeline(const core::tenant_id& tenant,
                                                 const core::timeline_id& timeline) const {
  auto deletion = placement::timeline_deletion::resumed();
  STRATA_TRY(remove_files(tenant, timeline));
  deletion.files_removed();
  STRATA_TRY(metadata_.delete_timeline(tenant, timeline));
  deletion.record_deleted();
  return {};
}

core::result<void> tenant_files::remove_tenant(const core::tenant_id& tenant) const {
  STRATA_ASSIGN(const auto records, metadata_.timelines(tenant));
  for (const auto& record : records)
    if (record.state != storage::timeline_state::deleting)
      STRATA_TRY(metadata_.apply(tenant, record.id, {.state = storage::timeline_state::deleting}));
  for (const auto& record : records) STRATA_TRY(remove_timeline(tenant, record.id));
  STRATA_TRY(remove_tree(tenant_path(directory_, tenant)));
  return metadata_.delete_tenant(tenant);
}

core::result<std::vector<std::string>> tenant_files::remove_interrupted_imports() const {
  namespace fs = std::filesystem;
  STRATA_ASSIGN(const auto tenants, metadata_.tenants());
  std::map<core::tenant_id, std::string> names;
  for (const auto& tenant : tenants) names[tenant.id] = tenant.name;
  // The record of a tenant is stored after that of its root.
  std::error_code none;
  for (const auto& each : fs::directory_iterator(fs::path(directory_) / "tenants", none))
    if (const auto id = core::parse_id<core::tenant_id>(each.path().filename().string()))
      names.emplace(*id, to_string(*id));
  std::vector<std::string> removed;
  for (const auto& [id, name] : names) {
    const auto timelines = metadata_.timelines(id);
    if (!timelines || !placement::cluster_import::was_interrupted(*timelines)) continue;
    STRATA_TRY(remove_tenant(id));
    removed.push_back(name);
  }
  return removed;
}

core::result<void> tenant_files::discard_import(const storage::timeline_record& record,
                                                const tenant_attachment& as) const {
  STRATA_ASSIGN(const auto now, metadata_.timeline(record.tenant, record.id));
  if (now.state != storage::timeline_state::importing) return {};  // it is being deleted
  const auto emptied = open(record, nullptr, as);
  if (!emptied) return emptied.error();
  return {};
}

core::result<std::vector<std::string>> tenant_files::unknown_directories() const {
  namespace fs = std::filesystem;
  std::vector<std::string> unknown;
  std::error_code failure;
  const fs::path tenants = fs::path(directory_) / "tenants";
  for (const auto& tenant : fs::directory_iterator(tenants, failure)) {
    const auto id = core::parse_id<core::tenant_id>(tenant.path().filename().string());
    if (!id) continue;  // not one of ours
    auto records = metadata_.timelines(*id);
    if (!records && records.error().code == core::errc::corrupt) continue;  // damaged, not unknown
    STRATA_TRY(records);
    std::error_code none;
    for (const auto& timeline : fs::directory_iterator(tenant.path() / "timelines", none)) {
      const auto timeline_id = core::parse_id<core::timeline_id>(timeline.path().filename().string());
      if (timeline_id && std::ranges::none_of(*records, [&](const auto& each) { return each.id == *timeline_id; }))
        unknown.push_back(timeline.path().string());
    }
  }
  if (failure && failure != std::errc::no_such_file_or_directory)
    return core::from_errno("list " + tenants.string(), failure.value());
  return unknown;
}

}  // namespace strata::actors::pageserver
