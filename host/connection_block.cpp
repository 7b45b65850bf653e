#include "host/connection_block.hpp"

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <type_traits>

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

/// No descriptor: this kernel has no rules for the network.
core::result<io::unique_fd> make_ruleset() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, create_ruleset_version);
  if (abi < abi_with_network) return io::unique_fd();
  const ruleset_attributes denied{.handled_access_net = access_net_connect_tcp};
  const long made = ::syscall(SYS_landlock_create_ruleset, &denied, sizeof denied, 0);
  if (made < 0) return core::from_errno("make a Landlock ruleset", errno);
  return io::unique_fd(static_cast<int>(made));
}

/// A list of what is denied; everything else is allowed. The kernel takes the lower half of most arguments, so only
/// that half is compared.
class filter_rules {
 public:
  filter_rules() : context_(::seccomp_init(SCMP_ACT_ALLOW)) {
    note(context_ == nullptr ? -ENOMEM : 0);
    // Its system calls have other numbers: what they are can't be told.
    if (context_) note(::seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
  }

  /// Denied if all of these arguments are so.
  template <std::size_t N>
  void deny(int call, const std::array<scmp_arg_cmp, N>& arguments) {
    if (failure_ == 0)
      note(::seccomp_rule_add_array(context_.get(), SCMP_ACT_ERRNO(EACCES), call, N, arguments.data()));
  }
  void deny(int call) {
    if (failure_ == 0) note(::seccomp_rule_add_array(context_.get(), SCMP_ACT_ERRNO(EACCES), call, 0, nullptr));
  }

  [[nodiscard]] core::result<std::vector<sock_filter>> program() {
    const io::unique_fd file(::memfd_create("filter", MFD_CLOEXEC));
    if (!file) return core::from_errno("make a filter of system calls", errno);
    if (failure_ == 0) note(::seccomp_export_bpf(context_.get(), file.get()));
    if (failure_ != 0) return core::from_errno("make a filter of system calls", -failure_);
    const off_t size = ::lseek(file.get(), 0, SEEK_END);
    if (size < 0) return core::from_errno("make a filter of system calls", errno);
    std::vector<sock_filter> made(static_cast<std::size_t>(size) / sizeof(sock_filter));
    if (::pread(file.get(), made.data(), made.size() * sizeof(sock_filter), 0) != size)
      return core::from_errno("make a filter of system calls", EIO);
    return made;
  }

 private:
  struct release {
    void operator()(void* context) const { ::seccomp_release(context); }
  };
  void note(int answer) {
    if (failure_ == 0 && answer < 0) failure_ = answer;
  }

  std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, release> context_;
  int failure_ = 0;  ///< a negative errno, of the first rule that failed
};

constexpr std::uint64_t lower_half = 0xffffffff;

scmp_arg_cmp is(unsigned argument, std::uint64_t value, std::uint64_t mask = lower_half) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

scmp_arg_cmp has_bit(unsigned argument, std::uint64_t bit) { return is(argument, bit, bit); }

/// Sockets that neither Postgres nor a resolver of host names needs can't be made: what does not exist connects
/// nowhere.
void deny_sockets(filter_rules& rules, bool allow_udp) {
  constexpr int call = SCMP_SYS(socket);
  // Linux has 46 families, and refuses larger numbers itself.
  constexpr int families = 64;
  for (int each = 0; each < families; ++each)
    if (each != AF_UNIX && each != AF_INET && each != AF_INET6 && each != AF_NETLINK)
      rules.deny(call, std::array{is(0, static_cast<unsigned>(each))});
  constexpr unsigned type_mask = 0xf;
  for (const unsigned family : {AF_INET, AF_INET6}) {
    for (unsigned type = 0; type <= type_mask; ++type)
      if (type != SOCK_STREAM && !(allow_udp && type == SOCK_DGRAM))
        rules.deny(call, std::array{is(0, family), is(1, type, type_mask)});
    // A stream's protocol is TCP or 0, which means TCP: it has no bit that TCP's number has not. The numbers between
    // the two are of no stream.
    for (unsigned bit = 0; bit < 32; ++bit)
      if (const auto one = std::uint64_t{1} << bit; (IPPROTO_TCP & one) == 0)
        rules.deny(call, std::array{is(0, family), is(1, SOCK_STREAM, type_mask), has_bit(2, one)});
  }
}

core::result<std::vector<sock_filter>> make_filter(bool deny_connect, bool allow_udp) {
  filter_rules rules;
  deny_sockets(rules, allow_udp);
  // TCP Fast Open connects in the first send.
  rules.deny(SCMP_SYS(sendto), std::array{has_bit(3, MSG_FASTOPEN)});
  rules.deny(SCMP_SYS(sendmsg), std::array{has_bit(2, MSG_FASTOPEN)});
  rules.deny(SCMP_SYS(sendmmsg), std::array{has_bit(3, MSG_FASTOPEN)});
  rules.deny(SCMP_SYS(setsockopt), std::array{is(1, IPPROTO_TCP), is(2, TCP_FASTOPEN_CONNECT)});
  rules.deny(SCMP_SYS(io_uring_setup));
  if (deny_connect) rules.deny(SCMP_SYS(connect));
  return rules.program();
}

}  // namespace

bool connection_block::is_supported() {
  const std::uint32_t wanted = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &wanted) == 0;
}

core::result<connection_block> connection_block::make(const connection_block_options& options) {
  if (!is_supported())
    return core::error{core::errc::unsupported,
                       "this kernel can't block outgoing connections (filters of system calls, seccomp)"};
  connection_block made;
  if (options.use_landlock) {
    STRATA_ASSIGN(made.landlock_, make_ruleset());
  }
  STRATA_ASSIGN(made.filter_, make_filter(!made.landlock_, options.allow_udp));
  return made;
}

bool connection_block::enter() const {
  // A process without CAP_SYS_ADMIN may restrict itself only so.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (landlock_ && ::syscall(SYS_landlock_restrict_self, landlock_.get(), 0) != 0) return false;
  const sock_fprog program{static_cast<unsigned short>(filter_.size()), const_cast<sock_filter*>(filter_.data())};
  // Without SPEC_ALLOW kernels before 5.16 slow down the whole process, against programs that Postgres does not run.
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0;
}

}  // namespace strata::host
