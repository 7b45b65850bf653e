#pragma once

#include <linux/filter.h>

#include <vector>

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::host {

struct connection_block_options {
  /// UDP sockets stay allowed, to any address: the statistics collector of Postgres 14 is one, and a filter does not
  /// see the address.
  bool allow_udp = false;
  /// Off: as on a kernel whose Landlock has no rules for the network.
  bool use_landlock = true;
};

/// Keeps a process and all its children from opening connections to other servers. What it denies fails with EACCES,
/// for loopback, too.
///
/// By Landlock (Linux 6.7, landlock(7)): connect() of a TCP socket. On an older kernel connect() is denied whatever the
/// socket, Unix sockets among them.
/// By a filter of system calls (seccomp(2)): all sockets but those of TCP, Unix and netlink, hence UDP, MPTCP, SCTP,
/// SMC and vsock; TCP Fast Open; io_uring, which makes calls that no filter sees.
///
/// Allowed: listening and accepted TCP connections, and where Landlock does the rest Unix sockets, also those of other
/// servers on this host. A program of another architecture (32 bits) is killed at its first system call.
///
/// It is made before fork(), and entered in the child.
class connection_block {
 public:
  /// Whether the kernel has filters of system calls, without which there is no block.
  static bool is_supported();
  /// errc::unsupported where it has none. Takes a millisecond.
  static core::result<connection_block> make(const connection_block_options& options);

  /// For a child between fork and exec: async-signal-safe. It can't be left. False: errno says why.
  [[nodiscard]] bool enter() const;

 private:
  io::unique_fd landlock_;  ///< none: `filter_` denies connect()
  std::vector<sock_filter> filter_;
};

}  // namespace strata::host
