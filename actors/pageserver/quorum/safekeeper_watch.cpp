#include "actors/pageserver/quorum/safekeeper_watch.hpp"

#include <map>

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::pageserver {
namespace {

class safekeeper_watch final : public runtime::actor_base<safekeeper_watch_actor> {
 public:
  static constexpr const char* kind = "pageserver.safekeeper_watch";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  safekeeper_watch(const runtime::actor_setup& setup, safekeeper_watch_options options)
      : actor_base(setup), broker_(std::move(options.broker)) {}

  void on_start() {
    if (broker_) tell(broker_, messages::subscribe_timelines{self()});
  }

 private:
  friend actor_base;
  using timeline_key = std::pair<core::tenant_id, core::timeline_id>;

  void on(const watch_timeline& request) {
    const timeline_key key{request.tenant, request.timeline};
    watching_[key] = request.actor;
    monitor(request.actor, [this, key, actor = request.actor](const core::error&) {
      const auto found = watching_.find(key);
      if (found != watching_.end() && found->second == actor) watching_.erase(found);
    });
  }

  void on(const messages::timelines_published& news) {
    for (const auto& info : news.timelines)
      if (const auto found = watching_.find({info.tenant, info.timeline}); found != watching_.end())
        tell(found->second, safekeeper_published{info});
  }

  messages::broker_link_actor broker_;
  std::map<timeline_key, watching_actor> watching_;
};

}  // namespace

safekeeper_watch_actor spawn_safekeeper_watch(caf::actor_system& system, safekeeper_watch_options options) {
  auto label = options.label;
  return runtime::spawn<safekeeper_watch>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
