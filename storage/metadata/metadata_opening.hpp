#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/directory_lock.hpp"
#include "storage/metadata/metadata_copy.hpp"
#include "storage/metadata/metadata_database.hpp"
#include "storage/metadata/metadata_seal.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::storage {

/// Paths in the metadata's directory.
struct metadata_paths {
  explicit metadata_paths(const std::string& directory)
      : directory(directory), database(directory + "/metadata"), seals(directory + "/seals") {}
  std::string directory;
  std::string database;
  std::string seals;
  /// A new name for the kept copy of damaged metadata: "damaged-20261130T014704Z".
  [[nodiscard]] std::string kept(io::disk& on) const;
};

/// Metadata that was checked and is open for writing.
struct opened_metadata {
  io::disk* disk = nullptr;
  std::optional<io::directory_lock> lock;
  std::string path;
  std::unique_ptr<metadata_database> database;
  seal_files seals;
  copy_files copies;
  std::map<core::tenant_id, filed_seal> sealed;  ///< of the undamaged tenants
  std::vector<damaged_tenant> damaged;
};

/// Reads and checks everything before it changes anything; then opens the metadata for writing, without the damaged
/// tenants. A damaged RocksDB is first copied, unchanged, to a directory of its own.
core::result<opened_metadata> open_metadata(const std::string& directory, const std::string& copies, io::disk& on);

}  // namespace strata::storage
