#include "control/compute_places.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "control/failure.hpp"
#include "host/postgres_install.hpp"

namespace strata::control {

using host::compute_record;
namespace fs = std::filesystem;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A directory of this name for everybody's data, outside the server's directory.
core::result<std::string> make_home_elsewhere() {
  std::string pattern = std::string(host::elsewhere_prefix) + "XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return core::from_errno("make " + pattern, errno);
  return pattern;
}

}  // namespace

std::string choose_home(const scope& of, const std::string& name, const std::optional<host::account>& account) {
  const host::registry computes(of.directory);
  const std::string here = fs::absolute(computes.directory_of(name)).lexically_normal();
  if (account) {
    // Ours to open: the way through, not the right to look around.
    ::chmod(fs::path(here).parent_path().c_str(), 0711);
    ::chmod(here.c_str(), 0711);
  }
  if (!account || host::can_reach(*account, here + "/data")) return here;
  auto elsewhere = need(make_home_elsewhere(), "can't make a directory for the compute", "");
  ::chmod(elsewhere.c_str(), 0711);
  of.report->warn("user " + account->name + " has no access to " + here + "; the data is stored in " + elsewhere);
  return elsewhere;
}

std::string choose_socket_directory(const std::string& home, const std::optional<host::account>& account) {
  std::string near = home + "/socket";
  if (near.size() <= host::socket_directory_max) return near;
  auto elsewhere = need(make_home_elsewhere(), "can't make a directory for the socket", "");
  if (account) need(host::give(*account, elsewhere), "can't change the owner of the socket's directory", "");
  return elsewhere;
}

std::string pg_bin_for(const scope& of, const std::string& of_server, int major) {
  const std::string& given = of.pg_bin.empty() ? of_server : of.pg_bin;
  const std::string version = "Postgres " + std::to_string(major);
  auto found = need(host::find_postgres(major, {given, variable("STRATA_PG_BIN"), variable("PATH")}),
                    "can't find " + version, "sudo apt install postgresql-" + std::to_string(major));
  const bool is_named = (":" + of.pg_bin + ":").find(":" + found + ":") != std::string::npos;
  if (!of.pg_bin.empty() && !is_named) of.report->note("no " + version + " in " + of.pg_bin + "; using " + found);
  return found;
}

host::postgres_options options_of(const compute_record& record) {
  return {.bin_directory = record.bin_directory,
          .data_directory = record.data_directory,
          .socket_directory = record.socket_directory,
          .port = record.port,
          .log_file = record.log_file,
          .run_as = need(host::postgres_account(), "can't start Postgres", "sudo apt install postgresql"),
          .armed = record.armed};
}

}  // namespace strata::control
