#include "storage/metadata/metadata_opening.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "core/log.hpp"
#include "io/file.hpp"
#include "storage/metadata/identity_file.hpp"
#include "storage/metadata/metadata_codec.hpp"
#include "storage/metadata/metadata_scan.hpp"
#include "storage/metadata/metadata_space.hpp"

namespace strata::storage {

namespace {

namespace fs = std::filesystem;
using access = metadata_database::access;

constexpr const char* kept_prefix = "damaged-";
/// In a kept directory: the ids of the tenants that were damaged, one a line.
constexpr const char* kept_tenants = "tenants";

core::result<void> sync_file(const std::string& path) {
  STRATA_ASSIGN(const io::unique_fd file, io::open_for_reading(path));
  return io::sync_or_die(file, path);
}

using tenant_names = std::set<std::string>;  ///< ids as text

core::result<void> write_kept_tenants(const fs::path& kept, const tenant_names& ids) {
  core::bytes list;
  for (const std::string& id : ids) {
    list.insert(list.end(), id.begin(), id.end());
    list.push_back('\n');
  }
  const std::string path = kept / kept_tenants;
  STRATA_ASSIGN(io::new_file file, io::new_file::create(path + io::temporary_suffix));
  STRATA_TRY(file.append(list));
  return file.commit(path);
}

/// Whether the damage of all of `damaged` is kept. The kept directories forget who is whole again: the next damage of
/// such a tenant is another one.
core::result<bool> is_kept(const std::string& directory, const tenant_names& damaged) {
  bool all = false;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (!at->path().filename().string().starts_with(kept_prefix)) continue;
    tenant_names listed, still;
    std::ifstream list(at->path() / kept_tenants);
    for (std::string line; std::getline(list, line);) listed.insert(line);
    std::set_intersection(listed.begin(), listed.end(), damaged.begin(), damaged.end(),
                          std::inserter(still, still.end()));
    if (still != listed) STRATA_TRY(write_kept_tenants(at->path(), still));
    all = all || still == damaged;
  }
  if (error) return core::from_errno("read directory " + directory, error.value());
  return all;
}

/// A copy of RocksDB's files as they are: opening for writing replaces some of them.
core::result<void> keep_damaged(const metadata_paths& paths, const std::vector<damaged_tenant>& damaged) {
  tenant_names ids;
  for (const damaged_tenant& each : damaged) ids.insert(to_string(each.id));
  STRATA_ASSIGN(const bool kept, is_kept(paths.directory, ids));
  if (kept || ids.empty()) return {};
  // Not half a copy at every start.
  STRATA_TRY(check_metadata_space(paths.database, space_use::opening, "the damaged metadata can't be kept",
                                  bytes_in(paths.database)));
  const std::string to = paths.kept();
  std::error_code error;
  fs::create_directory(to, error);
  for (fs::directory_iterator at(paths.database, error), end; !error && at != end; at.increment(error)) {
    const fs::path copy = fs::path(to) / at->path().filename();
    if (at->path().extension() == ".sst") {
      fs::create_hard_link(at->path(), copy, error);
    } else if (at->is_regular_file()) {
      fs::copy_file(at->path(), copy, error);
      if (!error) STRATA_TRY(sync_file(copy.string()));
    }
    if (error) break;
  }
  if (error) return core::from_errno("keep a copy of the damaged metadata in " + to, error.value());
  STRATA_TRY(write_kept_tenants(to, ids));
  core::log_warning("the damaged metadata is kept as it was in " + to);
  return io::sync_directory(paths.directory);
}

/// A directory of version 1: what it holds is believed once, and sealed.
core::result<void> upgrade(const metadata_paths& paths, const seal_files& seals) {
  core::log_info("metadata in " + paths.directory + ": from format version 1 to " + std::to_string(directory_version));
  {
    STRATA_ASSIGN(const auto database, metadata_database::open(paths.database, access::upgrade));
    for (const core::tenant_id& tenant : tenants_in(*database)) {
      const tenant_scan scan = scan_tenant(*database, tenant);
      if (scan.failure) return scan.failure->within("seal the metadata of tenant " + to_string(tenant));
      tenant_seal seal = scan.found;
      seal.edits = 2;  // its first may be without a file
      const metadata_change change{metadata_family::seals, metadata_codec::tenant_key(tenant),
                                   encode(stored_seal{seal, {}})};
      STRATA_TRY(database->write({&change, 1}));
      STRATA_TRY(seals.write(tenant, {seal, scan.name()}));
    }
  }
  return write_identity_file(paths.directory);
}

core::result<std::unique_ptr<metadata_database>> create(const metadata_paths& paths, const seal_files& seals,
                                                        const copy_files& copies) {
  STRATA_ASSIGN(const auto filed, seals.load());
  if (!filed.empty())
    return core::error{core::errc::corrupt, "directory " + paths.database + " is missing, and " + paths.seals +
                                                " has the seals of " + std::to_string(filed.size()) + " tenants"};
  STRATA_ASSIGN(const auto tenants, copies.tenants());
  for (const core::tenant_id& tenant : tenants)
    if (const std::string path = copies.path_of(tenant, std::nullopt); fs::exists(path))
      return core::error{core::errc::corrupt, "directory " + paths.database + " is missing, and there is " + path};
  return metadata_database::create(paths.database);
}

/// Between the two openings nobody else may have changed anything.
core::result<void> check_reopened(metadata_database& database, const checked_tenants& all) {
  for (const auto& [tenant, checked] : all) {
    if (checked.damage) continue;
    STRATA_ASSIGN(const auto stored, database.get(metadata_family::seals, metadata_codec::tenant_key(tenant)));
    if (stored.has_value() != checked.scan.stored.has_value() || (stored && *stored != encode(*checked.scan.stored)))
      return core::error{core::errc::corrupt, "the metadata of tenant " + to_string(tenant) +
                                                  " is another one when it is opened for writing"};
  }
  return {};
}

/// Brings what lies beside RocksDB up to it.
core::result<void> settle(opened_metadata& made, const checked_tenants& all) {
  for (const auto& [tenant, checked] : all) {
    if (checked.damage) continue;
    if (checked.verdict.is == seal_verdict::kind::gone) {
      STRATA_TRY(made.seals.remove(tenant));
      const metadata_change change{metadata_family::seals, metadata_codec::tenant_key(tenant), std::nullopt};
      if (checked.scan.stored) STRATA_TRY(made.database->write({&change, 1}));
      continue;
    }
    filed_seal& seal = made.sealed[tenant];
    seal = {checked.scan.stored->now, checked.name()};
    if (checked.verdict.is == seal_verdict::kind::ahead) STRATA_TRY(made.seals.write(tenant, seal));
    for (const metadata_copy& each : checked.outdated)
      if (const auto written = made.copies.write(each); !written)
        core::log_warning("no copy of metadata: " + core::to_string(written.error()));
  }
  return {};
}

}  // namespace

