#pragma once

#include <string>

#include "consensus/membership.hpp"
#include "pg/wire/safekeeper_location.hpp"

namespace strata::control {

/// Where a member of a quorum is now. A configuration names addresses, and these change: a safekeeper whose port was
/// taken listens on another one. Its directory below the server's knows every address that it ever had
/// (safekeeper.json), and its lock knows the process. So a member is followed to where its own directory says, and what
/// answers must be the process that holds it. An address that it never had is taken as it is: somebody has put a proxy
/// there, or it is a safekeeper of another machine.
///
/// errc::unavailable: its directory is here and no process has it; errc::corrupt: safekeeper.json is damaged.
core::result<pg::wire::safekeeper_location> locate_safekeeper(const std::string& server_directory,
                                                              const consensus::member& of);

}  // namespace strata::control
