#include "bench/imported_timeline.hpp"

#include <fstream>

#include "bench/demand.hpp"
#include "core/clock.hpp"
#include "storage/mapping/base_backup_import.hpp"

namespace strata::bench {

using namespace storage;

namespace {

mapping::imported_cluster import_file(const std::shared_ptr<timeline_store>& store, const tar_backup& backup) {
  mapping::base_backup_import import(store, {.start = backup.start});
  demand(import.begin_archive(0));
  std::ifstream file(backup.file, std::ios::binary);
  core::bytes piece(1u << 20);
  while (file) {
    file.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    demand(import.add(core::bytes_view(piece).first(static_cast<std::size_t>(file.gcount()))));
  }
  return demand(import.finish(backup.end));
}

}  // namespace

imported_timeline::imported_timeline(const tar_backup& backup, const config::tenant_options& options,
                                     std::uint64_t block_cache_bytes)
    : options_(options), block_cache_bytes_(block_cache_bytes) {
  metadata_ = demand(metadata_store::open(directory_ / "metadata"));
  record_.tenant = core::make_id<core::tenant_id>();
  record_.id = core::make_id<core::timeline_id>();
  record_.name = "main";
  record_.state = timeline_state::importing;
  demand(
      metadata_->put_tenant({.id = record_.tenant, .name = "bench", .generation = core::generation(1), .options = {}}));
  demand(metadata_->put_timeline(record_));
  open_store();
  const mapping::imported_cluster cluster = import_file(store_, backup);
  record_ = store_->record();
  record_.state = timeline_state::active;
  record_.major = cluster.major;
  record_.system_id = cluster.system_id;
  record_.wal_segment_size = cluster.wal_segment_size;
  record_.data_checksums = cluster.data_checksums;
  record_.wal_log_hints = cluster.wal_log_hints;
  demand(metadata_->put_timeline(record_));
  open_store();
}

void imported_timeline::reopen() {
  record_ = store_->record();
  open_store();
}

void imported_timeline::open_store() {
  store_.reset();
  layers_ = std::make_unique<layer_cache>(block_cache_bytes_, config::server_options{}.open_layers_max);
  const std::filesystem::path files = directory_ / "layers";
  std::filesystem::create_directories(files);
  store_ = demand(timeline_store::open({.metadata = metadata_.get(),
                                        .layers = layers_.get(),
                                        .clock = &core::system_clock(),
                                        .directory = files.string(),
                                        .options = options_},
                                       record_, nullptr));
}

}  // namespace strata::bench
