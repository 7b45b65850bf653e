#include "actors/broker/network.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/broker/tls_middleman.hpp"

namespace strata::actors::broker {

std::function<void(caf::actor_system_config&)> network_of(const node_identity& identity) {
  return [tls = identity.tls()](caf::actor_system_config& config) {
    load_tls_middleman(config, tls);
    config.set("middleman.app-identifiers", std::vector<std::string>{protocol_name});
    config.set("middleman.heartbeat-interval", caf::timespan(std::chrono::seconds(1)));
    config.set("middleman.connection-timeout", caf::timespan(silence_max));
    // Messages are decoded by the one thread that reads them: in order, and without threads that wait for work.
    config.set("middleman.workers", std::size_t{0});
    config.add_message_type<protocol::safekeeper_timeline_info>("strata.safekeeper_timeline_info");
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
  auto& system = broker.home_system();
  core::result<std::uint16_t> published = core::error{core::errc::io_error, "no answer"};
  caf::scoped_actor self(system);
  self->request(tls_middleman_of(system), caf::infinite, caf::publish_atom::value, port,
                caf::actor_cast<caf::strong_actor_ptr>(broker), system.message_types<broker_actor>(), address, true)
      .receive([&](std::uint16_t got) { published = got; },
               [&](const caf::error& error) {
                 published = core::error{core::errc::conflict, "listen on " + address + ":" + std::to_string(port) +
                                                                   " for links: " + caf::to_string(error)};
               });
  return published;
}

void connect(caf::actor_system& system, const std::string& host, std::uint16_t port, std::chrono::milliseconds limit,
             std::function<void(core::result<broker_actor>)> then) {
  // An actor for one request: only it can have a deadline, and remote_actor() has none. With an argument: without one
  // CAF binds a reference to a missing object, which UBSan reports.
  const auto request = [port, limit, then = std::move(then)](caf::event_based_actor* self, const std::string& host) {
    self->request(tls_middleman_of(self->system()), limit, caf::connect_atom::value, host, port)
        .then(
            [then, self, host, port](const caf::node_id&, caf::strong_actor_ptr& found,
                                     const std::set<std::string>& signatures) {
              if (!found || !self->system().assignable(signatures, self->system().message_types<broker_actor>()))
                return then(core::error{core::errc::unavailable,
                                        "the server on " + host + ":" + std::to_string(port) + " is no broker"});
              then(caf::actor_cast<broker_actor>(found));
            },
            [then](const caf::error& error) {
              if (error == caf::sec::request_timeout)
                return then(core::error{core::errc::timeout, "no answer came in time"});
              then(core::error{core::errc::unavailable, caf::to_string(error)});
            });
  };
  system.spawn(request, host);
}

}  // namespace strata::actors::broker
