#include "compute/registry.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "compute/record_paths.hpp"

namespace strata::compute {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* record_name = "/compute.json";

json to_json(const compute_record& of) {
  return {{"name", of.name},
          {"tenant", of.tenant},
          {"branch", of.branch},
          {"tenant_id", core::to_string(of.tenant_id)},
          {"timeline_id", core::to_string(of.timeline_id)},
          {"lsn", core::to_string(of.at)},
          {"pg_version", of.pg_major},
          {"bin_directory", of.bin_directory},
          {"home", of.home},
          {"data_directory", of.data_directory},
          {"socket_directory", of.socket_directory},
          {"log_file", of.log_file},
          {"port", of.port},
          {"user", of.user},
          {"database", of.database},
          {"started_us", of.started.time_since_epoch().count()},
          {"mode", of.mode == compute_mode::branch ? "branch" : "copy"},
          {"settings", of.settings}};
}

core::result<compute_record> from_json(const json& of) {
  compute_record made;
  made.name = of.at("name");
  made.tenant = of.at("tenant");
  made.branch = of.at("branch");
  STRATA_ASSIGN(made.tenant_id, core::parse_id<core::tenant_id>(of.at("tenant_id").get<std::string>()));
  STRATA_ASSIGN(made.timeline_id, core::parse_id<core::timeline_id>(of.at("timeline_id").get<std::string>()));
  STRATA_ASSIGN(made.at, core::parse_lsn(of.at("lsn").get<std::string>()));
  made.pg_major = of.at("pg_version");
  made.bin_directory = of.at("bin_directory");
  made.home = of.at("home");
  made.data_directory = of.at("data_directory");
  made.socket_directory = of.at("socket_directory");
  made.log_file = of.at("log_file");
  made.port = of.at("port");
  made.user = of.at("user");
  made.database = of.value("database", made.database);
  made.started = core::wall_time(std::chrono::microseconds(of.at("started_us").get<std::int64_t>()));
  // Records of before there was a choice are of copies.
  made.mode = of.value("mode", "copy") == "branch" ? compute_mode::branch : compute_mode::copy;
  made.settings = of.value("settings", std::vector<std::string>());
  return made;
}

core::result<compute_record> load(const std::string& path) {
  std::ifstream file(path);
  if (!file) return core::from_errno("open " + path, errno);
  try {
    auto made = from_json(json::parse(file));
    if (!made) return core::error{core::errc::corrupt, path + ": " + made.error().detail};
    if (auto good = check_paths(*made); !good) return std::move(good).error().within(path);
    return made;
  } catch (const json::exception& e) {
    return core::error{core::errc::corrupt, path + ": " + e.what()};
  }
}

}  // namespace

core::result<std::vector<compute_record>> registry::list() const {
  std::vector<compute_record> all;
  std::error_code failure;
  if (!fs::exists(directory_, failure)) return all;
  for (const auto& entry : fs::directory_iterator(directory_, failure)) {
    auto record = load(entry.path().string() + record_name);
    // A compute that is being made has no record yet.
    if (!record && record.error().code == core::errc::not_found) continue;
    if (!record) return std::move(record).error();
    all.push_back(*std::move(record));
  }
  if (failure) return core::from_errno("list " + directory_, failure.value());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

core::result<compute_record> registry::find(const std::string& name) const {
  STRATA_ASSIGN(auto all, list());
  std::string names;
  for (auto& each : all) {
    if (each.name == name) return std::move(each);
    names += (names.empty() ? "" : ", ") + each.name;
  }
  return core::error{core::errc::not_found, "there is no compute \"" + name + "\"" +
                                                (names.empty() ? "; there are none" : "; there are: " + names)};
}

core::result<void> registry::claim(const std::string& name) const {
  std::error_code failure;
  fs::create_directories(directory_, failure);
  if (failure) return core::from_errno("make " + directory_, failure.value());
  if (fs::create_directory(directory_of(name), failure)) return {};
  if (failure) return core::from_errno("make " + directory_of(name), failure.value());
  return core::error{core::errc::conflict, "there is a compute \"" + name + "\" already"};
}

core::result<void> registry::save(const compute_record& record) const {
  const std::string path = directory_of(record.name) + record_name;
  const std::string temporary = path + ".tmp";
  std::ofstream file(temporary, std::ios::trunc);
  file << to_json(record).dump(1) << "\n";
  file.close();
  if (!file) return core::from_errno("write " + temporary, errno);
  std::error_code failure;
  fs::rename(temporary, path, failure);
  if (failure) return core::from_errno("rename " + temporary, failure.value());
  return {};
}

core::result<void> registry::remove(const std::string& name, const std::string& home) const {
  std::error_code failure;
  for (const std::string& each : {home, directory_of(name)}) {
    if (each.empty()) continue;
    fs::remove_all(each, failure);
    if (failure) return core::from_errno("remove " + each, failure.value());
  }
  return {};
}

}  // namespace strata::compute
