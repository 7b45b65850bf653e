#include "control/held_back.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "control/computes.hpp"
#include "host/connection_block.hpp"
#include "pg/client/sql_connection.hpp"

namespace strata::control {
namespace {

using pg::client::sql_connection;

namespace fs = std::filesystem;

constexpr const char* first_database = "postgres";
constexpr std::size_t databases_max = 32;

/// The first column of the rows; none if the database has no such relation.
std::vector<std::string> names_in(sql_connection& database, const std::string& sql) {
  std::vector<std::string> names;
  if (const auto rows = database.query(sql))
    for (const auto& row : *rows)
      if (!row.empty() && row.front()) names.push_back(*row.front());
  return names;
}

core::result<sql_connection> open(const host::compute_record& record, const std::string& database) {
  return sql_connection::open(socket_uri(record, {.user = {}, .database = database}));
}

void look_at_database(sql_connection& database, const std::string& name, held_back& found) {
  for (const auto& each : names_in(database, "select srvname from pg_foreign_server order by 1"))
    found.foreign_servers.push_back(name + "." + each);
  if (names_in(database, "select 1 where to_regclass('cron.job') is not null").empty()) return;
  if (!names_in(database, "select 1 from cron.job where active limit 1").empty()) found.jobs.push_back(name);
}

// The files of catalogs by their OIDs in pg_class.dat. One that was rewritten has another name: it is missing then.
constexpr const char* pg_subscription = "6100";
constexpr const char* pg_extension = "3079";
constexpr const char* pg_foreign_server = "1417";
constexpr std::uintmax_t scanned_bytes_max = 256UL << 10;

bool has_no_rows(const fs::path& catalog) {
  std::error_code failed;
  return fs::file_size(catalog, failed) == 0 && !failed;
}

/// Of dead rows, too.
bool lacks(const fs::path& catalog, const std::string& text) {
  std::error_code failed;
  const auto size = fs::file_size(catalog, failed);
  if (failed || size > scanned_bytes_max) return false;
  std::ifstream file(catalog, std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  return content.size() >= size && content.find(text) == std::string::npos;
}

/// Tables of an extension have such a file, and no database has one that is as initdb made it.
bool has_user_relations(const fs::path& database) {
  constexpr unsigned long first_normal_oid = 16384;
  std::error_code failed;
  fs::directory_iterator files(database, failed);
  return failed || std::ranges::any_of(files, [](const fs::path& each) {
           return std::strtoul(each.filename().c_str(), nullptr, 10) >= first_normal_oid;
         });
}

bool database_holds_nothing(const fs::path& database) {
  if (!has_no_rows(database / pg_foreign_server)) return false;
  // The page of pg_extension has to be fetched.
  return !has_user_relations(database) || lacks(database / pg_extension, "pg_cron");
}

/// Of a database whose name nobody needs.
bool is_numbered(const fs::path& directory) {
  return std::ranges::all_of(directory.filename().string(), [](unsigned char each) { return std::isdigit(each) != 0; });
}

/// By the files: a connection to each database costs more than all the rest of a start.
bool holds_nothing(const fs::path& data) {
  std::error_code failed;
  if (!has_no_rows(data / "global" / pg_subscription) || !fs::is_empty(data / "pg_tblspc", failed) || failed)
    return false;
  fs::directory_iterator databases(data / "base", failed);
  return !failed && std::ranges::all_of(databases, [](const fs::path& each) {
    return !is_numbered(each) || database_holds_nothing(each);
  });
}

void add(std::string& text, const std::string& kind, const std::vector<std::string>& names) {
  if (names.empty()) return;
  text += (text.empty() ? "" : "; ") + kind;
  for (const auto& each : names) text += (each == names.front() ? " " : ", ") + each;
}

}  // namespace

held_back look_at_held_back(const host::compute_record& record, std::chrono::milliseconds limit) {
  held_back found{.connections = host::connection_block::is_supported()};
  if (holds_nothing(record.data_directory)) return found;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  auto first = open(record, first_database);
  if (!first) return found;
  found.subscriptions = names_in(*first,
                                 "select d.datname || '.' || s.subname from pg_subscription s join pg_database d on "
                                 "d.oid = s.subdbid where s.subenabled order by 1");
  const auto databases = names_in(
      *first, "select datname from pg_database where datallowconn order by 1 limit " + std::to_string(databases_max));
  for (const auto& name : databases) {
    if (std::chrono::steady_clock::now() > deadline) break;
    auto other = name == first_database ? core::result<sql_connection>(*std::move(first)) : open(record, name);
    if (other) look_at_database(*other, name, found);
  }
  return found;
}

nlohmann::json to_json(const held_back& of) {
  return {{"subscriptions", of.subscriptions},
          {"foreign_servers", of.connections ? of.foreign_servers : std::vector<std::string>()},
          {"jobs", of.jobs},
          {"connections", of.connections}};
}

std::string to_text(const held_back& of) {
  std::string text;
  add(text, "subscriptions", of.subscriptions);
  if (of.connections) add(text, "foreign servers", of.foreign_servers);
  add(text, "jobs of pg_cron in", of.jobs);
  return text;
}

}  // namespace strata::control
