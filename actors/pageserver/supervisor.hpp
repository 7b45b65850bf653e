#pragma once

#include <caf/actor_system.hpp>
#include <memory>

#include "actors/pageserver/quorum/safekeeper_reconciler.hpp"
#include "actors/pageserver/tenant.hpp"
#include "config/options.hpp"
#include "io/sockets.hpp"
#include "messages/broker.hpp"
#include "messages/services.hpp"

namespace strata::actors::pageserver {

struct supervisor_options {
  config::server_options server;
  std::shared_ptr<tenant_files> files;
  io::tcp_listener page_listener;
  /// Forwards what safekeepers publish; null: nothing is published.
  messages::broker_link_actor broker;
  /// Access to their management API; empty: none.
  safekeeper_access safekeepers;
  /// Asks them for the end of their WAL.
  flushed_question ask_flushed = pageserver::ask_flushed();
  /// Connects to sources; tests replace it.
  receiver_factory receiver = spawn_wal_receiver;
  source_request_factory source_request = spawn_source_request;
};

/// Everything of the pageserver role, started in the order of its source. Told to exit it stops them in
/// the opposite order, each after the previous one has ended: clients first, then tenants (which flush). A child that
/// ends by itself ends the role, in order: the role can't run without it.
messages::pageserver_supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_options options);

}  // namespace strata::actors::pageserver
