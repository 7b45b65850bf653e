#include "host/connection_block.hpp"

#include <ifaddrs.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "io/unique_fd.hpp"
#include "tests/support/other_host.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

using tests::other_host;

/// 0, or errno.
int answer(long returned) { return returned < 0 ? errno : 0; }

template <class Use>
int with_socket(int family, int type, int protocol, const Use& use) {
  const io::unique_fd made(::socket(family, type, protocol));
  return made ? use(made.get()) : errno;
}

const sockaddr* general(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

int connect_to(int socket, const sockaddr_in& to) { return answer(::connect(socket, general(to), sizeof to)); }

int send_with(int flags, int type, const sockaddr_in& to) {
  return with_socket(AF_INET, type, 0,
                     [&](int socket) { return answer(::sendto(socket, "x", 1, flags, general(to), sizeof to)); });
}

int send_message(const sockaddr_in& to, bool many) {
  return with_socket(AF_INET, SOCK_STREAM, 0, [&](int socket) {
    char byte = 'x';
    iovec part{&byte, 1};
    mmsghdr message{};
    message.msg_hdr.msg_name = const_cast<sockaddr_in*>(&to);
    message.msg_hdr.msg_namelen = sizeof to;
    message.msg_hdr.msg_iov = &part;
    message.msg_hdr.msg_iovlen = 1;
    return answer(many ? ::sendmmsg(socket, &message, 1, MSG_FASTOPEN)
                       : ::sendmsg(socket, &message.msg_hdr, MSG_FASTOPEN));
  });
}

int connect_fast_open(const sockaddr_in& to) {
  return with_socket(AF_INET, SOCK_STREAM, 0, [&](int socket) {
    const int on = 1;
    if (::setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) != 0) return errno;
    if (const int failed = connect_to(socket, to); failed != 0) return failed;
    return answer(::write(socket, "x", 1));
  });
}

int connect_by_io_uring(const sockaddr_in& to) {
  io_uring_params made{};
  const io::unique_fd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &made)));
  if (!ring) return errno;
  const auto map = [&](std::size_t size, off_t at) {
    void* place = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.get(), at);
    return place == MAP_FAILED ? nullptr : static_cast<char*>(place);
  };
  char* requests = map(made.sq_off.array + made.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
  char* entries = map(made.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
  char* answers = map(made.cq_off.cqes + made.cq_entries * sizeof(io_uring_cqe), IORING_OFF_CQ_RING);
  if (requests == nullptr || entries == nullptr || answers == nullptr) return errno;
  return with_socket(AF_INET, SOCK_STREAM, 0, [&](int socket) {
    io_uring_sqe entry{};
    entry.opcode = IORING_OP_CONNECT;
    entry.fd = socket;
    entry.addr = reinterpret_cast<std::uintptr_t>(&to);
    entry.off = sizeof to;
    std::memcpy(entries, &entry, sizeof entry);
    const unsigned one = 1;
    std::memcpy(requests + made.sq_off.tail, &one, sizeof one);
    if (::syscall(SYS_io_uring_enter, ring.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) < 0) return errno;
    io_uring_cqe done{};
    std::memcpy(&done, answers + made.cq_off.cqes, sizeof done);
    return -done.res;
  });
}

struct way {
  const char* name;
  std::function<int(const sockaddr_in&)> go;
};

/// To reach another host, each on its own.
std::vector<way> ways_out() {
  return {
      {"connect",
       [](const auto& to) {
         return with_socket(AF_INET, SOCK_STREAM, 0, [&](int socket) { return connect_to(socket, to); });
       }},
      {"MPTCP",
       [](const auto& to) {
         return with_socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP, [&](int socket) { return connect_to(socket, to); });
       }},
      {"MPTCP, with garbage above the int",
       [](const auto& to) {
         const io::unique_fd made(static_cast<int>(
             ::syscall(SYS_socket, 0x100000000 | AF_INET, 0x700000000 | SOCK_STREAM, 0x500000000 | IPPROTO_MPTCP)));
         return made ? connect_to(made.get(), to) : errno;
       }},
      {"fast open by sendto", [](const auto& to) { return send_with(MSG_FASTOPEN, SOCK_STREAM, to); }},
      {"fast open by sendmsg", [](const auto& to) { return send_message(to, false); }},
      {"fast open by sendmmsg", [](const auto& to) { return send_message(to, true); }},
      {"fast open by connect", [](const auto& to) { return connect_fast_open(to); }},
      {"UDP", [](const auto& to) { return send_with(0, SOCK_DGRAM, to); }},
      {"io_uring", connect_by_io_uring},
  };
}

