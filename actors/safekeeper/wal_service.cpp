#include "actors/safekeeper/wal_service.hpp"

#include <sys/socket.h>

#include "actors/safekeeper/wal_connection.hpp"
#include "actors/support/actor_base.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::safekeeper {
namespace {

struct accept_wal_clients {};
using private_wal_service =
    wal_service_actor::extend<messages::accepts<support::socket_ready>, messages::accepts<accept_wal_clients>>;

class wal_service final : public support::actor_base<private_wal_service> {
 public:
  static constexpr const char* kind = "safekeeper.wal_service";
  static constexpr support::pool_id pool = support::pool_id::management;

  wal_service(const support::actor_setup& setup, wal_service_options options)
      : actor_base(setup),
        options_(std::move(options)),
        accepted_(
            env().metrics().counter("strata_safekeeper_connections_total", "Clients the WAL service has accepted")),
        open_(env().metrics().gauge("strata_safekeeper_connections", "Open connections of the WAL service")) {}
  ~wal_service() { env().sockets().forget(token_); }

  behavior_type make_behavior() {
    const auto token = env().sockets().watch(options_.listener.fd.get(), {.read = true}, self());
    if (token)
      token_ = *token;
    else
      quit(token.error());
    describe("listening on port " + std::to_string(options_.listener.port));
    return {[](const messages::done&) {}, handle(&wal_service::ready), handle(&wal_service::again)};
  }

 private:
  void ready(const support::socket_ready& event) {
    if (event.token == token_) accept_all();
  }
  void again(const accept_wal_clients&) { accept_all(); }

  void accept_all() {
    for (;;) {
      auto client = support::accept_client(options_.listener.fd);
      if (!client) {
        // Out of descriptors: the client keeps waiting in the backlog, and accepting at once would only spin.
        note_error("accept", client.error());
        tell_self_after(std::chrono::milliseconds(100), accept_wal_clients{});
        return;
      }
      if (!*client) break;
      welcome(*std::move(client));
    }
    env().sockets().rearm(token_, {.read = true});
  }

  void welcome(support::unique_fd client) {
    if (connections_ >= options_.connections_max) {
      core::bytes refusal;
      pg::wire::append_error(
          refusal, "53300",
          "too many connections: the WAL service is limited to " + std::to_string(options_.connections_max), true);
      [[maybe_unused]] const auto sent =
          ::send(client.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    accepted_.add();
    open_.set(++connections_);
    const auto connection =
        spawn_wal_connection(system(), {.label = child_label("client " + std::to_string(++numbered_)),
                                        .socket = std::move(client),
                                        .timelines = options_.timelines,
                                        .backup = options_.backup});
    adopt(connection, [this](const core::error&) { open_.set(--connections_); });
  }

  wal_service_options options_;
  support::counter accepted_;
  support::gauge open_;
  support::watch_token token_;
  std::uint32_t connections_ = 0;
  std::uint64_t numbered_ = 0;
};

}  // namespace

wal_service_actor spawn_wal_service(caf::actor_system& system, wal_service_options options) {
  auto label = options.label;
  return support::spawn<wal_service>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::accept_wal_clients)
