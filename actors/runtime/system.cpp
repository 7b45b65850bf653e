#include "actors/runtime/system.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include "io/descriptor_limit.hpp"

namespace strata::actors::runtime {

environment& environment_of(const caf::actor_system& system) {
  return static_cast<const environment_config&>(system.config()).of();
}

process_system::process_system(const process_options& options)
    : environment_(options.pools, *options.clock), config_(environment_), deterministic_(options.deterministic) {
  io::raise_descriptor_limit();
  if (deterministic_)
    config_.set("scheduler.policy", caf::atom("testing"));
  else
    config_.module_factories.emplace_back(make_pooled_scheduler);
  if (options.configure) options.configure(config_);
  actors_ = std::make_unique<caf::actor_system>(config_);
  // A driver of the test scheduler ends its actors itself: no thread would run them here.
  if (deterministic_) actors_->await_actors_before_shutdown(false);
}

process_system::~process_system() {
  environment_.sockets().stop();
  if (!deterministic_) {
    for (const auto& actor : environment_.registry().living())
      caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::kill);
    actors_->await_all_actors_done();
  }
  actors_.reset();
}

}  // namespace strata::actors::runtime
