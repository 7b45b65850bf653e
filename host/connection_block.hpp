#pragma once

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::host {

/// A Landlock ruleset (Linux 6.7, landlock(7)) that denies outgoing TCP connections: connect() fails with EACCES, to
/// loopback, too. Listening, accepted connections, UDP and Unix sockets are not affected, nor are MPTCP and TCP Fast
/// Open, which a program must ask for. Who enters it stays in it, with all its children.
///
/// errc::unsupported if the kernel has no such rules, or they are switched off.
core::result<io::unique_fd> make_connection_block();

/// For a child between fork and exec: async-signal-safe. False: errno says why.
bool enter_connection_block(int ruleset);

}  // namespace strata::host
