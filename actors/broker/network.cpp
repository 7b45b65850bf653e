#include "actors/broker/network.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/openssl/manager.hpp>
#include <caf/openssl/publish.hpp>

namespace strata::actors::broker {

std::function<void(caf::actor_system_config&)> network_of(const node_identity& identity) {
  return [&identity](caf::actor_system_config& config) {
    config.load<caf::io::middleman>();
    config.load<caf::openssl::manager>();
    config.openssl_certificate = identity.certificate_path();
    config.openssl_key = identity.key_path();
    config.openssl_cafile = identity.authority_path();
    config.set("middleman.app-identifiers", std::vector<std::string>{protocol_name});
    config.set("middleman.heartbeat-interval", caf::timespan(std::chrono::seconds(1)));
    config.set("middleman.connection-timeout", caf::timespan(silence_max));
    // Messages are decoded by the one thread that reads them: in order, and without threads that wait for work.
    config.set("middleman.workers", std::size_t{0});
    config.add_message_type<messages::safekeeper_timeline_info>("strata.safekeeper_timeline_info");
    config.add_message_type<session_opened>("strata.session_opened");
    config.add_message_type<delivery>("strata.delivery");
    config.add_message_type<publication_taken>("strata.publication_taken");
    config.add_message_type<open_session>("strata.open_session");
    config.add_message_type<begin_deliveries>("strata.begin_deliveries");
    config.add_message_type<publication>("strata.publication");
    config.add_message_type<delivery_taken>("strata.delivery_taken");
  };
}

core::result<std::uint16_t> publish(const broker_actor& broker, const std::string& address, std::uint16_t port) {
  auto published = caf::openssl::publish(broker, port, address.c_str(), true);
  if (!published)
    return core::error{core::errc::conflict, "listen on " + address + ":" + std::to_string(port) +
                                                 " for links: " + caf::to_string(published.error())};
  return *published;
}

void connect(caf::actor_system& system, const std::string& host, std::uint16_t port, std::chrono::milliseconds limit,
             std::function<void(core::result<broker_actor>)> then) {
  // An actor for one request: only it can have a deadline, and remote_actor() has none.
  system.spawn([host, port, limit, then = std::move(then)](caf::event_based_actor* self) {
    self->request(self->system().openssl_manager().actor_handle(), limit, caf::connect_atom::value, host, port)
        .then(
            [then, self, host, port](const caf::node_id&, caf::strong_actor_ptr& found,
                                     const std::set<std::string>& signatures) {
              if (!found || !self->system().assignable(signatures, self->system().message_types<broker_actor>()))
                return then(core::error{core::errc::unavailable,
                                        "what answers on " + host + ":" + std::to_string(port) + " is no broker"});
              then(caf::actor_cast<broker_actor>(found));
            },
            [then](const caf::error& error) {
              if (error == caf::sec::request_timeout)
                return then(core::error{core::errc::timeout, "no answer came in time"});
              then(core::error{core::errc::unavailable, caf::to_string(error)});
            });
  });
}

}  // namespace strata::actors::broker
