#include "storage/metadata_store.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <mutex>

#include "storage/directory_lock.hpp"
#include "storage/metadata_codec.hpp"

namespace strata::storage {

namespace {

namespace codec = metadata_codec;

enum family : std::size_t {
  tenants_family = 1,
  timelines_family,
  layers_family,
  commit_times_family,
  wal_deletions_family,
  families_end
};
constexpr std::array<const char*, families_end> family_names{"default", "tenants",      "timelines",
                                                             "layers",  "commit_times", "wal_deletions"};

rocksdb::Slice slice_of(const core::bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
core::bytes_view view_of_slice(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const std::uint8_t*>(slice.data()), slice.size()};
}

core::error failure(std::string_view doing, const rocksdb::Status& status) {
  core::errc code = core::errc::io_error;
  if (status.IsNoSpace()) code = core::errc::disk_full;
  if (status.IsCorruption()) code = core::errc::corrupt;
  return {code, std::string(doing) + ": " + status.ToString()};
}

rocksdb::Options options_of_store() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.write_buffer_size = 8u << 20;
  options.max_total_wal_size = 32u << 20;
  options.max_open_files = 128;
  options.max_background_jobs = 2;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 4u << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  // A record torn by a crash at the end of the log was never acknowledged. Damage anywhere else must not pass for the
  // end of the log: what follows it was acknowledged.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kXXH3;
  table.block_cache = rocksdb::NewLRUCache(16u << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

/// Once RocksDB has failed to write for want of space it stays broken until the next start, even if space becomes free
/// (its issue 11643). So it never gets there: what grows is refused while there is this much left, and what helps to
/// free space may use most of the rest.
constexpr std::uint64_t reserve_bytes = 64u << 20;
constexpr std::uint64_t last_reserve_bytes = 16u << 20;
enum class purpose { growing, freeing };

class rocksdb_metadata_store final : public metadata_store {
 public:
  rocksdb_metadata_store(std::string path, directory_lock lock, std::unique_ptr<rocksdb::DB> db,
                         std::vector<rocksdb::ColumnFamilyHandle*> families)
      : path_(std::move(path)), lock_(std::move(lock)), db_(std::move(db)), families_(std::move(families)) {}

  ~rocksdb_metadata_store() override {
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
    db_->Close();
  }

  core::result<void> put_tenant(const tenant_record& tenant) override {
    rocksdb::WriteBatch batch;
    batch.Put(families_[tenants_family], codec::tenant_key(tenant.id), slice_of(codec::encode(tenant)));
    return write("put tenant", batch);
  }

  core::result<void> delete_tenant(const core::tenant_id& id) override {
    rocksdb::WriteBatch batch;
    batch.Delete(families_[tenants_family], codec::tenant_key(id));
    return write("delete tenant", batch, purpose::freeing);
  }

  core::result<std::vector<tenant_record>> tenants() override {
    return list<tenant_record>(tenants_family, "", [](std::string_view key, core::bytes_view value) {
      return codec::decode_tenant(key, value);
    });
  }

  core::result<void> put_timeline(const timeline_record& timeline) override {
    const std::lock_guard guard(edits_);
    rocksdb::WriteBatch batch;
    batch.Put(families_[timelines_family], codec::timeline_key(timeline.tenant, timeline.id),
              slice_of(codec::encode(timeline)));
    return write("put timeline", batch);
  }

  core::result<timeline_record> timeline(const core::tenant_id& tenant, const core::timeline_id& id) override {
    return read_timeline(codec::timeline_key(tenant, id));
  }

  core::result<void> delete_timeline(const core::tenant_id& tenant, const core::timeline_id& id) override;

  core::result<std::vector<timeline_record>> timelines(const core::tenant_id& tenant) override {
    return list<timeline_record>(
        timelines_family, codec::tenant_key(tenant),
        [](std::string_view key, core::bytes_view value) { return codec::decode_timeline(key, value); });
  }

  core::result<std::vector<layer_record>> layers(const core::tenant_id& tenant, const core::timeline_id& id) override {
    return list<layer_record>(
        layers_family, codec::timeline_key(tenant, id),
        [](std::string_view key, core::bytes_view value) { return codec::decode_layer(key, value); },
        [](std::string_view key) { return key.size() == codec::numbered_key_size && codec::number_of(key) == 0; });
  }

  core::result<std::uint64_t> last_layer_number(const core::tenant_id& tenant, const core::timeline_id& id) override {
    std::string value;
    const auto status = db_->Get({}, families_[layers_family], codec::numbered_key(tenant, id, 0), &value);
    if (status.IsNotFound()) return std::uint64_t{0};
    if (!status.ok()) return failure("metadata: read the last layer number", status);
    return codec::decode_number(view_of_slice(value));
  }

  core::result<void> apply(const core::tenant_id& tenant, const core::timeline_id& id,
                           const timeline_edit& edit) override;

  core::result<void> visit_commit_times(const core::tenant_id& tenant, const core::timeline_id& id, core::lsn begin,
                                        core::lsn end, const std::function<bool(const commit_time&)>& visitor) override;

  core::result<wal_errands> errands() override;
  core::result<void> wal_deleted(const core::tenant_id& tenant, const core::timeline_id& id,
                                 consensus::node_id from) override;

 private:
  core::result<timeline_record> read_timeline(const std::string& key) {
    std::string stored;
    const rocksdb::Status status = db_->Get({}, families_[timelines_family], key, &stored);
    if (status.IsNotFound()) return core::error{core::errc::not_found, "metadata: the timeline is gone"};
    if (!status.ok()) return failure("metadata: read timeline", status);
    return codec::decode_timeline(key, view_of_slice(stored));
  }

  core::result<void> write(std::string_view doing, rocksdb::WriteBatch& batch, purpose of = purpose::growing) {
    STRATA_TRY(check_space(doing, of));
    rocksdb::WriteOptions options;
    options.sync = true;
    const rocksdb::Status status = db_->Write(options, &batch);
    if (!status.ok()) return failure("metadata: " + std::string(doing), status);
    return {};
  }

  [[nodiscard]] core::result<void> check_space(std::string_view doing, purpose of) const {
    struct statvfs space {};
    if (::statvfs(path_.c_str(), &space) != 0) return core::from_errno("metadata: look for free space", errno);
    const std::uint64_t size = std::uint64_t{space.f_blocks} * space.f_frsize;
    const std::uint64_t reserve = of == purpose::growing ? reserve_bytes : last_reserve_bytes;
    const std::uint64_t wanted = std::min(reserve, size / (of == purpose::growing ? 8 : 32));
    if (std::uint64_t{space.f_bavail} * space.f_frsize >= wanted) return {};
    return core::error{core::errc::disk_full, "metadata: " + std::string(doing) + ": less than " +
                                                  std::to_string(wanted >> 20) + " MiB left on the file system of " +
                                                  path_};
  }

  template <class Record, class Decode>
  core::result<std::vector<Record>> list(
      family from, const std::string& prefix, Decode decode,
      bool (*skip)(std::string_view) = [](std::string_view) { return false; }) {
    std::vector<Record> records;
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, families_[from]));
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
      const std::string_view key(at->key().data(), at->key().size());
      if (skip(key)) continue;
      STRATA_ASSIGN(Record record, decode(key, view_of_slice(at->value())));
      records.push_back(std::move(record));
    }
    if (!at->status().ok()) return failure("metadata: list " + std::string(family_names[from]), at->status());
    return records;
  }

