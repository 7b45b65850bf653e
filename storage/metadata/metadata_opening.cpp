#include "storage/metadata/metadata_opening.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iterator>
#include <set>
#include <sstream>

#include "core/log.hpp"
#include "io/file.hpp"
#include "io/replace_file.hpp"
#include "storage/metadata/identity_file.hpp"
#include "storage/metadata/metadata_codec.hpp"
#include "storage/metadata/metadata_scan.hpp"
#include "storage/metadata/metadata_space.hpp"

namespace strata::storage {

namespace {

using access = metadata_database::access;

constexpr const char* kept_prefix = "damaged-";
/// In a kept directory: the ids of the tenants that were damaged, one a line.
constexpr const char* kept_tenants = "tenants";

constexpr std::uint64_t kept_tenants_size_max = 64u << 20;

using tenant_names = std::set<std::string>;  ///< ids as text

core::result<void> write_kept_tenants(io::disk& on, const std::string& kept, const tenant_names& ids) {
  std::string list;
  for (const std::string& id : ids) list += id + "\n";
  return io::replace_file(kept + "/" + kept_tenants, list, {}, on);
}

/// Empty when the list cannot be read: then the directory holds no tenant's damage.
tenant_names read_kept_tenants(io::disk& on, const std::string& kept) {
  tenant_names listed;
  const auto list = io::read_file(on, kept + "/" + kept_tenants, kept_tenants_size_max);
  if (!list) return listed;
  std::istringstream lines(std::string(list->begin(), list->end()));
  for (std::string line; std::getline(lines, line);) listed.insert(line);
  return listed;
}

/// Whether the damage of all of `damaged` is kept. A tenant that is whole again is removed from the lists: its next
/// damage is another one.
core::result<bool> is_kept(io::disk& on, const std::string& directory, const tenant_names& damaged) {
  bool all = false;
  STRATA_ASSIGN(const std::vector<std::string> names, on.list(directory));
  for (const std::string& name : names) {
    if (!name.starts_with(kept_prefix)) continue;
    const std::string kept = directory + "/" + name;
    const tenant_names listed = read_kept_tenants(on, kept);
    tenant_names still;
    std::set_intersection(listed.begin(), listed.end(), damaged.begin(), damaged.end(),
                          std::inserter(still, still.end()));
    if (still != listed) STRATA_TRY(write_kept_tenants(on, kept, still));
    all = all || still == damaged;
  }
  return all;
}

core::result<void> copy_database(io::disk& on, const std::string& from, const std::string& to) {
  STRATA_TRY(io::ensure_directory(on, to));
  STRATA_ASSIGN(const std::vector<std::string> names, on.list(from));
  for (const std::string& name : names) {
    if (!on.file_size(from + "/" + name)) continue;
    const bool never_changed = name.ends_with(".sst");
    STRATA_TRY(never_changed ? on.link(from + "/" + name, to + "/" + name)
                             : io::copy_file(on, from + "/" + name, to + "/" + name));
  }
  return {};
}

/// Copies RocksDB's files unchanged: opening for writing replaces some of them.
core::result<void> keep_damaged(io::disk& on, const metadata_paths& paths, const std::vector<damaged_tenant>& damaged) {
  tenant_names ids;
  for (const damaged_tenant& each : damaged) ids.insert(to_string(each.id));
  STRATA_ASSIGN(const bool kept, is_kept(on, paths.directory, ids));
  if (kept || ids.empty()) return {};
  // Without space every start would leave half a copy.
  STRATA_TRY(check_metadata_space(on, paths.database, space_use::opening, "the damaged metadata can't be kept",
                                  bytes_in(on, paths.database)));
  const std::string to = paths.kept(on);
  if (auto copied = copy_database(on, paths.database, to); !copied)
    return std::move(copied).error().within("copy the damaged metadata to " + to);
  STRATA_TRY(write_kept_tenants(on, to, ids));
  core::log_warning("the damaged metadata is kept unchanged in " + to);
  on.sync_directory(paths.directory);
  return {};
}

core::result<std::unique_ptr<metadata_database>> create(io::disk& on, const metadata_paths& paths,
                                                        const seal_files& seals, const copy_files& copies) {
  STRATA_ASSIGN(const auto filed, seals.load());
  if (!filed.empty())
    return core::error{core::errc::corrupt, "directory " + paths.database + " is missing, and " + paths.seals +
                                                " has the seals of " + std::to_string(filed.size()) + " tenants"};
  STRATA_ASSIGN(const auto tenants, copies.tenants());
  for (const core::tenant_id& tenant : tenants)
    if (const std::string path = copies.path_of(tenant, std::nullopt); on.exists(path))
      return core::error{core::errc::corrupt, "directory " + paths.database + " is missing, and there is " + path};
  return metadata_database::create(paths.database, on);
}

/// Nothing else may have changed the metadata between the two openings.
core::result<void> check_reopened(metadata_database& database, const checked_tenants& all) {
  for (const auto& [tenant, checked] : all) {
    if (checked.damage) continue;
    STRATA_ASSIGN(const auto stored, database.get(metadata_family::seals, metadata_codec::tenant_key(tenant)));
    if (stored.has_value() != checked.scan.stored.has_value() || (stored && *stored != encode(*checked.scan.stored)))
      return core::error{core::errc::corrupt,
                         "the metadata of tenant " + to_string(tenant) + " changed while it was opened for writing"};
  }
  return {};
}

/// Updates the files beside RocksDB to its content.
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
        core::log_warning("the copy of the metadata was not written: " + core::to_string(written.error()));
  }
  return {};
}

}  // namespace

