#include "storage/metadata/metadata_store.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>

#include "core/check.hpp"
#include "core/log.hpp"
#include "storage/metadata/metadata_codec.hpp"
#include "storage/metadata/metadata_opening.hpp"
#include "storage/metadata/metadata_space.hpp"

namespace strata::storage {

namespace {

namespace codec = metadata_codec;
using family = metadata_family;

/// A failed write, like a failed fsync, leaves an unknown state; and a server that can't write must not continue.
[[noreturn]] void end_process(const core::error& why) {
  core::log(core::log_level::critical,
            "the metadata can't be written, and it is unknown whether the last edit was stored, so the server ends: " +
                core::to_string(why) + "; start it again when the disk is writable");
  core::flush_log();
  std::abort();
}

/// Records of one tenant that change together; of several changes of a record the last one counts.
class tenant_edit {
 public:
  explicit tenant_edit(const core::tenant_id& tenant) : tenant_(tenant) {}
  void put(family in, const std::string& key, core::bytes value) { changes_[{in, key}] = std::move(value); }
  void remove(family in, const std::string& key) { changes_[{in, key}] = std::nullopt; }

  [[nodiscard]] const core::tenant_id& tenant() const { return tenant_; }
  [[nodiscard]] const auto& changes() const { return changes_; }

 private:
  core::tenant_id tenant_;
  std::map<std::pair<family, std::string>, std::optional<core::bytes>> changes_;
};

class sealed_metadata_store final : public metadata_store {
 public:
  explicit sealed_metadata_store(opened_metadata opened) : opened_(std::move(opened)) {
    for (const damaged_tenant& each : opened_.damaged) damage_.emplace(each.id, each.why);
  }

  [[nodiscard]] const std::vector<damaged_tenant>& damaged() const override { return opened_.damaged; }

  core::result<void> put_tenant(const tenant_record& tenant) override {
    const std::lock_guard guard(edits_);
    tenant_edit edit(tenant.id);
    edit.put(family::tenants, codec::tenant_key(tenant.id), codec::encode(tenant));
    return commit("put tenant", edit, space_use::growing, tenant.name);
  }

  core::result<void> delete_tenant(const core::tenant_id& id) override {
    const std::lock_guard guard(edits_);
    STRATA_TRY(usable(id));
    // First, so that a rebuild can't restore the deleted tenant from it.
    STRATA_TRY(opened_.copies.remove(id, std::nullopt));
    tenant_edit edit(id);
    edit.remove(family::tenants, codec::tenant_key(id));
    return commit("delete tenant", edit, space_use::freeing);
  }

  core::result<std::vector<tenant_record>> tenants() override {
    std::vector<tenant_record> records;
    STRATA_TRY(list(family::tenants, "", records, codec::decode_tenant));
    return records;
  }

  core::result<void> put_timeline(const timeline_record& timeline) override {
    const std::lock_guard guard(edits_);
    tenant_edit edit(timeline.tenant);
    edit.put(family::timelines, codec::timeline_key(timeline.tenant, timeline.id), codec::encode(timeline));
    return commit("put timeline", edit, space_use::growing);
  }

  core::result<timeline_record> timeline(const core::tenant_id& tenant, const core::timeline_id& id) override {
    STRATA_TRY(usable(tenant));
    return read_timeline(codec::timeline_key(tenant, id));
  }

  core::result<void> delete_timeline(const core::tenant_id& tenant, const core::timeline_id& id) override;

  core::result<std::vector<timeline_record>> timelines(const core::tenant_id& tenant) override {
    STRATA_TRY(usable(tenant));
    std::vector<timeline_record> records;
    STRATA_TRY(list(family::timelines, codec::tenant_key(tenant), records, codec::decode_timeline));
    return records;
  }

  core::result<std::vector<layer_record>> layers(const core::tenant_id& tenant, const core::timeline_id& id) override {
    STRATA_TRY(usable(tenant));
    std::vector<layer_record> records;
    STRATA_TRY(list(family::layers, codec::timeline_key(tenant, id), records, codec::decode_layer));
    return records;
  }