  void add_commit_times(rocksdb::WriteBatch& batch, const core::tenant_id& tenant, const core::timeline_id& id,
                        std::vector<commit_time> times);
  core::result<void> forget_commit_times(rocksdb::WriteBatch& batch, const core::tenant_id& tenant,
                                         const core::timeline_id& id, core::lsn below);

  std::string path_;
  directory_lock lock_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  /// Held while a timeline's record is read, changed and written.
  std::mutex edits_;
};

core::result<void> rocksdb_metadata_store::delete_timeline(const core::tenant_id& tenant, const core::timeline_id& id) {
  const std::lock_guard guard(edits_);
  rocksdb::WriteBatch batch;
  const std::string prefix = codec::timeline_key(tenant, id);
  // A damaged record goes, too; nobody knows who has its WAL.
  if (const auto record = read_timeline(prefix)) {
    wal_deletion deletion{tenant, id, {}};
    for (const wal_keeper& each : record->wal_keepers)
      if (each.begun || each.instance.valid()) deletion.from.push_back(each.id);
    if (!deletion.from.empty()) batch.Put(families_[wal_deletions_family], prefix, slice_of(codec::encode(deletion)));
  }
  batch.Delete(families_[timelines_family], prefix);
  for (family from : {layers_family, commit_times_family}) {
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, families_[from]));
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next())
      batch.Delete(families_[from], at->key());
    if (!at->status().ok()) return failure("metadata: delete timeline", at->status());
  }
  return write("delete timeline", batch, purpose::freeing);
}