std::string metadata_paths::kept(io::disk& on) const {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  std::string name = directory + "/" + kept_prefix + text;
  for (int i = 2; on.exists(name); ++i) name = directory + "/" + kept_prefix + text + "-" + std::to_string(i);
  return name;
}

core::result<opened_metadata> open_metadata(const std::string& directory, const std::string& copies, io::disk& on) {
  const metadata_paths paths(directory);
  STRATA_TRY(io::make_directories(on, directory));
  // Before a write fails with a less precise error.
  STRATA_TRY(check_space_to_open(on, paths.database));
  STRATA_ASSIGN(auto lock, io::lock_directory(on, directory));
  opened_metadata made{.disk = &on,
                       .lock = std::move(lock),
                       .path = paths.database,
                       .seals = seal_files(paths.seals, on),
                       .copies = copy_files(copies, on)};
  const bool in_use = on.exists(paths.database) || on.exists(paths.seals);
  STRATA_TRY(check_identity_file(on, directory, in_use));
  if (!on.exists(paths.database)) {
    STRATA_ASSIGN(made.database, create(on, paths, made.seals, made.copies));
    STRATA_TRY(made.seals.make_directory());
    return made;
  }
  STRATA_TRY(made.seals.make_directory());

  checked_tenants all;
  {
    STRATA_ASSIGN(const auto reading, metadata_database::open(paths.database, access::read, on));
    STRATA_ASSIGN(all, check_tenants(*reading, made.seals, made.copies));
  }
  for (const auto& [tenant, checked] : all)
    if (checked.damage) {
      const std::string name = checked.name();
      made.damaged.push_back({tenant, name.empty() ? to_string(tenant) : name, *checked.damage});
      core::log_error("tenant " + made.damaged.back().name + " is broken: " + core::to_string(*checked.damage));
    }
  STRATA_TRY(keep_damaged(on, paths, made.damaged));
  STRATA_ASSIGN(made.database,
                metadata_database::open(paths.database,
                                        made.damaged.empty() ? access::write : access::write_without_compaction, on));
  STRATA_TRY(check_reopened(*made.database, all));
  STRATA_TRY(settle(made, all));
  return made;
}

}  // namespace strata::storage
