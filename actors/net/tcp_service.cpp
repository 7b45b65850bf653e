#include "actors/net/tcp_service.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "actors/runtime/actor_base.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::net {
namespace {

/// The other end's IP address, "?" when it has closed.
std::string peer_address(const io::unique_fd& client) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  std::array<char, NI_MAXHOST> text{};
  if (::getpeername(client.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&peer), size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) !=
          0)
    return "?";
  return text.data();
}

struct accept_again {};
using private_tcp_service =
    tcp_service_actor::extend<messages::accepts<runtime::socket_ready>, messages::accepts<accept_again>>;

class tcp_service final : public runtime::actor_base<private_tcp_service> {
 public:
  static constexpr const char* kind = "net.tcp_service";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  tcp_service(const runtime::actor_setup& setup, tcp_service_options options)
      : actor_base(setup),
        options_(std::move(options)),
        accepted_(
            env().metrics().counter(options_.metric + "_total", "Clients the " + options_.what + " has accepted")),
        dropped_(env().metrics().counter(options_.metric + "_dropped_total",
                                         "Idle clients closed to make room at the " + options_.what)),
        open_(env().metrics().gauge(options_.metric, "Open connections of the " + options_.what)) {}
  ~tcp_service() { env().sockets().forget(token_); }

  void on_start() {
    const auto token = env().sockets().watch(options_.listener.fd.get(), {.read = true}, self());
    if (token)
      token_ = *token;
    else
      quit(token.error());
    describe("listening on port " + std::to_string(options_.listener.port));
  }

 private:
  friend actor_base;
  void on(const messages::done&) {}
  void on(const runtime::socket_ready& event) {
    if (event.token == token_) accept_all();
  }
  void on(const accept_again&) { accept_all(); }

  void accept_all() {
    for (;;) {
      auto client = io::accept_client(options_.listener.fd);
      if (!client) {
        // Out of descriptors: the client keeps waiting in the backlog until one is free, which takes a moment.
        note_error("accept", client.error());
        if (client.error().code == core::errc::busy) make_room("");
        tell_self_after(std::chrono::milliseconds(100), accept_again{});
        return;
      }
      if (!*client) break;
      welcome(*std::move(client));
    }
    env().sockets().rearm(token_, {.read = true});
  }

  struct held_seat {
    std::string peer;
    tcp_service_options::seat seat;
    caf::strong_actor_ptr connection;
  };

  /// False: no client can be closed for one from `newcomer`; empty: for any client.
  bool make_room(const std::string& newcomer) {
    const std::size_t total = newcomer.empty() ? 0 : options_.connections_max;
    const core::seat_limits limits{total, std::max<std::size_t>(1, options_.connections_max / 4 * 3)};
    if (seats_.size() < std::min(limits.total, limits.per_peer)) return true;
    std::vector<core::seat> seats;
    seats.reserve(seats_.size());
    for (const auto& [number, held] : seats_)
      seats.push_back({number, held.peer, held.seat->use(), held.seat->since()});
    const core::admission made = core::admit(seats, newcomer, limits);
    if (!made.drop) return made.admitted;
    const auto found = seats_.find(*made.drop);
    stop(found->second.connection);
    seats_.erase(found);
    dropped_.add();
    return true;
  }

  void welcome(io::unique_fd client) {
    const std::string peer = peer_address(client);
    if (!make_room(peer)) {
      core::bytes refusal;
      pg::wire::append_error(refusal, "53300",
                             "too many connections: the " + options_.what + " is limited to " +
                                 std::to_string(options_.connections_max) + ", and all of them are in use",
                             true);
      [[maybe_unused]] const auto sent =
          ::send(client.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    accepted_.add();
    open_.set(++connections_);
    const std::uint64_t number = ++numbered_;
    auto seat = std::make_shared<connection_seat>(clock().monotonic());
    const auto connection =
        options_.welcome(system(), child_label("client " + std::to_string(number)), std::move(client), seat);
    seats_.emplace(number, held_seat{peer, std::move(seat), connection});
    adopt(connection, [this, number](const core::error&) {
      seats_.erase(number);
      open_.set(--connections_);
    });
  }

  tcp_service_options options_;
  runtime::counter accepted_;
  runtime::counter dropped_;
  runtime::gauge open_;
  runtime::watch_token token_;
  /// By number; without those that were told to exit.
  std::map<std::uint64_t, held_seat> seats_;
  std::uint32_t connections_ = 0;
  std::uint64_t numbered_ = 0;
};

}  // namespace

tcp_service_actor spawn_tcp_service(caf::actor_system& system, tcp_service_options options) {
  auto label = options.label;
  return runtime::spawn<tcp_service>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::net

STRATA_LOCAL_MESSAGE(strata::actors::net::accept_again)
