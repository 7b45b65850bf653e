#include "pg/files/data_directory.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "pg/wal/version.hpp"

namespace strata::pg::files {
namespace {

constexpr std::string_view fork_suffix[fork_count] = {"", "_fsm", "_vm", "_init"};
/// Relation files are numbered up to the last one of a 32-bit block number.
constexpr std::uint32_t segment_last =
    static_cast<std::uint32_t>((std::uint64_t{1} << 32) / blocks_per_relation_segment - 1);

/// At most this many parts are parsed: pg_tblspc/<oid>/<version>/<database>/<file>.
struct path_parts {
  std::array<std::string_view, 5> part;
  std::size_t count = 0;
};

std::optional<path_parts> split(std::string_view path) {
  path_parts parts;
  while (true) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash == 0) return std::nullopt;
    if (parts.count < parts.part.size()) parts.part[parts.count] = path.substr(0, slash);
    ++parts.count;
    if (slash == path.size()) return parts;
    path.remove_prefix(slash + 1);
  }
}

std::optional<std::uint32_t> decimal(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || text.front() == '0') return std::nullopt;
  return value;
}

/// Upper-case digits only, as Postgres writes them.
std::optional<std::uint64_t> hexadecimal(std::string_view text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  std::uint64_t value = 0;
  if (text.empty() || text.size() > 16 || !std::all_of(text.begin(), text.end(), digit)) return std::nullopt;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

classified_path of_kind(path_kind kind) { return {.kind = kind}; }

/// "16384_vm.1"; the tablespace and database are the caller's.
std::optional<relation_file> parse_relation_name(std::string_view name) {
  relation_file file;
  if (const std::size_t dot = name.find('.'); dot != std::string_view::npos) {
    const auto segment = decimal(name.substr(dot + 1));
    if (!segment || *segment > segment_last) return std::nullopt;
    file.segment = *segment;
    name = name.substr(0, dot);
  }
  for (std::size_t i = 1; i < fork_count; ++i)
    if (name.ends_with(fork_suffix[i])) {
      file.relation.fork = static_cast<fork>(i);
      name.remove_suffix(fork_suffix[i].size());
      break;
    }
  const auto relation = decimal(name);
  if (!relation) return std::nullopt;
  file.relation.relation = *relation;
  return file;
}

/// "t3_16384": relations of session 3 only.
bool temporary_relation(std::string_view name) {
  const std::size_t underscore = name.find('_');
  if (!name.starts_with('t') || underscore == std::string_view::npos) return false;
  const std::string_view session = name.substr(1, underscore - 1);
  return (session == "0" || decimal(session)) && parse_relation_name(name.substr(underscore + 1));
}

/// A file in the directory of a database, or in global/.
classified_path classify_database_file(std::string_view name, oid tablespace, oid database) {
  classified_path found{.tablespace = tablespace, .database = database};
  if (name == "PG_VERSION" && database != 0) {
    found.kind = path_kind::version;
  } else if (name == "pg_filenode.map") {
    found.kind = path_kind::relation_map;
  } else if (name.starts_with("pg_filenode.map") || name.starts_with("pg_internal.init") || temporary_relation(name)) {
    found.kind = path_kind::ignored;
  } else if (auto relation = parse_relation_name(name)) {
    found.kind = path_kind::relation;
    found.relation = *relation;
    found.relation.relation.tablespace = tablespace;
    found.relation.relation.database = database;
  }
  return found;
}

/// A path in base/ or in the version directory of a tablespace: `parts[first]` is the database.
classified_path classify_in_tablespace(const path_parts& parts, std::size_t first, oid tablespace) {
  if (parts.count == first) return of_kind(path_kind::ignored);
  if (parts.part[first].starts_with("pgsql_tmp")) return of_kind(path_kind::ignored);
  const auto database = decimal(parts.part[first]);
  if (!database) return of_kind(path_kind::unknown);
  if (parts.count == first + 1) return {.kind = path_kind::database, .tablespace = tablespace, .database = *database};
  if (parts.count > first + 2) return of_kind(path_kind::unknown);
  return classify_database_file(parts.part[first + 1], tablespace, *database);
}

classified_path classify_tablespace(const path_parts& parts, major_version major) {
  if (parts.count == 1) return of_kind(path_kind::ignored);
  const auto tablespace = decimal(parts.part[1]);
  if (!tablespace) return of_kind(path_kind::unknown);
  if (parts.count == 2) return {.kind = path_kind::tablespace, .tablespace = *tablespace};
  if (parts.part[2] != tablespace_version_directory(major))
    return of_kind(parts.part[2].starts_with("PG_") ? path_kind::ignored : path_kind::unknown);
  return classify_in_tablespace(parts, 3, *tablespace);
}

classified_path classify_slru(std::string_view name, slru_kind kind) {
  const auto segment = hexadecimal(name);
  if (!segment || name.size() < 4 || name.size() > 6) return of_kind(path_kind::unknown);
  return {.kind = path_kind::slru, .slru = kind, .slru_segment = static_cast<std::uint32_t>(*segment)};
}

classified_path classify_multixact(const path_parts& parts) {
  if (parts.count == 1) return of_kind(path_kind::ignored);
  const bool members = parts.part[1] == "members";
  if (!members && parts.part[1] != "offsets") return of_kind(path_kind::unknown);
  if (parts.count == 2) return of_kind(path_kind::ignored);
  if (parts.count > 3) return of_kind(path_kind::unknown);
  return classify_slru(parts.part[2], members ? slru_kind::multixact_members : slru_kind::multixact_offsets);
}

classified_path classify_two_phase(std::string_view name, major_version major) {
  const auto xid = hexadecimal(name);
  if (!xid || name.size() != (major >= major_version::v17 ? 16u : 8u)) return of_kind(path_kind::unknown);
  return {.kind = path_kind::two_phase, .xid = *xid};
}

classified_path classify_top_file(std::string_view name) {
  static constexpr std::string_view ignored[] = {"postmaster.pid",   "postmaster.opts",    "current_logfiles",
                                                 "standby.signal",   "recovery.signal",    "backup_manifest",
                                                 "backup_label.old", "tablespace_map.old", "postgresql.auto.conf.tmp"};
  if (name == "PG_VERSION") return of_kind(path_kind::version);
  if (name == "backup_label") return of_kind(path_kind::backup_label);
  if (name == "tablespace_map") return of_kind(path_kind::tablespace_map);
  if (name.ends_with(".conf")) return of_kind(path_kind::configuration);
  const bool known = std::find(std::begin(ignored), std::end(ignored), name) != std::end(ignored) ||
                     name.starts_with("current_logfiles") || name.starts_with("pgsql_tmp") || name == "base" ||
                     name == "global";
  return of_kind(known ? path_kind::ignored : path_kind::unknown);
}

bool ignored_directory(std::string_view name) {
  static constexpr std::string_view ignored[] = {"pg_wal",      "pg_stat",    "pg_stat_tmp", "pg_replslot",
                                                 "pg_dynshmem", "pg_notify",  "pg_serial",   "pg_snapshots",
                                                 "pg_subtrans", "pg_logical", "log",         "pg_log"};
  return std::find(std::begin(ignored), std::end(ignored), name) != std::end(ignored);
}

}  // namespace

