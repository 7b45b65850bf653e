#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "io/disk.hpp"
#include "storage/records.hpp"

namespace strata::storage {

/// A tenant whose records are not the acknowledged ones.
struct damaged_tenant {
  core::tenant_id id;
  std::string name;  ///< its id when the name can't be read
  core::error why;
};

/// The metadata of one server: tenants, timelines, layers, commit times, in one RocksDB. Every put is durable on
/// return. All calls block: background and io pools only, except at start-up. Thread safe.
///
/// An edit that is refused (no space, a record that can't be read) has changed nothing. A failed write ends the
/// process: whether it happened is unknown, and RocksDB accepts no other one.
class metadata_store {
 public:
  /// Locks the directory: errc::conflict names the process that holds the lock. Creates the store when there is none.
  /// Uses only what was acknowledged last (docs/decisions/0030): a damaged tenant is in damaged(), and all calls for it
  /// fail with the reason; errc::corrupt when nothing can be read. `copies`: the directory of the second copies,
  /// TENANT/ and TENANT/timelines/TIMELINE/; empty: the metadata's directory itself. `on` outlives the store.
  static core::result<std::unique_ptr<metadata_store>> open(const std::string& directory,
                                                            const std::string& copies = {},
                                                            io::disk& on = io::real_disk());
  virtual ~metadata_store() = default;

  [[nodiscard]] virtual const std::vector<damaged_tenant>& damaged() const = 0;

  virtual core::result<void> put_tenant(const tenant_record& tenant) = 0;
  virtual core::result<void> delete_tenant(const core::tenant_id& id) = 0;
  /// The undamaged ones.
  virtual core::result<std::vector<tenant_record>> tenants() = 0;

  virtual core::result<void> put_timeline(const timeline_record& timeline) = 0;
  /// errc::not_found.
  virtual core::result<timeline_record> timeline(const core::tenant_id& tenant, const core::timeline_id& id) = 0;
  /// Deletes its layers, commit times and side files, too. The same step records the deletion of its WAL for every
  /// safekeeper on which the timeline was or may have been created.
  virtual core::result<void> delete_timeline(const core::tenant_id& tenant, const core::timeline_id& id) = 0;
  virtual core::result<std::vector<timeline_record>> timelines(const core::tenant_id& tenant) = 0;

  virtual core::result<std::vector<layer_record>> layers(const core::tenant_id& tenant,
                                                         const core::timeline_id& id) = 0;
  /// By number.
  virtual core::result<std::vector<side_file_record>> side_files(const core::tenant_id& tenant,
                                                                 const core::timeline_id& id) = 0;
  /// The highest number any layer of the timeline ever had, 0 for none.
  virtual core::result<std::uint64_t> last_layer_number(const core::tenant_id& tenant, const core::timeline_id& id) = 0;
  virtual core::result<void> apply(const core::tenant_id& tenant, const core::timeline_id& id,
                                   const timeline_edit& edit) = 0;
  /// Applies the edit to a timeline and puts its successor, all or nothing.
  virtual core::result<void> replace_timeline(const core::tenant_id& tenant, const core::timeline_id& id,
                                              const timeline_edit& edit, const timeline_record& successor) = 0;

  /// Commit times in [begin, end) in LSN order until the visitor returns false.
  virtual core::result<void> visit_commit_times(const core::tenant_id& tenant, const core::timeline_id& id,
                                                core::lsn begin, core::lsn end,
                                                const std::function<bool(const commit_time&)>& visitor) = 0;

  /// Over all tenants.
  virtual core::result<pending_wal_operations> pending_operations() = 0;
  /// The timeline's WAL was deleted on this safekeeper.
  virtual core::result<void> wal_deleted(const core::tenant_id& tenant, const core::timeline_id& id,
                                         consensus::node_id from) = 0;
};

}  // namespace strata::storage
