#pragma once

#include <optional>
#include <string>

#include "control/scope.hpp"
#include "host/account.hpp"
#include "host/postgres_process.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// The directory of a new compute: below the server's directory, or, if Postgres's user can't get there, in /var/tmp.
std::string choose_home(const scope& of, const std::string& name, const std::optional<host::account>& account);
/// Of its socket: in `home`, or in /var/tmp if that path is too long for one.
std::string choose_socket_directory(const std::string& home, const std::optional<host::account>& account);

/// The directory of the programs of a major version. Directories named on this command line are not passed over in
/// silence; those of the server, `of_server`, are for all its sources.
std::string pg_bin_for(const scope& of, const std::string& of_server, int major);

/// How the Postgres of a compute is started.
host::postgres_options options_of(const host::compute_record& record);

}  // namespace strata::control
