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
  /// Tells what safekeepers publish; null: nobody does.
  messages::broker_link_actor broker;
  /// How their management is reached; empty: not at all.
  safekeeper_access safekeepers;
  /// How they are asked for the end of their WAL.
  flushed_question ask_flushed = pageserver::ask_flushed();
  /// How sources are reached; tests put their own in its place.
  receiver_factory receiver = spawn_wal_receiver;
  source_request_factory source_request = spawn_source_request;
};

/// Everything of the pageserver role, started in the order in which its source lists it. Told to exit it stops them in
/// the opposite order, each after the one before has ended: clients first, then tenants (which flush). A child that
/// ends by itself takes the role down, in order: it was not its to survive.
messages::pageserver_supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_options options);

}  // namespace strata::actors::pageserver
