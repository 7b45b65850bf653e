#include "actors/runtime/housekeeping.hpp"

#include <set>

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::runtime {
namespace {

struct interval_over {};
using private_housekeeping = housekeeping_actor::extend<messages::accepts<interval_over>>;

}  // namespace
}  // namespace strata::actors::runtime

STRATA_LOCAL_MESSAGE(strata::actors::runtime::interval_over)

namespace strata::actors::runtime {
namespace {

class housekeeping final : public actor_base<private_housekeeping> {
 public:
  static constexpr const char* kind = "housekeeping";
  static constexpr pool_id pool = pool_id::management;

  housekeeping(const actor_setup& setup, const housekeeping_options& options)
      : actor_base(setup), interval_(options.interval) {}

  void on_start() { tell_self_after(interval_, interval_over{}); }

 private:
  friend actor_base;
  void on(const tick_me& request) {
    if (!ticked_.insert(request.actor).second) return;
    monitor(request.actor, [this, actor = request.actor](const core::error&) { ticked_.erase(actor); });
  }
  void on(const interval_over&) {
    for (const auto& actor : ticked_) tell(actor, housekeeping_tick{});
    tell_self_after(interval_, interval_over{});
  }

  std::chrono::milliseconds interval_;
  std::set<ticked_actor> ticked_;
};

}  // namespace

housekeeping_actor spawn_housekeeping(caf::actor_system& system, housekeeping_options options) {
  auto label = options.label;
  return spawn<housekeeping>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::runtime
