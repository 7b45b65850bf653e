#pragma once

#include <span>
#include <string>

#include "storage/records.hpp"

namespace strata::placement {

/// The creation of a tenant whose root has the data of a cluster that is shut down. The owner carries out the step that
/// now() names and hands over its outcome.
///
///   store_records -> import_files -> imported
///         `---------------`--> remove -> failed
///
/// The root is in state importing from the first durable step on, and active in the same step that makes its data
/// readable: a crash leaves either a whole tenant or one that was_interrupted(), which the next start removes. Unlike
/// a base backup the import is not repeated: whether the data are still those that were asked for nobody knows then.
class cluster_import {
 public:
  enum class step { store_records, import_files, remove, imported, failed };

  /// Of the timelines of a tenant.
  static bool was_interrupted(std::span<const storage::timeline_record> timelines);

  [[nodiscard]] step now() const { return step_; }
  [[nodiscard]] bool ended() const { return step_ == step::imported || step_ == step::failed; }
  /// Precondition: now() is remove or failed. Of the step that failed first.
  [[nodiscard]] const core::error& error() const { return error_; }

  void records_stored();
  void files_imported();
  /// What there was of the tenant is removed, or is left to the next start.
  void removed();
  /// Of the present step. Precondition: that is store_records or import_files.
  void fail(core::error why);

 private:
  step step_ = step::store_records;
  core::error error_;
};

/// The root of a tenant without a source, before its data are imported. `facts` names what its control file has.
struct cluster_facts {
  pg::major_version major = pg::major_version::v15;
  std::uint64_t system_id = 0;
  std::uint32_t wal_segment_size = pg::default_wal_segment_size;
  bool data_checksums = false;
  bool wal_log_hints = false;
};
storage::timeline_record root_record(const core::tenant_id& tenant, const core::timeline_id& id,
                                     const cluster_facts& facts, core::wall_time created);

}  // namespace strata::placement
