#include "control/safekeeper_addresses.hpp"

#include <algorithm>
#include <filesystem>

#include "control/safekeeper_file.hpp"
#include "core/address.hpp"

namespace strata::control {

using pg::wire::safekeeper_location;

core::result<safekeeper_location> locate_safekeeper(const std::string& server_directory, const consensus::member& of) {
  safekeeper_location at{of.host, of.port, {.id = of.id.value}};
  const std::string directory = safekeeper_directory(server_directory, of.id.value);
  std::error_code none;
  if (!std::filesystem::is_directory(directory, none)) return at;
  const std::string name = "safekeeper " + to_string(of.id);
  const auto file = read_safekeeper_file(directory);
  if (!file && file.error().code == core::errc::not_found)
    return core::error{core::errc::unavailable, name + ": there is no safekeeper.json in " + directory};
  if (!file) return file.error();
  const auto process = safekeeper_process(server_directory, of.id.value);
  if (!process) return core::error{core::errc::unavailable, name + " is not running"};
  at.expected.instance = file->instance;
  at.expected.process = std::max<pid_t>(*process, 0);
  const bool had = std::ranges::find(file->addresses, core::address_text(of.host, of.port)) != file->addresses.end();
  if (!had) return at;
  STRATA_ASSIGN(const auto now, core::parse_address(file->wal));
  at.host = now.host;
  at.port = now.port;
  return at;
}

}  // namespace strata::control
