#include "storage/metadata/metadata_database.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/blocking.hpp"
#include "core/log.hpp"
#include "io/file.hpp"
#include "storage/metadata/metadata_space.hpp"
#include "storage/metadata/rocksdb_files.hpp"

namespace strata::storage {

namespace {

/// RocksDB always has a family "default"; the seals are in it.
constexpr std::array<const char*, metadata_family_count> family_names{
    "default", "tenants", "timelines", "layers", "commit_times", "wal_deletions", "side_files"};

rocksdb::Slice slice_of(const core::bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
core::bytes_view view_of(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const std::uint8_t*>(slice.data()), slice.size()};
}

core::error failure(const std::string& doing, const rocksdb::Status& status) {
  core::errc code = core::errc::io_error;
  if (status.IsNoSpace()) code = core::errc::disk_full;
  if (status.IsCorruption()) code = core::errc::corrupt;
  return {code, doing + ": " + status.ToString()};
}

/// RocksDB reads parts of a table's end before it has compared their checksums, and a damaged byte there ends the
/// process. So each table has a file beside it, which RocksDB ignores, with a checksum of the bytes after its data
/// blocks: their offset u64, XXH3-64 of them, XXH3-64 of these 16 bytes.
constexpr const char* table_suffix = ".sst";
constexpr const char* end_suffix = ".end";
constexpr std::size_t end_size = 24;
constexpr std::uint64_t table_end_max = 256u << 20;

core::result<std::uint64_t> checksum_of_end(io::disk& on, const std::string& table, std::uint64_t begin) {
  STRATA_ASSIGN(const auto file, on.open_for_reading(table));
  STRATA_ASSIGN(const std::uint64_t size, file->size());
  if (size < begin || size - begin > table_end_max)
    return core::error{core::errc::corrupt, table + " is damaged: it has " + std::to_string(size) + " bytes"};
  core::bytes end(size - begin);
  STRATA_TRY(io::read_at(*file, begin, end, table));
  return XXH3_64bits(end.data(), end.size());
}

core::result<void> write_end(io::disk& on, const std::string& table, std::uint64_t begin) {
  STRATA_ASSIGN(const std::uint64_t checksum, checksum_of_end(on, table, begin));
  core::bytes content;
  core::append_le(content, begin);
  core::append_le(content, checksum);
  core::append_le<std::uint64_t>(content, XXH3_64bits(content.data(), content.size()));
  STRATA_ASSIGN(io::new_file created, io::new_file::create(table + end_suffix + io::temporary_suffix, on));
  STRATA_TRY(created.append(content));
  return created.commit(table + end_suffix);
}

/// Passes if there is no file to compare it with.
core::result<void> check_end(io::disk& on, const std::string& table) {
  const auto file = on.open_for_reading(table + end_suffix);
  if (!file) return {};
  core::bytes content(end_size);
  if (!io::read_at(**file, 0, content, table) ||
      core::load_le<std::uint64_t>(&content[16]) != XXH3_64bits(content.data(), 16)) {
    core::log_warning(table + end_suffix + " is damaged; its table is not checked");
    return {};
  }
  STRATA_ASSIGN(const std::uint64_t found, checksum_of_end(on, table, core::load_le<std::uint64_t>(content.data())));
  if (found == core::load_le<std::uint64_t>(&content[8])) return {};
  return core::error{core::errc::corrupt, table + " is damaged: wrong checksum of its end"};
}

core::result<void> check_table_ends(io::disk& on, const std::string& path) {
  STRATA_ASSIGN(const std::vector<std::string> names, on.list(path));
  for (const std::string& name : names)
    if (name.ends_with(table_suffix)) STRATA_TRY(check_end(on, path + "/" + name));
  return {};
}

/// RocksDB reports a table before the manifest names it.
class table_listener final : public rocksdb::EventListener {
 public:
  table_listener(io::disk& on, std::shared_ptr<rocksdb_files> files) : disk_(on), files_(std::move(files)) {}
  void OnTableFileCreated(const rocksdb::TableFileCreationInfo& made) override {
    if (!made.status.ok() || made.file_size == 0) return;
    guarded([&] {
      if (const auto written = write_end(disk_, made.file_path, made.table_properties.data_size); !written)
        core::log_warning("the checksum of a metadata table was not written: " + core::to_string(written.error()));
    });
  }
  void OnTableFileDeleted(const rocksdb::TableFileDeletionInfo& gone) override {
    io::remove_quietly(disk_, gone.file_path + end_suffix);
  }

 private:
  void guarded(const std::function<void()>& work) { files_ ? files_->guard(work) : work(); }