std::string tablespace_version_directory(major_version major) {
  return "PG_" + std::to_string(static_cast<unsigned>(major)) + "_" + std::to_string(wal::catalog_version(major));
}

std::string database_directory(oid tablespace, oid database, major_version major) {
  if (tablespace == global_tablespace) return "global";
  if (tablespace == default_tablespace) return "base/" + std::to_string(database);
  return "pg_tblspc/" + std::to_string(tablespace) + "/" + tablespace_version_directory(major) + "/" +
         std::to_string(database);
}

std::string relation_path(const relation_file& file, major_version major) {
  std::string path = database_directory(file.relation.tablespace, file.relation.database, major) + "/" +
                     std::to_string(file.relation.relation);
  path += fork_suffix[static_cast<std::size_t>(file.relation.fork)];
  if (file.segment != 0) path += "." + std::to_string(file.segment);
  return path;
}

std::string slru_path(slru_kind kind, std::uint32_t segment) {
  static constexpr const char* directory[] = {"pg_xact", "pg_multixact/members", "pg_multixact/offsets",
                                              "pg_commit_ts"};
  char name[9];
  std::snprintf(name, sizeof name, "%04X", segment);
  return std::string(directory[static_cast<std::size_t>(kind)]) + "/" + name;
}

std::string two_phase_path(full_transaction_id xid, major_version major) {
  char name[17];
  if (major >= major_version::v17)
    std::snprintf(name, sizeof name, "%016llX", static_cast<unsigned long long>(xid));
  else
    std::snprintf(name, sizeof name, "%08X", static_cast<transaction_id>(xid));
  return std::string("pg_twophase/") + name;
}

classified_path classify(std::string_view path, major_version major) {
  const auto parts = split(path);
  if (!parts) return of_kind(path_kind::unknown);
  const std::string_view top = parts->part[0];
  if (path == "global/pg_control") return of_kind(path_kind::control);
  if (path == "pg_logical/replorigin_checkpoint") return of_kind(path_kind::replication_origins);
  if (ignored_directory(top)) return of_kind(path_kind::ignored);
  if (top == "pg_tblspc") return classify_tablespace(*parts, major);
  if (top == "pg_multixact") return classify_multixact(*parts);
  if (top == "base") return classify_in_tablespace(*parts, 1, default_tablespace);
  if (top == "pg_xact" || top == "pg_commit_ts" || top == "pg_twophase") {
    if (parts->count == 1) return of_kind(path_kind::ignored);
    if (parts->count > 2) return of_kind(path_kind::unknown);
    if (top == "pg_twophase") return classify_two_phase(parts->part[1], major);
    return classify_slru(parts->part[1], top == "pg_xact" ? slru_kind::clog : slru_kind::commit_ts);
  }
  if (parts->count == 1) return classify_top_file(top);
  if (top != "global" || parts->count > 2) return of_kind(path_kind::unknown);
  return classify_database_file(parts->part[1], global_tablespace, 0);
}

}  // namespace strata::pg::files
