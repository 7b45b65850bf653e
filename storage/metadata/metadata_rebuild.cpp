#include "storage/metadata/metadata_rebuild.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "core/clock.hpp"
#include "io/file.hpp"
#include "storage/layers/block_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/metadata/identity_file.hpp"
#include "storage/metadata/metadata_codec.hpp"
#include "storage/metadata/metadata_opening.hpp"
#include "storage/metadata/metadata_scan.hpp"
#include "storage/metadata/metadata_space.hpp"

namespace strata::storage {

namespace {

namespace codec = metadata_codec;
using family = metadata_family;

constexpr std::uint64_t block_cache_bytes = 1u << 20;

/// The old metadata, read before anything is changed.
struct old_metadata {
  std::unique_ptr<metadata_database> database;  ///< none when it can't be opened
  checked_tenants checked;                      ///< empty then
  std::map<core::tenant_id, core::result<filed_seal>> filed;
  std::set<core::tenant_id> tenants;  ///< every tenant of which anything exists
  std::string error;                  ///< why the metadata as a whole can't be used
};

core::result<old_metadata> look_at(io::disk& on, const metadata_paths& paths, const seal_files& seals,
                                   const copy_files& copies) {
  old_metadata old;
  if (auto known = check_identity_file(on, paths.directory, true); !known) {
    if (known.error().code == core::errc::unsupported) return std::move(known).error();
    old.error = known.error().detail;
  }
  STRATA_ASSIGN(old.filed, seals.load());
  for (const auto& [tenant, seal] : old.filed) old.tenants.insert(tenant);
  auto database = metadata_database::open(paths.database, metadata_database::access::read, on);
  if (database) {
    old.database = *std::move(database);
    STRATA_ASSIGN(old.checked, check_tenants(*old.database, seals, copies));
    for (const auto& [tenant, checked] : old.checked) old.tenants.insert(tenant);
  } else {
    old.error = database.error().detail;
  }
  // Of a deleted tenant only files may be left; its own copy was removed first.
  STRATA_ASSIGN(const auto with_directory, copies.tenants());
  for (const core::tenant_id& tenant : with_directory)
    if (on.exists(copies.path_of(tenant, std::nullopt))) old.tenants.insert(tenant);
  return old;
}

class rebuilder {
 public:
  rebuilder(io::disk& on, old_metadata& old, metadata_database& made, const seal_files& seals, const copy_files& copies)
      : disk_(on), old_(old), made_(made), seals_(seals), copies_(copies), blocks_(block_cache_bytes) {}

  core::result<void> keep(const core::tenant_id& tenant, const checked_tenant& checked) {
    std::vector<metadata_change> batch;
    for (const family each : record_families)
      STRATA_TRY(old_.database->visit_prefix(
          each, codec::tenant_key(tenant), [&](std::string_view key, core::bytes_view value) {
            batch.push_back({each, std::string(key), core::bytes(value.begin(), value.end())});
            return true;
          }));
    batch.push_back({family::seals, codec::tenant_key(tenant), encode(*checked.scan.stored)});
    STRATA_TRY(made_.write(batch));
    if (const std::string name = checked.name(); !name.empty()) report_.whole.push_back(name);
    return {};
  }

  core::result<void> rebuild(const core::tenant_id& tenant) {
    auto copy = copies_.read(tenant, std::nullopt);
    core::result<tenant_record> record =
        copy ? codec::decode_tenant(codec::tenant_key(tenant), copy->record) : std::move(copy).error();
    if (!record) {
      report_.lost.push_back("tenant " + name_of(tenant) +
                             ": no copy of its record can be read: " + record.error().detail);
      lost_.push_back(tenant);
      return {};
    }
    std::vector<metadata_change> batch{{family::tenants, codec::tenant_key(tenant), copy->record}};
    std::uint64_t edits = copy->edits;
    STRATA_ASSIGN(const auto timelines, copies_.timelines(tenant));
    ancestors_.clear();
    for (const core::timeline_id& id : timelines) add_timeline(record->name, tenant, id, batch, edits);
    report_missing(record->name, tenant, timelines);
    return seal(tenant, record->name, batch, edits);
  }

  rebuild_report& report() { return report_; }
  [[nodiscard]] const std::vector<core::tenant_id>& lost() const { return lost_; }

 private:
  [[nodiscard]] std::string name_of(const core::tenant_id& tenant) const {
    const auto checked = old_.checked.find(tenant);
    std::string name = checked == old_.checked.end() ? "" : checked->second.name();
    const auto filed = old_.filed.find(tenant);
    if (name.empty() && filed != old_.filed.end() && filed->second) name = filed->second->name;
    return name.empty() ? to_string(tenant) : name + " (" + to_string(tenant) + ")";
  }