  io::disk& disk_;
  std::shared_ptr<rocksdb_files> files_;
};

rocksdb::Options options_of(metadata_database::access how, io::disk& on, const std::shared_ptr<rocksdb_files>& files) {
  rocksdb::Options options;
  options.paranoid_checks = true;
  options.write_buffer_size = 8u << 20;
  options.max_total_wal_size = 32u << 20;
  options.max_open_files = 128;
  options.max_background_jobs = 2;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 4u << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  // If the log is damaged no family may have later edits than another one.
  options.atomic_flush = true;
  // Up to the first damage, and not one record after it; the seals show whether that is all that was acknowledged.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  if (how == metadata_database::access::write_without_compaction) {
    // A compaction that meets damage makes RocksDB refuse all writes.
    options.disable_auto_compactions = true;
    options.level0_slowdown_writes_trigger = 1 << 20;
    options.level0_stop_writes_trigger = 1 << 20;
  }
  options.listeners.push_back(std::make_shared<table_listener>(on, files));
  if (files) {
    files->use_in(options);
    // No concurrent or background work: a simulated disk needs the same calls in the same order.
    options.disable_auto_compactions = true;
    options.max_file_opening_threads = 1;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
  }
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kXXH3;
  table.block_cache = rocksdb::NewLRUCache(16u << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class rocksdb_database final : public metadata_database {
 public:
  rocksdb_database(std::string path, std::shared_ptr<rocksdb_files> files, std::unique_ptr<rocksdb::DB> db,
                   std::vector<rocksdb::ColumnFamilyHandle*> handles)
      : path_(std::move(path)), files_(std::move(files)), db_(std::move(db)), handles_(std::move(handles)) {}
  ~rocksdb_database() override {
    for (rocksdb::ColumnFamilyHandle* each : handles_) db_->DestroyColumnFamilyHandle(each);
    db_->Close();
  }

  core::result<std::optional<core::bytes>> get(metadata_family from, const std::string& key) override {
    core::may_block("read the metadata");
    std::string value;
    const rocksdb::Status status = db_->Get({}, handle(from), key, &value);
    rethrow();
    if (status.IsNotFound()) return std::optional<core::bytes>();
    if (!status.ok()) return failure("read " + std::string(to_string(from)) + " of " + path_, status);
    return std::optional(core::bytes(value.begin(), value.end()));
  }

  core::result<void> visit(metadata_family from, const std::string& begin, const visitor& each) override {
    core::may_block("read the metadata");
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, handle(from)));
    for (at->Seek(begin); at->Valid(); at->Next())
      if (!each({at->key().data(), at->key().size()}, view_of(at->value()))) return {};
    rethrow();
    if (!at->status().ok()) return failure("read " + std::string(to_string(from)) + " of " + path_, at->status());
    return {};
  }

  core::result<std::optional<std::string>> last_key(metadata_family from, const std::string& key) override {
    core::may_block("read the metadata");
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}, handle(from)));
    at->SeekForPrev(key);
    rethrow();
    if (at->Valid()) return std::optional(at->key().ToString());
    if (!at->status().ok()) return failure("read " + std::string(to_string(from)) + " of " + path_, at->status());
    return std::optional<std::string>();
  }

  core::result<void> write(std::span<const metadata_change> changes) override {
    core::may_block("write the metadata");
    rocksdb::WriteBatch batch;
    for (const metadata_change& each : changes)
      if (each.value)
        batch.Put(handle(each.family), each.key, slice_of(*each.value));
      else
        batch.Delete(handle(each.family), each.key);
    rocksdb::WriteOptions options;
    options.sync = true;
    const rocksdb::Status status = db_->Write(options, &batch);
    rethrow();
    if (!status.ok()) return failure("write " + path_, status);
    return {};
  }

 private:
  void rethrow() const {
    if (files_) files_->rethrow();
  }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(metadata_family of) const {
    return handles_[static_cast<std::size_t>(of)];
  }

  std::string path_;
  std::shared_ptr<rocksdb_files> files_;  ///< none on the machine's disk
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

core::result<std::unique_ptr<metadata_database>> open_with(const std::string& path, metadata_database::access how,
                                                           bool create, io::disk& on) {
  core::may_block("open the metadata");
  const bool read_only = how == metadata_database::access::read;
  if (!read_only) STRATA_TRY(check_space_to_open(on, path));
  if (!create) STRATA_TRY(check_table_ends(on, path));
  const auto files = &on == &io::real_disk() ? nullptr : std::make_shared<rocksdb_files>(on);
  rocksdb::Options options = options_of(how, on, files);
  if (create) options.create_if_missing = options.create_missing_column_families = options.error_if_exists = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const char* name : family_names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions(options));
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status =
      read_only ? rocksdb::DB::OpenForReadOnly(rocksdb::DBOptions(options), path, descriptors, &handles, &db)
                : rocksdb::DB::Open(rocksdb::DBOptions(options), path, descriptors, &handles, &db);
  if (files) files->rethrow();
  if (!status.ok()) {
    core::error why = failure("open metadata " + path, status);
    // A file that another one names.
    if (status.IsPathNotFound()) why.code = core::errc::corrupt;
    return why;
  }
  return std::unique_ptr<metadata_database>(
      std::make_unique<rocksdb_database>(path, files, std::unique_ptr<rocksdb::DB>(db), std::move(handles)));
}

}  // namespace

std::string_view to_string(metadata_family of) {
  return of == metadata_family::seals ? "seals" : family_names[static_cast<std::size_t>(of)];
}

core::result<std::unique_ptr<metadata_database>> metadata_database::open(const std::string& path, access how,
                                                                         io::disk& on) {
  return open_with(path, how, false, on);
}

core::result<std::unique_ptr<metadata_database>> metadata_database::create(const std::string& path, io::disk& on) {
  const std::string unfinished = path + io::temporary_suffix;
  STRATA_TRY(on.remove_directory(unfinished));
  // Closed before the rename: RocksDB remembers its path.
  if (auto made = open_with(unfinished, access::write, true, on); !made) return std::move(made).error();
  STRATA_TRY(io::publish_file(on, unfinished, path));
  return open(path, access::write, on);
}

core::result<void> metadata_database::visit_prefix(metadata_family from, const std::string& prefix,
                                                   const visitor& each) {
  return visit(from, prefix, [&](std::string_view key, core::bytes_view value) {
    return key.starts_with(prefix) && each(key, value);
  });
}

}  // namespace strata::storage
