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
  core::lsn recovered_to;  ///< disk_consistent_lsn: what came later is to come again from the WAL
  std::size_t layers = 0;
  std::vector<std::string> damaged_layers;  ///< files that are missing or not what they are to be; reads need them fail
};

struct rebuild_report {
  std::string kept_in;                      ///< where the damaged metadata is now
  std::vector<std::string> whole;           ///< tenants that were taken over as they are
  std::vector<rebuilt_timeline> timelines;  ///< of the others, from their copies; their commit times are lost
  std::vector<std::string> lost;            ///< what could not be rebuilt, and why

  [[nodiscard]] bool complete() const;
};

/// Makes the metadata of a server that is not running anew: tenants that are whole as they are, the others from their
/// copies (metadata_copy.hpp), with every layer file that a copy names looked at. The metadata before is kept in a
/// directory of its own. errc::conflict when nothing is damaged, unless `force`: then all comes from the copies.
core::result<rebuild_report> rebuild_metadata(const std::string& directory, const std::string& copies, bool force,
                                              io::disk& on = io::real_disk());

}  // namespace strata::storage
