#include "host/postgres_install.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <vector>

#include "host/program.hpp"

namespace strata::host {
namespace {

core::result<int> major_in(const std::string& directory) {
  STRATA_ASSIGN(const outcome said, run({.arguments = {directory + "/postgres", "--version"}}));
  return parse_postgres_version(said.output);
}

void add_directories(const std::string& list, std::vector<std::string>& to) {
  std::istringstream text(list);
  for (std::string directory; std::getline(text, directory, ':');)
    if (!directory.empty() && std::find(to.begin(), to.end(), directory) == to.end()) to.push_back(directory);
}

std::vector<std::string> places(int major, const install_search& where) {
  const std::string number = std::to_string(major);
  std::vector<std::string> all;
  add_directories(where.given, all);
  add_directories(where.environment, all);
  add_directories("/usr/lib/postgresql/" + number + "/bin:/usr/pgsql-" + number + "/bin", all);
  add_directories(where.path, all);
  return all;
}

}  // namespace

core::result<int> parse_postgres_version(const std::string& text) {
  static constexpr std::string_view mark = "(PostgreSQL) ";
  const auto at = text.find(mark);
  int major = 0;
  if (at != std::string::npos) {
    const char* begin = text.data() + at + mark.size();
    std::from_chars(begin, text.data() + text.size(), major);
  }
  if (major <= 0) return core::error{core::errc::invalid_argument, "unexpected output of postgres --version"};
  return major;
}

core::result<std::string> check_directories(const std::string& list) {
  std::vector<std::string> all;
  add_directories(list, all);
  std::string made;
  for (const auto& each : all) {
    const std::string path = std::filesystem::absolute(each).lexically_normal();
    if (::access((path + "/postgres").c_str(), X_OK) != 0)
      return core::error{core::errc::not_found, "there is no program postgres in " + path};
    made += (made.empty() ? "" : ":") + path;
  }
  return made;
}

core::result<std::string> find_postgres(int major, const install_search& where) {
  std::string looked;
  for (const std::string& place : places(major, where)) {
    const auto found = major_in(place);
    if (found && *found == major) return place;
    looked += (looked.empty() ? "" : ", ") + place + (found ? " (has " + std::to_string(*found) + ")" : "");
  }
  return core::error{core::errc::not_found,
                     "no postgres of version " + std::to_string(major) + " in " + looked +
                         "; install the package postgresql-" + std::to_string(major) +
                         " or name its directory, beside those of other versions, with --pg-bin"};
}

}  // namespace strata::host
