#include "control/safekeeper_file.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/json_file.hpp"
#include "control/failure.hpp"
#include "control/server_file.hpp"
#include "core/address.hpp"
#include "io/file.hpp"
#include "pg/crc32c.hpp"

namespace strata::control {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string path_in(const std::string& directory) { return directory + "/safekeeper.json"; }

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

constexpr std::size_t addresses_max = 32;

/// Of what must never be another: a changed digit would be another safekeeper.
std::string checksum_of(std::uint64_t id, const std::string& instance) {
  const std::string text = std::to_string(id) + " " + instance;
  const auto crc = pg::crc32c(core::bytes_view(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  return std::to_string(crc);
}

std::string cure_of_lost_file(std::uint64_t id) {
  return "restore its safekeeper.json; or move the directory away, start the safekeeper with an empty one, and run "
         "strata safekeeper replace BRANCH --from " +
         std::to_string(id) + " --to ID for each of its branches";
}

}  // namespace

core::result<safekeeper_file> read_safekeeper_file(const std::string& directory) {
  STRATA_ASSIGN(const json of, config::read_json_file(path_in(directory)));
  try {
    safekeeper_file found{of.at("pid"),     of.at("id"),      of.at("wal"), of.at("http"),
                          of.at("version"), of.at("started"), {},           {}};
    if (of.contains("instance")) {
      const auto text = of["instance"].get<std::string>();
      const auto instance = core::parse_id<core::instance_id>(text);
      if (!instance || (of.contains("checksum") && of["checksum"].get<std::string>() != checksum_of(found.id, text)))
        return core::error{core::errc::corrupt, path_in(directory) + " is damaged: id and instance do not match"};
      found.instance = *instance;
    }
    if (!of.contains("instance") && of.contains("checksum"))
      return core::error{core::errc::corrupt, path_in(directory) + " is damaged: it has a checksum, but no instance"};
    if (of.contains("addresses")) found.addresses = of["addresses"].get<std::vector<std::string>>();
    remember_address(found);
    return found;
  } catch (const json::exception&) {
    return config::wrong_members(path_in(directory));
  }
}

core::result<void> write_safekeeper_file(const std::string& directory, const safekeeper_file& of) {
  const json made = {{"pid", of.pid},
                     {"id", of.id},
                     {"wal", of.wal},
                     {"http", of.http},
                     {"version", of.version},
                     {"started", of.started},
                     {"instance", core::to_string(of.instance)},
                     {"checksum", checksum_of(of.id, core::to_string(of.instance))},
                     {"addresses", of.addresses}};
  const std::string text = made.dump(1) + "\n";
  STRATA_ASSIGN(auto file, io::new_file::create(path_in(directory) + io::temporary_suffix));
  STRATA_TRY(file.append(core::bytes(text.begin(), text.end())));
  return file.commit(path_in(directory));
}

void remember_address(safekeeper_file& of) {
  if (std::ranges::find(of.addresses, of.wal) != of.addresses.end()) return;
  of.addresses.push_back(of.wal);
  if (of.addresses.size() > addresses_max) of.addresses.erase(of.addresses.begin());
}

bool keeps_timelines(const std::string& directory) {
  std::error_code none;
  for (const char* name : {"/timelines", "/deleted"})
    if (fs::directory_iterator(directory + name, none) != fs::directory_iterator()) return true;
  return false;
}

std::string safekeeper_directory(const std::string& server_directory, std::uint64_t id) {
  return server_directory + "/safekeepers/" + std::to_string(id);
}

std::vector<std::uint64_t> known_safekeepers(const std::string& server_directory) {
  std::vector<std::uint64_t> found;
  std::error_code none;
  for (const auto& each : fs::directory_iterator(server_directory + "/safekeepers", none))
    if (const auto id = whole_number(each.path().filename().string()); id && *id > 0 && each.is_directory(none))
      found.push_back(*id);
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<pid_t> safekeeper_process(const std::string& server_directory, std::uint64_t id) {
  return directory_lock::holder(safekeeper_directory(server_directory, id));
}

std::vector<consensus::member> safekeeper_members(const std::string& server_directory) {
  std::vector<consensus::member> found;
  for (const auto id : known_safekeepers(server_directory)) {
    const auto file = read_safekeeper_file(safekeeper_directory(server_directory, id));
    if (!file) continue;
    if (const auto address = core::parse_address(file->wal))
      found.push_back({consensus::node_id{id}, address->host, address->port});
  }
  return found;
}

std::optional<safekeeper_file> safekeeper_used_before(const std::string& directory, std::uint64_t id) {
  auto before = read_safekeeper_file(directory);
  const bool lost = !before && before.error().code == core::errc::not_found;
  if (!before && !lost) throw failure(before.error(), "can't use " + directory, cure_of_lost_file(id));
  // A new instance here would be taken for a safekeeper that has lost nothing.
  if (lost && keeps_timelines(directory))
    throw failure(core::errc::conflict, "can't use " + directory, "it contains WAL, but its safekeeper.json is missing",
                  cure_of_lost_file(id));
  if (before && before->id != id)
    throw failure(core::errc::conflict, "can't use " + directory,
                  "it belongs to safekeeper " + std::to_string(before->id), "name another directory with --data");
  if (!before) return std::nullopt;
  return *std::move(before);
}

}  // namespace strata::control