  core::result<std::vector<side_file_record>> side_files(const core::tenant_id& tenant,
                                                         const core::timeline_id& id) override {
    STRATA_TRY(usable(tenant));
    std::vector<side_file_record> records;
    STRATA_TRY(list(family::side_files, codec::timeline_key(tenant, id), records, codec::decode_side_file));
    return records;
  }

  core::result<std::uint64_t> last_layer_number(const core::tenant_id& tenant, const core::timeline_id& id) override {
    STRATA_TRY(usable(tenant));
    STRATA_ASSIGN(const auto value, database().get(family::layers, codec::numbered_key(tenant, id, 0)));
    return value ? codec::decode_number(*value) : core::result<std::uint64_t>(0);
  }

  core::result<void> apply(const core::tenant_id& tenant, const core::timeline_id& id,
                           const timeline_edit& edit) override {
    return edit_timeline(tenant, id, edit, nullptr);
  }
  core::result<void> replace_timeline(const core::tenant_id& tenant, const core::timeline_id& id,
                                      const timeline_edit& edit, const timeline_record& successor) override {
    core::check(successor.tenant == tenant && successor.id != id,
                "a timeline is replaced by another one of its tenant");
    return edit_timeline(tenant, id, edit, &successor);
  }

  core::result<void> visit_commit_times(const core::tenant_id& tenant, const core::timeline_id& id, core::lsn begin,
                                        core::lsn end, const std::function<bool(const commit_time&)>& visitor) override;

  core::result<pending_wal_operations> pending_operations() override;
  core::result<void> wal_deleted(const core::tenant_id& tenant, const core::timeline_id& id,
                                 consensus::node_id from) override;

 private:
  [[nodiscard]] metadata_database& database() const { return *opened_.database; }

  [[nodiscard]] core::result<void> usable(const core::tenant_id& tenant) const {
    const auto found = damage_.find(tenant);
    if (found == damage_.end()) return {};
    return found->second;
  }

  core::result<timeline_record> read_timeline(const std::string& key) {
    STRATA_ASSIGN(const auto stored, database().get(family::timelines, key));
    if (!stored) return core::error{core::errc::not_found, "metadata: the timeline is gone"};
    return codec::decode_timeline(key, *stored);
  }

  /// Skips records of damaged tenants, and the highest numbers among layers.
  template <class Record>
  core::result<void> list(family from, const std::string& prefix, std::vector<Record>& into,
                          core::result<Record> (*decode)(std::string_view, core::bytes_view)) {
    core::result<void> decoded;
    STRATA_TRY(database().visit_prefix(from, prefix, [&](std::string_view key, core::bytes_view value) {
      if (from == family::layers && key.size() == codec::numbered_key_size && codec::number_of(key) == 0) return true;
      if (damage_.contains(codec::tenant_of(key))) return true;
      auto record = decode(key, value);
      if (!record) {
        decoded = std::move(record).error();
        return false;
      }
      into.push_back(*std::move(record));
      return true;
    }));
    return decoded;
  }

  core::result<void> edit_timeline(const core::tenant_id& tenant, const core::timeline_id& id,
                                   const timeline_edit& edit, const timeline_record* successor);
  /// Makes an edit durable, seals it, and updates the copies. Only with edits_.
  core::result<void> commit(const std::string& doing, const tenant_edit& edit, space_use use,
                            const std::string& name = {});
  void write_copies(const tenant_edit& edit, std::uint64_t edits);
  core::result<metadata_copy> copy_of_timeline(const std::string& key);

  static void add_commit_times(tenant_edit& to, const core::timeline_id& id, std::vector<commit_time> times);
  core::result<void> forget_commit_times(tenant_edit& to, const core::timeline_id& id, core::lsn below);

