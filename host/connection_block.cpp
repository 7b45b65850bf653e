#include "host/connection_block.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace strata::host {
namespace {

// <linux/landlock.h> of Debian 12 ends before the rules for the network (Linux 6.7, ABI 4).
struct ruleset_attributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
};
constexpr std::uint64_t access_net_connect_tcp = 1u << 1;
constexpr std::uint32_t create_ruleset_version = 1u << 0;
constexpr long abi_with_network = 4;

}  // namespace

core::result<io::unique_fd> make_connection_block() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, create_ruleset_version);
  if (abi < abi_with_network)
    return core::error{core::errc::unsupported,
                       "this kernel can't block outgoing connections (Landlock with network rules, Linux 6.7)"};
  const ruleset_attributes denied{.handled_access_net = access_net_connect_tcp};
  const long made = ::syscall(SYS_landlock_create_ruleset, &denied, sizeof denied, 0);
  if (made < 0) return core::from_errno("make a Landlock ruleset", errno);
  return io::unique_fd(static_cast<int>(made));
}

bool enter_connection_block(int ruleset) {
  // A process without CAP_SYS_ADMIN may restrict itself only so.
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

}  // namespace strata::host
