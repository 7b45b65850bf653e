#include "actors/support/tcp_service.hpp"

#include <sys/socket.h>

#include "actors/support/actor_base.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::support {
namespace {

struct accept_again {};
using private_tcp_service = tcp_service_actor::extend<messages::accepts<socket_ready>, messages::accepts<accept_again>>;

class tcp_service final : public actor_base<private_tcp_service> {
 public:
  static constexpr const char* kind = "support.tcp_service";
  static constexpr pool_id pool = pool_id::management;

  tcp_service(const actor_setup& setup, tcp_service_options options)
      : actor_base(setup),
        options_(std::move(options)),
        accepted_(
            env().metrics().counter(options_.metric + "_total", "Clients the " + options_.what + " has accepted")),
        open_(env().metrics().gauge(options_.metric, "Open connections of the " + options_.what)) {}
  ~tcp_service() { env().sockets().forget(token_); }

  behavior_type make_behavior() {
    const auto token = env().sockets().watch(options_.listener.fd.get(), {.read = true}, self());
    if (token)
      token_ = *token;
    else
      quit(token.error());
    describe("listening on port " + std::to_string(options_.listener.port));
    return {[](const messages::done&) {}, handle(&tcp_service::ready), handle(&tcp_service::again)};
  }

 private:
  void ready(const socket_ready& event) {
    if (event.token == token_) accept_all();
  }
  void again(const accept_again&) { accept_all(); }

  void accept_all() {
    for (;;) {
      auto client = accept_client(options_.listener.fd);
      if (!client) {
        // Out of descriptors: the client keeps waiting in the backlog, and accepting at once would only spin.
        note_error("accept", client.error());
        tell_self_after(std::chrono::milliseconds(100), accept_again{});
        return;
      }
      if (!*client) break;
      welcome(*std::move(client));
    }
    env().sockets().rearm(token_, {.read = true});
  }

  void welcome(unique_fd client) {
    if (connections_ >= options_.connections_max) {
      core::bytes refusal;
      pg::wire::append_error(
          refusal, "53300",
          "too many connections: the " + options_.what + " is limited to " + std::to_string(options_.connections_max),
          true);
      [[maybe_unused]] const auto sent =
          ::send(client.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    accepted_.add();
    open_.set(++connections_);
    const auto connection =
        options_.welcome(system(), child_label("client " + std::to_string(++numbered_)), std::move(client));
    adopt(connection, [this](const core::error&) { open_.set(--connections_); });
  }

  tcp_service_options options_;
  counter accepted_;
  gauge open_;
  watch_token token_;
  std::uint32_t connections_ = 0;
  std::uint64_t numbered_ = 0;
};

}  // namespace

tcp_service_actor spawn_tcp_service(caf::actor_system& system, tcp_service_options options) {
  auto label = options.label;
  return spawn<tcp_service>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::support

STRATA_LOCAL_MESSAGE(strata::actors::support::accept_again)