std::string metadata_paths::kept() const {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  std::string name = directory + "/" + kept_prefix + text;
  std::error_code ignored;
  for (int i = 2; fs::exists(name, ignored); ++i) name = directory + "/" + kept_prefix + text + "-" + std::to_string(i);
  return name;
}

core::result<opened_metadata> open_metadata(const std::string& directory, const std::string& copies) {
  const metadata_paths paths(directory);
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return core::from_errno("create directory " + directory, error.value());
  // Before anything is written that would fail with less to say.
  STRATA_TRY(check_space_to_open(paths.database));
  STRATA_ASSIGN(io::directory_lock lock, io::directory_lock::take(directory));
  opened_metadata made{
      .lock = std::move(lock), .path = paths.database, .seals = seal_files(paths.seals), .copies = copy_files(copies)};
  const bool in_use = fs::exists(paths.database, error) || fs::exists(paths.seals, error);
  STRATA_ASSIGN(const std::uint32_t version, check_identity_file(directory, in_use));
  if (!fs::exists(paths.database, error)) {
    if (version < directory_version) {
      STRATA_ASSIGN(const auto left, made.copies.tenants());
      if (!left.empty())
        return core::error{core::errc::corrupt, "directory " + paths.database + " is missing, and there are those of " +
                                                    std::to_string(left.size()) + " tenants"};
    }
    STRATA_ASSIGN(made.database, create(paths, made.seals, made.copies));
    STRATA_TRY(made.seals.make_directory());
    if (version < directory_version) STRATA_TRY(write_identity_file(directory));
    return made;
  }
  STRATA_TRY(made.seals.make_directory());
  if (version < directory_version) STRATA_TRY(upgrade(paths, made.seals));

  checked_tenants all;
  {
    STRATA_ASSIGN(const auto reading, metadata_database::open(paths.database, access::read));
    STRATA_ASSIGN(all, check_tenants(*reading, made.seals, made.copies));
  }
  for (const auto& [tenant, checked] : all)
    if (checked.damage) {
      const std::string name = checked.name();
      made.damaged.push_back({tenant, name.empty() ? to_string(tenant) : name, *checked.damage});
      core::log_error("tenant " + made.damaged.back().name + " is broken: " + core::to_string(*checked.damage));
    }
  STRATA_TRY(keep_damaged(paths, made.damaged));
  STRATA_ASSIGN(
      made.database,
      metadata_database::open(paths.database, made.damaged.empty() ? access::write : access::write_without_compaction));
  STRATA_TRY(check_reopened(*made.database, all));
  STRATA_TRY(settle(made, all));
  return made;
}

}  // namespace strata::storage
