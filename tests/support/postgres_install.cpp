#include "tests/support/postgres_install.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "tests/support/process.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;

constexpr const char* debian_bin = "/usr/lib/postgresql/15/bin";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// As scripts/install-postgres-majors chooses it.
fs::path home_of_majors() {
  if (const std::string chosen = variable("STRATA_PG_HOME"); !chosen.empty()) return chosen;
  if (::geteuid() == 0) return "/usr/local/lib/strata/postgres";
  return fs::path(variable("HOME")) / ".cache/strata/postgres";
}

int minor_of(const postgres_install& install) {
  return std::stoi(install.version.substr(install.version.find('.') + 1));
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "postgres (PostgreSQL) 15.20 (Debian ...)"
postgres_install default_install() {
  const fs::path bin = postgres_bin_directory();
  const finished said = run({.arguments = {bin / "postgres", "--version"}});
  constexpr std::string_view before = "(PostgreSQL) ";
  const std::size_t at = said.out.find(before);
  if (said.exit_code != 0 || at == std::string::npos)
    throw std::runtime_error((bin / "postgres").string() + " does not tell its version: " + said.out + said.err);
  const std::size_t begin = at + before.size();
  const std::string version = said.out.substr(begin, said.out.find_first_of(" \n", begin) - begin);
  return {std::stoi(version), version, bin};
}

/// Directories are named after the package's version: 14.23.0-beta.17 holds Postgres 14.23.
std::vector<postgres_install> installs_in(const fs::path& home) {
  std::vector<postgres_install> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(home, none)) {
    const std::string name = entry.path().filename();
    const std::size_t dot = name.find('.');
    const std::size_t end = name.find('.', dot + 1);
    if (dot == std::string::npos || end == std::string::npos || !is_number(name.substr(0, dot)) ||
        !is_number(name.substr(dot + 1, end - dot - 1)) || !fs::exists(entry.path() / "bin/postgres"))
      continue;
    found.push_back({std::stoi(name), name.substr(0, end), entry.path() / "bin"});
  }
  std::sort(found.begin(), found.end(), [](const auto& one, const auto& other) {
    return one.major != other.major ? one.major < other.major : minor_of(one) > minor_of(other);
  });
  return found;
}

}  // namespace

fs::path postgres_bin_directory() {
  const std::string chosen = variable("STRATA_PG_BIN");
  return chosen.empty() ? debian_bin : chosen;
}

const std::vector<postgres_install>& postgres_installs() {
  static const std::vector<postgres_install> all = [] {
    std::vector<postgres_install> found = installs_in(home_of_majors());
    found.insert(found.begin(), default_install());
    return found;
  }();
  return all;
}

const postgres_install* install_of(int major) {
  const auto& all = postgres_installs();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.major == major; });
  return found == all.end() ? nullptr : &*found;
}

const postgres_install* oldest_install_of(int major) {
  const postgres_install* newest = install_of(major);
  const postgres_install* oldest = newest;
  for (const auto& each : postgres_installs())
    if (each.major == major && minor_of(each) < minor_of(*oldest)) oldest = &each;
  return oldest == newest ? nullptr : oldest;
}

std::string pg_bin_of_all_majors() {
  std::string list = postgres_bin_directory();
  for (const int major : all_majors)
    if (const auto* install = install_of(major); install != nullptr && install->bin != postgres_bin_directory())
      list += ":" + install->bin.string();
  return list;
}

fs::path program_of(const postgres_install& install, const std::string& name) {
  for (const fs::path& bin : {install.bin, postgres_bin_directory()})
    if (fs::exists(bin / name)) return bin / name;
  return fs::path(debian_bin) / name;
}

}  // namespace strata::tests