  void add_timeline(const std::string& tenant_name, const core::tenant_id& tenant, const core::timeline_id& id,
                    std::vector<metadata_change>& batch, std::uint64_t& edits) {
    auto copy = copies_.read(tenant, id);
    const std::string key = codec::timeline_key(tenant, id);
    auto record =
        copy ? codec::decode_timeline(key, copy->record) : core::result<timeline_record>(std::move(copy).error());
    rebuilt_timeline made{.tenant = tenant_name, .id = id};
    std::vector<metadata_change> changes;
    if (record) {
      // Earlier commits are unknown: its history in time begins now.
      record->created = core::system_clock().now();
      changes.push_back({family::timelines, key, codec::encode(*record)});
      if (record->disk_consistent_lsn.valid()) {
        const commit_time now{pg::timestamp_of(record->created), record->disk_consistent_lsn};
        changes.push_back({family::commit_times, codec::numbered_key(tenant, id, record->disk_consistent_lsn.value),
                           codec::encode(std::span(&now, 1))});
      }
      if (copy->last_layer_number > 0)
        changes.push_back(
            {family::layers, codec::numbered_key(tenant, id, 0), codec::encode_number(copy->last_layer_number)});
    }
    for (std::size_t i = 0; record && i < copy->layers.size(); ++i) {
      const auto& [number, value] = copy->layers[i];
      const std::string layer_key = codec::numbered_key(tenant, id, number);
      const auto layer = codec::decode_layer(layer_key, value);
      if (!layer) {
        record = layer.error();
        break;
      }
      look_at_layer({tenant, id, *layer}, made);
      changes.push_back({family::layers, layer_key, value});
    }
    for (std::size_t i = 0; record && i < copy->side_files.size(); ++i) {
      const auto& [number, value] = copy->side_files[i];
      const std::string file_key = codec::numbered_key(tenant, id, number);
      if (const auto file = codec::decode_side_file(file_key, value); !file) record = file.error();
      changes.push_back({family::side_files, file_key, value});
    }
    if (!record) {
      report_.lost.push_back("timeline " + to_string(id) + " of " + tenant_name + ": " + record.error().detail);
      return;
    }
    ancestors_[id] = record->ancestor;
    made.name = record->name;
    made.recovered_to = record->disk_consistent_lsn;
    made.layers = copy->layers.size();
    edits = std::max(edits, copy->edits);
    std::move(changes.begin(), changes.end(), std::back_inserter(batch));
    if (record->state != timeline_state::deleting) report_.timelines.push_back(std::move(made));
  }

  /// Reports timelines that another record names. That includes one deleted since the old metadata: it can't be
  /// distinguished from one whose directory is lost.
  void report_missing(const std::string& tenant_name, const core::tenant_id& tenant,
                      const std::vector<core::timeline_id>& found) {
    std::map<core::timeline_id, std::string> missing;
    for (const auto& [id, ancestor] : ancestors_)
      if (ancestor && !ancestors_.contains(*ancestor))
        missing[*ancestor] = "timeline " + to_string(id) + " is a branch of it";
    if (const auto checked = old_.checked.find(tenant); checked != old_.checked.end())
      for (const metadata_copy& each : checked->second.scan.timelines) {
        const auto record = codec::decode_timeline(codec::timeline_key(tenant, *each.timeline), each.record);
        if (!record || record->state != timeline_state::deleting)
          missing.try_emplace(*each.timeline, "the old metadata has it");
      }
    for (const core::timeline_id& id : found) missing.erase(id);  // rebuilt, or reported
    for (const auto& [id, why] : missing)
      report_.lost.push_back("timeline " + to_string(id) + " of " + tenant_name + ": it has no directory, and " + why);
  }

  void look_at_layer(const layer_identity& layer, rebuilt_timeline& of) {
    const std::string path =
        copies_.timeline_directory(layer.tenant, layer.timeline) + "/" + layer_file_name(layer.layer);
    if (layer.layer.residency != layer_residency::local) return;
    if (!layer_reader::open(path, layer, blocks_, disk_)) of.damaged_layers.push_back(path);
  }

