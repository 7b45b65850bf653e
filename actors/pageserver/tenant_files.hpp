#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// One timeline at start-up: its store, or why there is none.
struct loaded_timeline {
  storage::timeline_record record;
  core::result<std::shared_ptr<storage::timeline_store>> store;
};

/// How a tenant is attached to this pageserver.
struct tenant_attachment {
  core::generation generation;
  config::tenant_options options;
};

/// The blocking operations on tenants and timelines: metadata and directories. Thread safe; io and background
/// pools only. Its arguments outlive it.
class tenant_files {
 public:
  tenant_files(storage::metadata_store& metadata, storage::layer_cache& layers, const core::clock& clock,
               std::string directory)
      : metadata_(metadata), layers_(layers), clock_(clock), directory_(std::move(directory)) {}

  [[nodiscard]] storage::metadata_store& metadata() const { return metadata_; }
  [[nodiscard]] std::string timeline_directory(const core::tenant_id& tenant, const core::timeline_id& timeline) const;

  /// The files of a timeline in state importing are removed: its import starts over.
  core::result<std::shared_ptr<storage::timeline_store>> open(const storage::timeline_record& record,
                                                              std::shared_ptr<storage::timeline_store> ancestor,
                                                              const tenant_attachment& as) const;

  /// All timelines of a tenant, ancestors first. A damaged one, and all its descendants, come without a
  /// store; interrupted imports are emptied, interrupted deletions completed.
  core::result<std::vector<loaded_timeline>> load(const core::tenant_id& tenant, const tenant_attachment& as) const;

  /// Removes the tenants whose creation from files a crash has cut short (placement::cluster_import); their names.
  core::result<std::vector<std::string>> remove_interrupted_imports() const;
  /// Of one timeline; its record stays.
  core::result<void> remove_files(const core::tenant_id& tenant, const core::timeline_id& timeline) const;
  /// Of a timeline that is marked as deleted, and has no actor: removes its files, then the record.
  core::result<void> remove_timeline(const core::tenant_id& tenant, const core::timeline_id& timeline) const;
  /// The file of slots that are still to be dropped.
  [[nodiscard]] std::string slot_drops_file() const { return directory_ + "/slots_to_drop"; }
  /// With all its timelines. A crash in between leaves a tenant that can be removed again, and no unknown files:
  /// everything is marked first, and files are removed before the records that name them.
  core::result<void> remove_tenant(const core::tenant_id& tenant) const;
  /// Removes the files of a failed import; the next attempt starts over in any case.
  core::result<void> discard_import(const storage::timeline_record& record, const tenant_attachment& as) const;
  /// Directories of tenants and timelines that no record names.
  core::result<std::vector<std::string>> unknown_directories() const;

 private:
  storage::metadata_store& metadata_;
  storage::layer_cache& layers_;
  const core::clock& clock_;
  std::string directory_;
};

}  // namespace strata::actors::pageserver
