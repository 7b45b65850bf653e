#pragma once

#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::storage {

struct rebuilt_timeline {
  std::string tenant;
  std::string name;
  core::timeline_id id;
  core::lsn recovered_to;  ///< disk_consistent_lsn: later changes must be ingested again from WAL
  std::size_t layers = 0;
  std::vector<std::string> damaged_layers;  ///< files that are missing or damaged; reads that need them fail
};

struct rebuild_report {
  std::string kept_in;                      ///< where the damaged metadata is now
  std::vector<std::string> whole;           ///< undamaged tenants, kept unchanged
  std::vector<rebuilt_timeline> timelines;  ///< of the others, from their copies; their commit times are lost
  std::vector<std::string> lost;            ///< what could not be rebuilt, and why

  [[nodiscard]] bool complete() const;
};

/// Rebuilds the metadata of a server that is not running: undamaged tenants are kept, the others are recreated from
/// their copies (metadata_copy.hpp), and every layer file that a copy names is checked. The old metadata is kept in a
/// directory of its own. errc::conflict when nothing is damaged, unless `force`: then all comes from the copies.
core::result<rebuild_report> rebuild_metadata(const std::string& directory, const std::string& copies, bool force,
                                              io::disk& on = io::real_disk());

}  // namespace strata::storage
