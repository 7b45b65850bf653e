#pragma once

#include <memory>

#include "core/clock.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// A timeline store in a directory of its own. Failures throw std::runtime_error.
struct timeline_home {
  explicit timeline_home(const storage::timeline_record& like = {});
  /// Closes and opens it with what the record says now.
  void reopen(const storage::timeline_record& record);

  temp_dir directory;
  core::manual_clock clock;
  std::unique_ptr<storage::metadata_store> metadata;
  std::unique_ptr<storage::layer_cache> layers;
  storage::timeline_record record;
  std::shared_ptr<storage::timeline_store> store;
};

}  // namespace strata::tests