  /// The database gets one edit after all known ones, and the file the edit before it: the next start finds a valid
  /// pair whether the new metadata was put in place or not.
  core::result<void> seal(const core::tenant_id& tenant, const std::string& name, std::vector<metadata_change>& batch,
                          std::uint64_t edits) {
    if (const auto checked = old_.checked.find(tenant); checked != old_.checked.end())
      edits = std::max(edits, checked->second.scan.found.edits);
    const auto filed = old_.filed.find(tenant);
    // Not the seal of a deleted tenant.
    filed_seal before{{.edits = edits + 1, .records = 1}, name};
    if (filed != old_.filed.end() && filed->second && filed->second->seal.edits >= edits) {
      before = *filed->second;
    } else {
      STRATA_TRY(seals_.remove(tenant));
      STRATA_TRY(seals_.write(tenant, before));
    }
    tenant_seal now{.edits = before.seal.edits + 1};
    for (const metadata_change& each : batch) now.add(each.family, each.key, *each.value);
    batch.push_back({family::seals, codec::tenant_key(tenant), encode(stored_seal{now, before.seal})});
    return made_.write(batch);
  }

  io::disk& disk_;
  old_metadata& old_;
  metadata_database& made_;
  const seal_files& seals_;
  const copy_files& copies_;
  block_cache blocks_;
  rebuild_report report_;
  std::vector<core::tenant_id> lost_;
  std::map<core::timeline_id, std::optional<core::timeline_id>> ancestors_;  ///< of the tenant's rebuilt timelines
};

/// Renames the old database to its new name, and the new one to the old one's path.
core::result<void> exchange(io::disk& on, const metadata_paths& paths, const std::string& made,
                            const std::string& kept) {
  if (!on.exists(paths.database)) return io::publish_file(on, made, paths.database);
  if (auto exchanged = on.exchange(made, paths.database); !exchanged) {
    if (exchanged.error().code != core::errc::unsupported) return exchanged;
    // A crash in between leaves no database: it must be rebuilt again.
    STRATA_TRY(on.rename(paths.database, kept));
    return io::publish_file(on, made, paths.database);
  }
  on.sync_directory(paths.directory);
  return io::publish_file(on, made, kept);
}

}  // namespace

bool rebuild_report::complete() const {
  return lost.empty() && std::all_of(timelines.begin(), timelines.end(),
                                     [](const rebuilt_timeline& each) { return each.damaged_layers.empty(); });
}

core::result<rebuild_report> rebuild_metadata(const std::string& directory, const std::string& copies_in, bool force,
                                              io::disk& on) {
  const metadata_paths paths(directory);
  const seal_files seals(paths.seals, on);
  const copy_files copies(copies_in, on);
  if (!on.exists(directory) && !on.exists(copies_in))
    return core::error{core::errc::not_found, "there is neither " + directory + " nor " + copies_in};
  STRATA_TRY(io::make_directories(on, directory));
  STRATA_ASSIGN(const auto lock, io::lock_directory(on, directory));
  STRATA_ASSIGN(old_metadata old, look_at(on, paths, seals, copies));
  const bool damaged = std::any_of(old.checked.begin(), old.checked.end(),
                                   [](const auto& each) { return each.second.damage.has_value(); });
  if (old.error.empty() && !damaged && !force)
    return core::error{core::errc::conflict, "the metadata in " + directory + " is intact; nothing was changed"};

  // The old one stays: the new one, which is about as large, needs its own room.
  STRATA_TRY(check_metadata_space(on, directory, space_use::opening, "the metadata can't be rebuilt",
                                  bytes_in(on, paths.database)));

  const std::string made_path = directory + "/rebuilt";
  // From a rebuild that was interrupted; it may be the old one in the middle of the exchange.
  if (on.exists(made_path)) STRATA_TRY(on.rename(made_path, paths.kept(on)));
  STRATA_TRY(seals.make_directory());
  rebuild_report report;
  {
    STRATA_ASSIGN(const auto made, metadata_database::create(made_path, on));
    rebuilder work(on, old, *made, seals, copies);
    for (const core::tenant_id& tenant : old.tenants) {
      const auto checked = old.checked.find(tenant);
      const bool whole = checked != old.checked.end() && !checked->second.damage;
      if (whole && checked->second.verdict.is == seal_verdict::kind::gone) continue;
      STRATA_TRY(whole && !force ? work.keep(tenant, checked->second) : work.rebuild(tenant));
    }
    report = std::move(work.report());
    report.kept_in = paths.kept(on);
    old.database.reset();
    for (const core::tenant_id& tenant : work.lost()) STRATA_TRY(seals.remove(tenant));
  }
  STRATA_TRY(exchange(on, paths, made_path, report.kept_in));
  if (!on.exists(report.kept_in)) report.kept_in.clear();
  STRATA_TRY(write_identity_file(on, directory));
  return report;
}

}  // namespace strata::storage
