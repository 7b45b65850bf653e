#pragma once

#include <vector>

#include "core/ids.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::actors::pageserver {

/// A tenant's timelines, every ancestor before its descendants. Timelines whose line of ancestors does not end
/// at a root (an ancestor is missing, or they form a ring) are in `stranded`.
struct ordered_timelines {
  std::vector<storage::timeline_record> usable;
  std::vector<storage::timeline_record> stranded;
};
ordered_timelines order_by_ancestry(std::vector<storage::timeline_record> timelines);

}  // namespace strata::actors::pageserver
