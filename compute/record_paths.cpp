#include "compute/record_paths.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string_view>

namespace strata::compute {
namespace {

namespace fs = std::filesystem;

/// What mkdtemp makes of /var/tmp/strata-XXXXXX.
bool is_made_elsewhere(std::string_view path) {
  constexpr std::string_view before = "/var/tmp/strata-";
  if (!path.starts_with(before) || path.size() != before.size() + 6) return false;
  path.remove_prefix(before.size());
  return std::all_of(path.begin(), path.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; });
}

bool is_home_of(const std::string& path, const std::string& name) {
  const fs::path at(path);
  return at.is_absolute() && at == at.lexically_normal() && !name.empty() && at.filename() == name &&
         at.parent_path().filename() == "computes";
}

core::error stray(const char* member, const std::string& path) {
  return {core::errc::corrupt, std::string(member) + " \"" + path + "\" is no place of a compute"};
}

}  // namespace

core::result<void> check_paths(const compute_record& of) {
  if (!is_home_of(of.home, of.name) && !is_made_elsewhere(of.home)) return stray("home", of.home);
  if (of.data_directory != of.home + "/data") return stray("data_directory", of.data_directory);
  if (!of.socket_directory.empty() && of.socket_directory != of.home + "/socket" &&
      !is_made_elsewhere(of.socket_directory))
    return stray("socket_directory", of.socket_directory);
  if (!of.log_file.empty() && of.log_file != of.home + "/postgres.log") return stray("log_file", of.log_file);
  return {};
}

}  // namespace strata::compute
