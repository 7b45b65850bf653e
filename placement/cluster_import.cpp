#include "placement/cluster_import.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"

namespace strata::placement {

bool cluster_import::was_interrupted(std::span<const storage::timeline_record> timelines) {
  return std::ranges::any_of(timelines, [](const storage::timeline_record& each) {
    return each.state == storage::timeline_state::importing && !each.ancestor && !each.source;
  });
}

void cluster_import::records_stored() {
  core::check(step_ == step::store_records, "the records of an import are stored once");
  step_ = step::import_files;
}

void cluster_import::files_imported() {
  core::check(step_ == step::import_files, "files are imported once their records are stored");
  step_ = step::imported;
}

void cluster_import::removed() {
  core::check(step_ == step::remove, "an import is removed once it failed");
  step_ = step::failed;
}

void cluster_import::fail(core::error why) {
  core::check(step_ == step::store_records || step_ == step::import_files, "an import fails once");
  error_ = std::move(why);
  step_ = step::remove;
}

storage::timeline_record root_record(const core::tenant_id& tenant, const core::timeline_id& id,
                                     const cluster_facts& facts, core::wall_time created) {
  return {.tenant = tenant,
          .id = id,
          .name = "main",
          .state = storage::timeline_state::importing,
          .major = facts.major,
          .system_id = facts.system_id,
          .wal_segment_size = facts.wal_segment_size,
          .data_checksums = facts.data_checksums,
          .wal_log_hints = facts.wal_log_hints,
          .created = created};
}

}  // namespace strata::placement
