#pragma once

#include <memory>

#include "bench/wal_source.hpp"
#include "config/options.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::bench {

/// A timeline store in a directory of its own, with a base backup imported: what the server has after `source add`.
class imported_timeline {
 public:
  explicit imported_timeline(const tar_backup& backup, const config::tenant_options& options = {},
                             std::uint64_t block_cache_bytes = config::server_options{}.block_cache_bytes);

  [[nodiscard]] const std::shared_ptr<storage::timeline_store>& store() const { return store_; }
  /// Closes the store and opens it again, caches cold.
  void reopen();

 private:
  void open_store();

  tests::temp_dir directory_;
  config::tenant_options options_;
  std::uint64_t block_cache_bytes_;
  std::unique_ptr<storage::metadata_store> metadata_;
  std::unique_ptr<storage::layer_cache> layers_;
  storage::timeline_record record_;
  std::shared_ptr<storage::timeline_store> store_;
};

}  // namespace strata::bench