  opened_metadata opened_;
  std::map<core::tenant_id, core::error> damage_;
  /// Held while records are read, changed and written: edits are sequential, so that at most one can be ahead of its
  /// seal.
  std::mutex edits_;
};

core::result<void> sealed_metadata_store::commit(const std::string& doing, const tenant_edit& edit, space_use use,
                                                 const std::string& name) {
  STRATA_TRY(usable(edit.tenant()));
  STRATA_TRY(check_metadata_space(*opened_.disk, opened_.path, use, "the edit is refused: " + doing));
  filed_seal before;
  if (const auto found = opened_.sealed.find(edit.tenant()); found != opened_.sealed.end()) before = found->second;
  filed_seal now = before;
  if (!name.empty()) now.name = name;
  ++now.seal.edits;
  std::vector<metadata_change> batch;
  for (const auto& [record, value] : edit.changes()) {
    const auto& [in, key] = record;
    auto old = database().get(in, key);
    if (!old) return std::move(old).error().within("metadata: " + doing);
    if (*old == value) continue;
    if (*old) now.seal.subtract(in, key, **old);
    if (value) now.seal.add(in, key, *value);
    batch.push_back({in, key, value});
  }
  if (batch.empty()) return {};
  const std::string seal_key = codec::tenant_key(edit.tenant());
  batch.push_back({family::seals, seal_key, encode(stored_seal{now.seal, before.seal})});
  if (const auto written = database().write(batch); !written) end_process(written.error().within(doing));
  if (const auto sealed = opened_.seals.write(edit.tenant(), now); !sealed) end_process(sealed.error().within(doing));
  opened_.sealed[edit.tenant()] = now;
  write_copies(edit, now.seal.edits);
  if (now.seal.records > 0) return {};
  // No record of the tenant is left.
  if (const auto removed = opened_.seals.remove(edit.tenant()); !removed) end_process(removed.error().within(doing));
  const metadata_change last{family::seals, seal_key, std::nullopt};
  if (const auto written = database().write({&last, 1}); !written) end_process(written.error().within(doing));
  opened_.sealed.erase(edit.tenant());
  return {};
}

void sealed_metadata_store::write_copies(const tenant_edit& edit, std::uint64_t edits) {
  const auto write = [&](metadata_copy copy) {
    copy.edits = edits;
    const auto written = opened_.copies.write(copy);
    if (written) return;
    // No copy is better than an older one. The next edit writes it again.
    core::log_warning("the copy of the metadata was not written: " + core::to_string(written.error()));
    if (const auto removed = opened_.copies.remove(copy.tenant, copy.timeline); !removed)
      end_process(removed.error().within("remove an old copy of metadata"));
  };
  std::set<std::string> timelines;
  for (const auto& [record, value] : edit.changes()) {
    const auto& [in, key] = record;
    if (in == family::tenants && value) write({.tenant = edit.tenant(), .record = *value});
    if (in == family::timelines || in == family::layers || in == family::side_files)
      timelines.insert(key.substr(0, codec::timeline_key_size));
  }
  for (const std::string& key : timelines) {
    auto copy = copy_of_timeline(key);
    if (copy)
      write(*std::move(copy));
    else if (copy.error().code != core::errc::not_found)
      core::log_warning("the copy of the metadata was not written: " + core::to_string(copy.error()));
  }
}

core::result<metadata_copy> sealed_metadata_store::copy_of_timeline(const std::string& key) {
  STRATA_ASSIGN(auto record, database().get(family::timelines, key));
  if (!record) return core::error{core::errc::not_found, "metadata: the timeline is gone"};
  metadata_copy copy{
      .tenant = codec::tenant_of(key), .timeline = codec::timeline_of(key), .record = *std::move(record)};
  core::result<void> decoded;
  STRATA_TRY(database().visit_prefix(family::layers, key, [&](std::string_view layer, core::bytes_view value) {
    const std::uint64_t number = codec::number_of(layer);
    if (number > 0) {
      copy.layers.emplace_back(number, core::bytes(value.begin(), value.end()));
      return true;
    }
    const auto highest = codec::decode_number(value);
    if (highest)
      copy.last_layer_number = *highest;
    else
      decoded = highest.error();
    return decoded.has_value();
  }));
  STRATA_TRY(std::move(decoded));
  STRATA_TRY(database().visit_prefix(family::side_files, key, [&](std::string_view file, core::bytes_view value) {
    copy.side_files.emplace_back(codec::number_of(file), core::bytes(value.begin(), value.end()));
    return true;
  }));
  return copy;
}

core::result<void> sealed_metadata_store::delete_timeline(const core::tenant_id& tenant, const core::timeline_id& id) {
  const std::lock_guard guard(edits_);
  STRATA_TRY(usable(tenant));
  tenant_edit edit(tenant);
  const std::string prefix = codec::timeline_key(tenant, id);
  if (const auto record = read_timeline(prefix)) {
    wal_deletion deletion{tenant, id, {}};
    for (const wal_keeper& each : record->wal_keepers)
      if (each.created || each.instance.valid()) deletion.from.push_back(each.id);
    if (!deletion.from.empty()) edit.put(family::wal_deletions, prefix, codec::encode(deletion));
  }
  edit.remove(family::timelines, prefix);
  for (const family from : {family::layers, family::commit_times, family::side_files})
    STRATA_TRY(database().visit_prefix(from, prefix, [&](std::string_view key, core::bytes_view) {
      edit.remove(from, std::string(key));
      return true;
    }));
  // First, so that a rebuild can't restore the deleted timeline from it.
  STRATA_TRY(opened_.copies.remove(tenant, id));
  return commit("delete timeline", edit, space_use::freeing);
}

core::result<void> sealed_metadata_store::edit_timeline(const core::tenant_id& tenant, const core::timeline_id& id,
                                                        const timeline_edit& edit, const timeline_record* successor) {
  const std::lock_guard guard(edits_);
  STRATA_TRY(usable(tenant));
  const std::string key = codec::timeline_key(tenant, id);
  auto stored = read_timeline(key);
  if (!stored) return core::error(stored.error()).within("edit timeline " + core::to_string(id));
  timeline_record record = *std::move(stored);
  apply_to_record(edit, record);

  tenant_edit changes(tenant);
  changes.put(family::timelines, key, codec::encode(record));
  if (successor != nullptr)
    changes.put(family::timelines, codec::timeline_key(tenant, successor->id), codec::encode(*successor));
  std::uint64_t last_number = 0;
  for (const layer_record& layer : edit.add) {
    changes.put(family::layers, codec::numbered_key(tenant, id, layer.number), codec::encode(layer));
    last_number = std::max(last_number, layer.number);
  }
  if (last_number > 0) {
    STRATA_ASSIGN(const std::uint64_t before, last_layer_number(tenant, id));
    changes.put(family::layers, codec::numbered_key(tenant, id, 0),
                codec::encode_number(std::max(before, last_number)));
  }
  for (std::uint64_t number : edit.remove) changes.remove(family::layers, codec::numbered_key(tenant, id, number));
  for (const side_file_record& file : edit.put_side_files)
    changes.put(family::side_files, codec::numbered_key(tenant, id, file.number), codec::encode(file));
  for (std::uint64_t number : edit.remove_side_files)
    changes.remove(family::side_files, codec::numbered_key(tenant, id, number));
  add_commit_times(changes, id, edit.commit_times);
  if (edit.forget_commit_times_below) STRATA_TRY(forget_commit_times(changes, id, *edit.forget_commit_times_below));
  const bool frees =
      edit.add.empty() && edit.commit_times.empty() && edit.put_side_files.empty() && successor == nullptr;
  return commit("edit timeline " + core::to_string(id), changes, frees ? space_use::freeing : space_use::growing);
}

void sealed_metadata_store::add_commit_times(tenant_edit& to, const core::timeline_id& id,
                                             std::vector<commit_time> times) {
  std::stable_sort(times.begin(), times.end(),
                   [](const commit_time& a, const commit_time& b) { return a.end < b.end; });
  for (std::size_t from = 0; from < times.size(); from += codec::commit_times_per_chunk) {
    const auto chunk = std::span(times).subspan(from, std::min(codec::commit_times_per_chunk, times.size() - from));
    to.put(family::commit_times, codec::numbered_key(to.tenant(), id, chunk.front().end.value), codec::encode(chunk));
  }
}

core::result<void> sealed_metadata_store::forget_commit_times(tenant_edit& to, const core::timeline_id& id,
                                                              core::lsn below) {
  // The chunk with the newest commit at or below the limit stays: it answers which commit was the last before the
  // limit.
  const std::string prefix = codec::timeline_key(to.tenant(), id);
  std::string candidate;
  return database().visit_prefix(family::commit_times, prefix, [&](std::string_view key, core::bytes_view) {
    if (codec::number_of(key) > below.value) return false;
    if (!candidate.empty()) to.remove(family::commit_times, candidate);
    candidate = key;
    return true;
  });
}

core::result<void> sealed_metadata_store::visit_commit_times(const core::tenant_id& tenant, const core::timeline_id& id,
                                                             core::lsn begin, core::lsn end,
                                                             const std::function<bool(const commit_time&)>& visitor) {
  STRATA_TRY(usable(tenant));
  const std::string prefix = codec::timeline_key(tenant, id);
  // The chunk that begins before `begin` may reach into the range.
  STRATA_ASSIGN(const auto before,
                database().last_key(family::commit_times, codec::numbered_key(tenant, id, begin.value)));
  const std::string first = before && before->starts_with(prefix) ? *before : prefix;
  core::result<void> decoded;
  STRATA_TRY(database().visit(family::commit_times, first, [&](std::string_view key, core::bytes_view value) {
    if (!key.starts_with(prefix)) return false;
    const auto chunk = codec::decode_commit_times(key, value);
    if (!chunk) {
      decoded = chunk.error();
      return false;
    }
    if (chunk->front().end >= end) return false;
    for (const commit_time& commit : *chunk) {
      if (commit.end < begin) continue;
      if (commit.end >= end || !visitor(commit)) return false;
    }
    return true;
  }));
  return decoded;
}

core::result<pending_wal_operations> sealed_metadata_store::pending_operations() {
  pending_wal_operations found;
  std::vector<timeline_record> timelines;
  STRATA_TRY(list(family::timelines, "", timelines, codec::decode_timeline));
  for (timeline_record& each : timelines)
    if (!keepers_to_create(each).empty()) found.to_create.push_back(std::move(each));
  STRATA_TRY(list(family::wal_deletions, "", found.to_delete, codec::decode_wal_deletion));
  return found;
}

core::result<void> sealed_metadata_store::wal_deleted(const core::tenant_id& tenant, const core::timeline_id& id,
                                                      consensus::node_id from) {
  const std::lock_guard guard(edits_);
  STRATA_TRY(usable(tenant));
  const std::string key = codec::timeline_key(tenant, id);
  STRATA_ASSIGN(const auto stored, database().get(family::wal_deletions, key));
  if (!stored) return {};
  STRATA_ASSIGN(wal_deletion left, codec::decode_wal_deletion(key, *stored));
  std::erase(left.from, from);
  tenant_edit edit(tenant);
  if (left.from.empty())
    edit.remove(family::wal_deletions, key);
  else
    edit.put(family::wal_deletions, key, codec::encode(left));
  return commit("record deleted WAL", edit, space_use::freeing);
}

}  // namespace

core::result<std::unique_ptr<metadata_store>> metadata_store::open(const std::string& directory,
                                                                   const std::string& copies, io::disk& on) {
  STRATA_ASSIGN(opened_metadata opened, open_metadata(directory, copies.empty() ? directory + "/copies" : copies, on));
  return std::unique_ptr<metadata_store>(std::make_unique<sealed_metadata_store>(std::move(opened)));
}

}  // namespace strata::storage