/// The answers of each in a child, behind a block or free.
std::vector<int> answers_in_child(const std::vector<std::function<int()>>& all,
                                  const std::optional<connection_block_options>& block) {
  std::optional<connection_block> made;
  if (block) {
    auto result = connection_block::make(*block);
    BOOST_TEST_REQUIRE(result.has_value());
    made = *std::move(result);
  }
  int ends[2];
  BOOST_TEST_REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (made && !made->enter()) ::_exit(1);
    for (const auto& each : all) {
      const int said = each();
      if (::write(ends[1], &said, sizeof said) < 0) ::_exit(2);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::vector<int> answers;
  for (int said; ::read(ends[0], &said, sizeof said) == sizeof said;) answers.push_back(said);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST_REQUIRE(status == 0);
  return answers;
}

BOOST_AUTO_TEST_SUITE(host_connection_block)

BOOST_AUTO_TEST_CASE(no_way_leads_out_of_it_and_each_does_without_it) {
  other_host outside;
  outside.port("service");
  outside.watch();
  const sockaddr_in to = outside.socket_address("service");
  const auto ways = ways_out();
  std::vector<std::function<int()>> all;
  for (const auto& each : ways) all.emplace_back([&each, to] { return each.go(to); });

  for (const bool use_landlock : {true, false}) {
    const auto blocked = answers_in_child(all, connection_block_options{.use_landlock = use_landlock});
    for (std::size_t i = 0; i < ways.size(); ++i) BOOST_TEST(blocked[i] == EACCES, ways[i].name);
  }
  BOOST_TEST(outside.visits() == 0u);
  BOOST_TEST(outside.packets().value_or(0) == 0u);

  const auto free = answers_in_child(all, std::nullopt);
  std::size_t arrived = 0;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    // Not every kernel has all of them, or lets everybody use them.
    const bool is_missing =
        free[i] == ENOSYS || free[i] == EPERM || free[i] == EPROTONOSUPPORT || free[i] == EOPNOTSUPP;
    BOOST_TEST((free[i] == 0 || is_missing), ways[i].name << ": " << std::strerror(free[i]));
    if (free[i] != 0) BOOST_TEST_MESSAGE(ways[i].name << " was not tried: " << std::strerror(free[i]));
    arrived += free[i] == 0 ? 1 : 0;
  }
  BOOST_TEST(arrived >= 2u);
  tests::wait_until("all arrive", [&] { return outside.visits() == arrived; });
  if (const auto seen = outside.packets()) BOOST_TEST(*seen >= arrived);
}

BOOST_AUTO_TEST_CASE(what_a_postgres_needs_works_in_it) {
  other_host outside;
  outside.port("service");
  outside.watch();
  const sockaddr_in to = outside.socket_address("service");
  const tests::temp_dir home;
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::strncpy(local.sun_path, (home / "s").c_str(), sizeof local.sun_path - 1);
  const io::unique_fd near(::socket(AF_UNIX, SOCK_STREAM, 0));
  BOOST_TEST_REQUIRE(::bind(near.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0);
  BOOST_TEST_REQUIRE(::listen(near.get(), 4) == 0);
  const auto listens = [](int family) {
    return with_socket(family, SOCK_STREAM | SOCK_CLOEXEC, family == AF_INET ? IPPROTO_TCP : 0, [](int socket) {
      const int on = 1;
      if (::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return errno;
      return answer(::listen(socket, 4));
    });
  };
  const std::vector<std::function<int()>> needs{
      [&] { return listens(AF_INET); }, [&] { return listens(AF_INET6); },
      [] {
        ifaddrs* all = nullptr;
        const int said = answer(::getifaddrs(&all));
        ::freeifaddrs(all);
        return said;
      },
      [&] {
        return with_socket(AF_UNIX, SOCK_STREAM, 0, [&](int socket) {
          return answer(::connect(socket, reinterpret_cast<const sockaddr*>(&local), sizeof local));
        });
      },
      [&] { return send_with(0, SOCK_DGRAM, to); }};
  BOOST_TEST(answers_in_child(needs, connection_block_options{}) == (std::vector<int>{0, 0, 0, 0, EACCES}),
             boost::test_tools::per_element());
  BOOST_TEST(answers_in_child(needs, connection_block_options{.allow_udp = true}) == (std::vector<int>{0, 0, 0, 0, 0}),
             boost::test_tools::per_element());
  // Where the filter is alone, it can't tell a Unix socket from another one.
  BOOST_TEST(answers_in_child(needs, connection_block_options{.use_landlock = false}) ==
                 (std::vector<int>{0, 0, 0, EACCES, EACCES}),
             boost::test_tools::per_element());
  tests::wait_until("the datagram arrives", [&] { return outside.visits() == 1u; });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
