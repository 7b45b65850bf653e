#include "control/safekeeper_probe.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "io/sockets.hpp"
#include "pg/wire/client_frames.hpp"

namespace strata::control {
namespace {

namespace wire = pg::wire;
using pg::wire::safekeeper_location;
using clock = std::chrono::steady_clock;

constexpr std::size_t frame_size_max = 64u << 10;

core::result<void> wait_for(int socket, short events, clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
    pollfd asked{socket, events, 0};
    const int ready = left > 0 ? ::poll(&asked, 1, static_cast<int>(left)) : 0;
    if (ready > 0) return {};
    if (ready == 0) return core::error{core::errc::timeout, "it does not answer"};
    if (errno != EINTR) return core::from_errno("poll", errno);
  }
}

core::result<io::unique_fd> connect_to(const safekeeper_location& at, clock::time_point until) {
  STRATA_ASSIGN(auto socket, io::begin_connect(at.host, at.port));
  STRATA_TRY(wait_for(socket.get(), POLLOUT, until));
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return core::error{core::errc::unavailable, core::from_errno("connect", failure).detail};
  return socket;
}

}  // namespace

core::result<void> check_wal_service(const safekeeper_location& at, std::chrono::milliseconds limit) {
  const auto until = clock::now() + limit;
  STRATA_ASSIGN(const auto socket, connect_to(at, until));
  core::bytes startup;
  wire::append_startup(startup, {{"user", "strata"}, {"database", "replication"}, {"application_name", "strata"}});
  if (::send(socket.get(), startup.data(), startup.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(startup.size()))
    return core::error{core::errc::unavailable, core::from_errno("send", errno).detail};
  core::bytes arrived;
  for (;;) {
    STRATA_ASSIGN(const auto frame, wire::parse_backend_frame(arrived, frame_size_max));
    if (!frame) {
      STRATA_TRY(wait_for(socket.get(), POLLIN, until));
      std::array<std::uint8_t, 4096> part;
      const ssize_t got = ::recv(socket.get(), part.data(), part.size(), 0);
      if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        return core::error{core::errc::unavailable, "the connection was closed"};
      if (got > 0) arrived.insert(arrived.end(), part.begin(), part.begin() + got);
      continue;
    }
    if (frame->tag == 'E') return core::error{core::errc::unavailable, wire::parse_complaint(frame->body).message};
    // One that does not tell who it is was started by an older version.
    if (frame->tag == 'Z') return {};
    if (const auto parameter = frame->tag == 'S' ? wire::parse_parameter_status(frame->body) : std::nullopt;
        parameter && parameter->first == wire::safekeeper_parameter) {
      const auto answering = wire::parse_safekeeper_identity(parameter->second);
      if (!answering) return core::error{core::errc::corrupt, "it did not identify itself"};
      return wire::check_identity(at.expected, *answering);
    }
    arrived.erase(arrived.begin(), arrived.begin() + static_cast<std::ptrdiff_t>(frame->size));
  }
}

}  // namespace strata::control