core::result<void> rocksdb_metadata_store::apply(const core::tenant_id& tenant, const core::timeline_id& id,
                                                 const timeline_edit& edit) {
  const std::lock_guard guard(edits_);
  const std::string key = codec::timeline_key(tenant, id);
  auto stored = read_timeline(key);
  if (!stored) return core::error(stored.error()).within("edit timeline " + core::to_string(id));
  timeline_record record = *std::move(stored);
  apply_to_record(edit, record);

  rocksdb::WriteBatch batch;
  batch.Put(families_[timelines_family], key, slice_of(codec::encode(record)));
  std::uint64_t last_number = 0;
  for (const layer_record& layer : edit.add) {
    batch.Put(families_[layers_family], codec::numbered_key(tenant, id, layer.number), slice_of(codec::encode(layer)));
    last_number = std::max(last_number, layer.number);
  }
  if (last_number > 0) {
    STRATA_ASSIGN(const std::uint64_t before, last_layer_number(tenant, id));
    batch.Put(families_[layers_family], codec::numbered_key(tenant, id, 0),
              slice_of(codec::encode_number(std::max(before, last_number))));
  }
  for (std::uint64_t number : edit.remove)
    batch.Delete(families_[layers_family], codec::numbered_key(tenant, id, number));
  add_commit_times(batch, tenant, id, edit.commit_times);
  if (edit.forget_commit_times_below)
    STRATA_TRY(forget_commit_times(batch, tenant, id, *edit.forget_commit_times_below));
  const bool frees = edit.add.empty() && edit.commit_times.empty();
  return write("edit timeline " + core::to_string(id), batch, frees ? purpose::freeing : purpose::growing);
}

void rocksdb_metadata_store::add_commit_times(rocksdb::WriteBatch& batch, const core::tenant_id& tenant,
                                              const core::timeline_id& id, std::vector<commit_time> times) {
  std::stable_sort(times.begin(), times.end(),
                   [](const commit_time& a, const commit_time& b) { return a.end < b.end; });
  for (std::size_t from = 0; from < times.size(); from += codec::commit_times_per_chunk) {
    const auto chunk = std::span(times).subspan(from, std::min(codec::commit_times_per_chunk, times.size() - from));
    batch.Put(families_[commit_times_family], codec::numbered_key(tenant, id, chunk.front().end.value),
              slice_of(codec::encode(chunk)));
  }
}

core::result<void> rocksdb_metadata_store::forget_commit_times(rocksdb::WriteBatch& batch,
                                                               const core::tenant_id& tenant,
                                                               const core::timeline_id& id, core::lsn below) {
  // The chunk with the newest commit at or below the limit stays: it answers which commit was the last before the
  // limit.
  const std::string prefix = codec::timeline_key(tenant, id);
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, families_[commit_times_family]));
  std::string candidate;
  for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
    if (codec::number_of({at->key().data(), at->key().size()}) > below.value) break;
    if (!candidate.empty()) batch.Delete(families_[commit_times_family], candidate);
    candidate = at->key().ToString();
  }
  if (!at->status().ok()) return failure("metadata: forget commit times", at->status());
  return {};
}

core::result<void> rocksdb_metadata_store::visit_commit_times(const core::tenant_id& tenant,
                                                              const core::timeline_id& id, core::lsn begin,
                                                              core::lsn end,
                                                              const std::function<bool(const commit_time&)>& visitor) {
  const std::string prefix = codec::timeline_key(tenant, id);
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, families_[commit_times_family]));
  // The chunk that begins before `begin` may reach into the range.
  at->SeekForPrev(codec::numbered_key(tenant, id, begin.value));
  if (!at->Valid() || !at->key().starts_with(prefix)) {
    if (!at->status().ok()) return failure("metadata: read commit times", at->status());
    at->Seek(prefix);
  }
  for (; at->Valid() && at->key().starts_with(prefix); at->Next()) {
    const std::string_view key(at->key().data(), at->key().size());
    STRATA_ASSIGN(const std::vector<commit_time> chunk, codec::decode_commit_times(key, view_of_slice(at->value())));
    if (chunk.front().end >= end) return {};
    for (const commit_time& commit : chunk) {
      if (commit.end < begin) continue;
      if (commit.end >= end || !visitor(commit)) return {};
    }
  }
  if (!at->status().ok()) return failure("metadata: read commit times", at->status());
  return {};
}

core::result<wal_errands> rocksdb_metadata_store::errands() {
  wal_errands found;
  // Damaged records are their tenant's to report.
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, families_[timelines_family]));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    auto record = codec::decode_timeline({at->key().data(), at->key().size()}, view_of_slice(at->value()));
    if (record && !keepers_to_begin(*record).empty()) found.to_begin.push_back(*std::move(record));
  }
  if (!at->status().ok()) return failure("metadata: look for errands", at->status());
  STRATA_ASSIGN(found.to_delete,
                list<wal_deletion>(wal_deletions_family, "", [](std::string_view key, core::bytes_view value) {
                  return codec::decode_wal_deletion(key, value);
                }));
  return found;
}

