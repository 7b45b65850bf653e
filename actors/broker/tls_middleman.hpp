#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman_actor.hpp>
#include <memory>

struct ssl_ctx_st;

namespace strata::actors::broker {

/// Makes CAF's network layer connect and listen with TLS only. Loads the middleman, too.
void load_tls_middleman(caf::actor_system_config& config, std::shared_ptr<ssl_ctx_st> tls);

/// The actor for connections. Precondition: the system was created with load_tls_middleman().
caf::io::middleman_actor tls_middleman_of(caf::actor_system& system);

}  // namespace strata::actors::broker
