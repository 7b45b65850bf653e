#include "actors/safekeeper/wal_service.hpp"

#include <caf/actor_cast.hpp>

#include "actors/safekeeper/wal_connection.hpp"

namespace strata::actors::safekeeper {

net::tcp_service_actor spawn_wal_service(caf::actor_system& system, wal_service_options options) {
  return net::spawn_tcp_service(
      system, {.label = std::move(options.label),
               .listener = std::move(options.listener),
               .connections_max = options.connections_max,
               .what = "WAL service",
               .metric = "strata_safekeeper_connections",
               .welcome = [timelines = options.timelines, backup = options.backup, identity = options.identity](
                              caf::actor_system& in, runtime::actor_label label, io::unique_fd client,
                              net::tcp_service_options::seat seat) {
                 return caf::actor_cast<caf::strong_actor_ptr>(spawn_wal_connection(in, {.label = std::move(label),
                                                                                         .socket = std::move(client),
                                                                                         .seat = std::move(seat),
                                                                                         .timelines = timelines,
                                                                                         .backup = backup,
                                                                                         .identity = identity}));
               }});
}

}  // namespace strata::actors::safekeeper
