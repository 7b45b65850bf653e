#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"

/// The second copy of the metadata of a tenant or a timeline, without commit times: a file beside the data that it
/// describes, from which `strata metadata rebuild` recreates the metadata (docs/formats/metadata.md).
namespace strata::storage {

struct metadata_copy {
  core::tenant_id tenant;
  std::optional<core::timeline_id> timeline;  ///< none: the copy of the tenant's own record
  std::uint64_t edits = 0;                    ///< of the tenant, when the copy was written
  core::bytes record;                         ///< as in RocksDB, like the layers
  std::uint64_t last_layer_number = 0;
  using numbered_records = std::vector<std::pair<std::uint64_t, core::bytes>>;
  numbered_records layers;
  numbered_records side_files;

  [[nodiscard]] bool says_the_same(const metadata_copy& other) const {
    return record == other.record && last_layer_number == other.last_layer_number && layers == other.layers &&
           side_files == other.side_files;
  }
};

core::bytes encode(const metadata_copy& copy);
/// errc::corrupt when it is damaged, or a copy of something other than `tenant` and `timeline`.
core::result<metadata_copy> decode_copy(core::bytes_view content, const core::tenant_id& tenant,
                                        const std::optional<core::timeline_id>& timeline);

/// DIRECTORY/TENANT/tenant.copy and DIRECTORY/TENANT/timelines/TIMELINE/timeline.copy.
class copy_files {
 public:
  explicit copy_files(std::string directory, io::disk& on = io::real_disk())
      : directory_(std::move(directory)), disk_(&on) {}

  [[nodiscard]] std::string timeline_directory(const core::tenant_id& tenant, const core::timeline_id& timeline) const;
  [[nodiscard]] std::string path_of(const core::tenant_id& tenant,
                                    const std::optional<core::timeline_id>& timeline) const;
  /// errc::not_found when there is none.
  core::result<metadata_copy> read(const core::tenant_id& tenant,
                                   const std::optional<core::timeline_id>& timeline) const;
  /// Durable on return.
  core::result<void> write(const metadata_copy& copy) const;
  /// Not an error if there is none. Durable on return.
  core::result<void> remove(const core::tenant_id& tenant, const std::optional<core::timeline_id>& timeline) const;

  /// The tenants with a directory, whether it has a copy or not.
  core::result<std::vector<core::tenant_id>> tenants() const;
  core::result<std::vector<core::timeline_id>> timelines(const core::tenant_id& tenant) const;

 private:
  std::string directory_;
  io::disk* disk_;
};

}  // namespace strata::storage
