#include "actors/safekeeper/supervisor.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "actors/safekeeper/peer_exchange.hpp"
#include "actors/safekeeper/timelines.hpp"
#include "actors/safekeeper/wal_flusher.hpp"
#include "actors/safekeeper/wal_service.hpp"
#include "actors/support/actor_base.hpp"

namespace strata::actors::safekeeper {
namespace {

class supervisor final : public support::actor_base<supervisor_actor> {
 public:
  static constexpr const char* kind = "safekeeper.supervisor";
  static constexpr support::pool_id pool = support::pool_id::management;

  supervisor(const support::actor_setup& setup, supervisor_options options)
      : actor_base(setup), options_(std::move(options)) {}

  behavior_type make_behavior() {
    start_children();
    return {handle(&supervisor::services)};
  }

  void on_stop() {
    if (std::exchange(stopping_, true)) return;
    describe("stopping");
    stop_next();
  }

 private:
  // The children, in start order. Each knows only those above it.
  void start_children() {
    std::shared_ptr<const wal_backup> backup;
    if (!options_.backup_directory.empty())
      backup = std::make_shared<wal_backup>(*options_.disk, options_.backup_directory, options_.self);
    const auto exchange = started(
        "peer_exchange",
        spawn_peer_exchange(system(), {.label = child_label(""), .self = options_.self, .broker = options_.broker}));
    const auto flusher = started("wal_flusher", spawn_wal_flusher(system(), {.label = child_label(""),
                                                                             .disk = options_.disk,
                                                                             .directory = options_.directory,
                                                                             .disk_reserve = options_.disk_reserve}));
    const auto timelines =
        started("timelines", spawn_timelines(system(), {.label = child_label(""),
                                                        .directory = std::make_shared<timeline_directory>(
                                                            *options_.disk, options_.directory, options_.self),
                                                        .around = {.disk = options_.disk,
                                                                   .self = options_.self,
                                                                   .wal_address = options_.wal_address,
                                                                   .http_address = options_.http_address,
                                                                   .backup = backup,
                                                                   .exchange = exchange,
                                                                   .flusher = flusher}}));
    services_.timelines = timelines;
    started("wal_service", spawn_wal_service(system(), {.label = child_label(""),
                                                        .listener = std::move(options_.wal_listener),
                                                        .connections_max = options_.connections_max,
                                                        .timelines = timelines,
                                                        .backup = backup}));
  }

  template <class Handle>
  Handle started(const char* name, const Handle& child) {
    running_.push_back(caf::actor_cast<caf::strong_actor_ptr>(child));
    adopt(child, [this, name, address = running_.back()](const core::error& why) {
      std::erase(running_, address);
      if (stopping_) return stop_next();
      core::log(core::log_level::critical,
                std::string("the safekeeper stops: ") + name + " has ended: " + to_string(why));
      on_stop();
    });
    return child;
  }

  void stop_next() {
    if (running_.empty()) return quit();
    stop(running_.back());
  }

  core::result<safekeeper_services> services(const get_services&) { return services_; }

  supervisor_options options_;
  safekeeper_services services_;
  std::vector<caf::strong_actor_ptr> running_;
  bool stopping_ = false;
};

}  // namespace

supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_options options) {
  return support::spawn<supervisor>(system, {"safekeeper", 0}, std::move(options));
}

void stop_and_wait(caf::actor_system& system, const supervisor_actor& supervisor) {
  caf::scoped_actor self(system);
  self->monitor(supervisor);
  caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
  self->receive([](const caf::down_msg&) {});
}

}  // namespace strata::actors::safekeeper
