#include "actors/runtime/introspector.hpp"

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::runtime {
namespace {

class introspector final : public actor_base<messages::introspector_actor> {
 public:
  static constexpr const char* kind = "introspector";
  static constexpr pool_id pool = pool_id::management;

  introspector(const actor_setup& setup, const introspector_options&) : actor_base(setup) {}

 private:
  friend actor_base;
  core::result<messages::actor_list> on(const messages::list_actors&) {
    return messages::actor_list{env().registry().snapshot()};
  }
  core::result<messages::pool_list> on(const messages::list_pools&) {
    return messages::pool_list{env().pools().snapshot()};
  }
};

}  // namespace

messages::introspector_actor spawn_introspector(caf::actor_system& system, introspector_options options) {
  auto label = options.label;
  return spawn<introspector>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::runtime
