#include "actors/pageserver/page_service.hpp"

#include <sys/socket.h>

#include "actors/pageserver/page_connection.hpp"
#include "actors/support/actor_base.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::pageserver {
namespace {

struct accept_again {};
using private_page_service =
    page_service_actor::extend<messages::accepts<support::socket_ready>, messages::accepts<accept_again>>;

class page_service final : public support::actor_base<private_page_service> {
 public:
  static constexpr const char* kind = "pageserver.page_service";
  static constexpr support::pool_id pool = support::pool_id::management;

  page_service(const support::actor_setup& setup, page_service_options options)
      : actor_base(setup),
        options_(std::move(options)),
        accepted_(env().metrics().counter("strata_page_connections_total", "Clients the page service has accepted")),
        open_(env().metrics().gauge("strata_page_connections", "Open connections of the page service")) {}
  ~page_service() { env().sockets().forget(token_); }

  behavior_type make_behavior() {
    const auto token = env().sockets().watch(options_.listener.fd.get(), {.read = true}, self());
    if (token)
      token_ = *token;
    else
      quit(token.error());
    describe("listening on port " + std::to_string(options_.listener.port));
    return {[](const messages::done&) {}, handle(&page_service::ready), handle(&page_service::again)};
  }

 private:
  void ready(const support::socket_ready& event) {
    if (event.token == token_) accept_all();
  }
  void again(const accept_again&) { accept_all(); }

  void accept_all() {
    for (;;) {
      auto client = support::accept_client(options_.listener.fd);
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

  void welcome(support::unique_fd client) {
    if (connections_ >= options_.connections_max) {
      core::bytes refusal;
      pg::wire::append_error(
          refusal, "53300",
          "too many connections: the page service is limited to " + std::to_string(options_.connections_max), true);
      [[maybe_unused]] const auto sent =
          ::send(client.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    accepted_.add();
    open_.set(++connections_);
    const auto connection =
        spawn_page_connection(system(), {.label = child_label("client " + std::to_string(++numbered_)),
                                         .socket = std::move(client),
                                         .wait_lsn_timeout = options_.wait_lsn_timeout,
                                         .tenants = options_.tenants,
                                         .backups = options_.backups});
    adopt(connection, [this](const core::error&) { open_.set(--connections_); });
  }

  page_service_options options_;
  support::counter accepted_;
  support::gauge open_;
  support::watch_token token_;
  std::uint32_t connections_ = 0;
  std::uint64_t numbered_ = 0;
};

}  // namespace

page_service_actor spawn_page_service(caf::actor_system& system, page_service_options options) {
  auto label = options.label;
  return support::spawn<page_service>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::accept_again)
