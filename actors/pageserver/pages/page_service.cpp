#include "actors/pageserver/pages/page_service.hpp"

#include <caf/actor_cast.hpp>

#include "actors/pageserver/pages/page_connection.hpp"

namespace strata::actors::pageserver {

net::tcp_service_actor spawn_page_service(caf::actor_system& system, page_service_options options) {
  return net::spawn_tcp_service(
      system, {.label = std::move(options.label),
               .listener = std::move(options.listener),
               .connections_max = options.connections_max,
               .what = "page service",
               .metric = "strata_page_connections",
               .welcome = [timeout = options.wait_lsn_timeout, tenants = options.tenants, backups = options.backups](
                              caf::actor_system& in, runtime::actor_label label, io::unique_fd client,
                              net::tcp_service_options::seat seat) {
                 return caf::actor_cast<caf::strong_actor_ptr>(spawn_page_connection(in, {.label = std::move(label),
                                                                                          .socket = std::move(client),
                                                                                          .seat = std::move(seat),
                                                                                          .wait_lsn_timeout = timeout,
                                                                                          .tenants = tenants,
                                                                                          .backups = backups}));
               }});
}

}  // namespace strata::actors::pageserver
