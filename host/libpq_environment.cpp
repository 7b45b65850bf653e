#include "host/libpq_environment.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace strata::host {
namespace {

constexpr std::array harmless{"PGPASSWORD", "PGPASSFILE", "PGAPPNAME",   "PGCLIENTENCODING",  "PGDATESTYLE",
                              "PGTZ",       "PGGEQO",     "PGLOCALEDIR", "PGCONNECT_TIMEOUT", "PGSYSCONFDIR"};

/// How a source is reached: its connection string may leave that to the environment of the server.
constexpr std::array manners{"PGSERVICEFILE",
                             "PGREQUIREAUTH",
                             "PGCHANNELBINDING",
                             "PGSSLMODE",
                             "PGREQUIRESSL",
                             "PGSSLNEGOTIATION",
                             "PGSSLCOMPRESSION",
                             "PGSSLCERT",
                             "PGSSLKEY",
                             "PGSSLCERTMODE",
                             "PGSSLROOTCERT",
                             "PGSSLCRL",
                             "PGSSLCRLDIR",
                             "PGSSLSNI",
                             "PGSSLMINPROTOCOLVERSION",
                             "PGSSLMAXPROTOCOLVERSION",
                             "PGGSSENCMODE",
                             "PGKRBSRVNAME",
                             "PGGSSLIB",
                             "PGGSSDELEGATION",
                             "PGMINPROTOCOLVERSION",
                             "PGMAXPROTOCOLVERSION"};

template <class List>
bool is_one_of(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

}  // namespace

bool is_libpq_variable(std::string_view name) {
  return name.size() > 2 && name.starts_with("PG") && name[2] >= 'A' && name[2] <= 'Z';
}

bool is_harmless(std::string_view name) { return is_one_of(harmless, name); }

std::vector<std::string> client_environment(const client_target& target, const char* const* inherited) {
  std::vector<std::string> made;
  for (; *inherited != nullptr; ++inherited) {
    const std::string_view name = name_of(*inherited);
    if (!is_libpq_variable(name) || is_harmless(name)) made.emplace_back(*inherited);
  }
  made.push_back("PGHOST=" + target.host);
  made.push_back("PGPORT=" + std::to_string(target.port));
  made.push_back("PGUSER=" + target.user);
  made.push_back("PGDATABASE=" + target.database);
  return made;
}

void forget_libpq_target() {
  std::vector<std::string> gone;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view name = name_of(*entry);
    if (is_libpq_variable(name) && !is_harmless(name) && !is_one_of(manners, name)) gone.emplace_back(name);
  }
  for (const auto& name : gone) ::unsetenv(name.c_str());
}

}  // namespace strata::host
