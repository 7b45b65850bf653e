#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/result.hpp"
#include "storage/metadata/metadata_copy.hpp"
#include "storage/metadata/metadata_database.hpp"
#include "storage/metadata/metadata_seal.hpp"

namespace strata::storage {

/// The result of reading all records of a tenant.
struct tenant_scan {
  tenant_seal found;                  ///< of the content; edits are those of `stored`
  std::optional<stored_seal> stored;  ///< in RocksDB
  std::optional<metadata_copy> record;
  std::vector<metadata_copy> timelines;  ///< the copies that its timelines must have
  std::optional<core::error> failure;    ///< a record could not be read or decoded

  [[nodiscard]] std::string name() const;
};
tenant_scan scan_tenant(metadata_database& database, const core::tenant_id& tenant);

/// A tenant, checked at start-up.
struct checked_tenant {
  tenant_scan scan;
  std::optional<filed_seal> filed;
  seal_verdict verdict;
  /// Why it can't be used, with the place of the damage.
  std::optional<core::error> damage;
  std::vector<metadata_copy> outdated;  ///< current content of copies that are missing, damaged or older

  [[nodiscard]] std::string name() const;
};
using checked_tenants = std::map<core::tenant_id, checked_tenant>;

/// Reads every record of all tenants, of RocksDB and of those that have a seal, and compares them with the seals and
/// the copies: a copy of a later edit proves that the metadata is older.
core::result<checked_tenants> check_tenants(metadata_database& database, const seal_files& seals,
                                            const copy_files& copies);

/// The tenants that have records.
std::vector<core::tenant_id> tenants_in(metadata_database& database);

}  // namespace strata::storage