core::result<void> rocksdb_metadata_store::wal_deleted(const core::tenant_id& tenant, const core::timeline_id& id,
                                                       consensus::node_id from) {
  const std::lock_guard guard(edits_);
  const std::string key = codec::timeline_key(tenant, id);
  std::string stored;
  const rocksdb::Status status = db_->Get({}, families_[wal_deletions_family], key, &stored);
  if (status.IsNotFound()) return {};
  if (!status.ok()) return failure("metadata: read a deletion of WAL", status);
  STRATA_ASSIGN(wal_deletion left, codec::decode_wal_deletion(key, view_of_slice(stored)));
  std::erase(left.from, from);
  rocksdb::WriteBatch batch;
  if (left.from.empty())
    batch.Delete(families_[wal_deletions_family], key);
  else
    batch.Put(families_[wal_deletions_family], key, slice_of(codec::encode(left)));
  return write("note deleted WAL", batch, purpose::freeing);
}

wal_keeper& keeper_in(timeline_record& record, consensus::node_id id) {
  auto& all = record.wal_keepers;
  const auto at = std::lower_bound(all.begin(), all.end(), id,
                                   [](const wal_keeper& each, consensus::node_id of) { return each.id < of; });
  return at != all.end() && at->id == id ? *at : *all.insert(at, wal_keeper{.id = id});
}

void enter_safekeepers(timeline_record& record, const consensus::configuration& to) {
  for (const consensus::member& each : to.all()) {
    // A newcomer has fetched the WAL of the others before it is a member.
    const bool joins = to.generation > 1 && !(record.safekeepers && record.safekeepers->contains(each.id));
    wal_keeper& keeper = keeper_in(record, each.id);
    keeper.begun = keeper.begun || joins;
  }
  record.safekeepers = to;
}

}  // namespace

std::vector<wal_keeper> keepers_to_begin(const timeline_record& of) {
  std::vector<wal_keeper> found;
  if (!of.safekeepers || of.state == timeline_state::deleting) return found;
  for (const wal_keeper& each : of.wal_keepers)
    if (!each.begun && of.safekeepers->contains(each.id)) found.push_back(each);
  return found;
}

bool keeps_slot(const timeline_record& of) {
  if (!of.source) return false;
  return of.source->slot_existed || (of.source->slot_named && of.state != timeline_state::importing);
}

void apply_to_record(const timeline_edit& edit, timeline_record& record) {
  if (edit.disk_consistent_lsn) record.disk_consistent_lsn = *edit.disk_consistent_lsn;
  if (edit.previous_record_lsn) record.previous_record_lsn = *edit.previous_record_lsn;
  if (edit.gc_cutoff) record.gc_cutoff = *edit.gc_cutoff;
  if (edit.state) record.state = *edit.state;
  if (edit.readable_from) record.readable_from = *edit.readable_from;
  if (edit.wal_log_hints) record.wal_log_hints = *edit.wal_log_hints;
  if (record.source && edit.received) record.source->received = edit.received;
  if (record.source && edit.refuse_source) record.source->refusal = edit.refuse_source;
  if (record.source && edit.resume_source) record.source->refusal.reset();
  if (edit.safekeepers) enter_safekeepers(record, *edit.safekeepers);
  if (edit.wal_keeper_seen) {
    wal_keeper& keeper = keeper_in(record, edit.wal_keeper_seen->id);
    if (!keeper.instance.valid()) keeper.instance = edit.wal_keeper_seen->instance;
    keeper.begun = keeper.begun || edit.wal_keeper_seen->begun;
  }
  if (edit.custom_manager_seen) {
    const custom_manager& seen = *edit.custom_manager_seen;
    auto& all = record.custom_managers;
    const auto at = std::lower_bound(all.begin(), all.end(), seen.id,
                                     [](const custom_manager& each, std::uint8_t id) { return each.id < id; });
    if (at == all.end() || at->id != seen.id) all.insert(at, seen);
  }
}

core::result<std::unique_ptr<metadata_store>> metadata_store::open(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return core::from_errno("create directory " + directory, error.value());
  STRATA_ASSIGN(directory_lock lock, directory_lock::take(directory));
  const std::string path = directory + "/metadata";
  STRATA_TRY(check_identity_file(directory, std::filesystem::exists(path, error)));

  const rocksdb::Options options = options_of_store();
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const char* name : family_names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions(options));
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  const rocksdb::Status status = rocksdb::DB::Open(rocksdb::DBOptions(options), path, descriptors, &families, &db);
  if (!status.ok()) return failure("open metadata " + path, status);
  return std::unique_ptr<metadata_store>(std::make_unique<rocksdb_metadata_store>(
      path, std::move(lock), std::unique_ptr<rocksdb::DB>(db), std::move(families)));
}

}  // namespace strata::storage
