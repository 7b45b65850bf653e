#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strata::host {

/// Whether libpq, or a program of Postgres, may read this variable: PG and a capital letter.
bool is_libpq_variable(std::string_view name);

/// Of those, the ones that choose neither a server, a database nor a role, nor how the connection is made. A list of
/// what may stay, so that a variable of a newer libpq goes.
bool is_harmless(std::string_view name);

/// Where a client of Postgres is to go.
struct client_target {
  std::string host;
  std::uint16_t port = 0;
  std::string user;
  std::string database;
};

/// "NAME=value" of a client that goes to `target`: `inherited` without all that would lead it elsewhere.
std::vector<std::string> client_environment(const client_target& target, const char* const* inherited);

/// Takes from this process's environment what libpq would add to a connection string: addresses, names, services and
/// options. What says how to connect stays (passwords, certificates, service files). Call before any thread runs.
void forget_libpq_target();

}  // namespace strata::host
