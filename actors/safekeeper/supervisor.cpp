#include "actors/safekeeper/supervisor.hpp"

#include <unistd.h>

#include "actors/runtime/role_supervisor.hpp"
#include "actors/safekeeper/peer_exchange.hpp"
#include "actors/safekeeper/timelines.hpp"
#include "actors/safekeeper/wal_flusher.hpp"
#include "actors/safekeeper/wal_service.hpp"
#include "pg/wire/safekeeper_identity.hpp"

namespace strata::actors::safekeeper {
namespace {

class supervisor final : public runtime::role_supervisor<messages::safekeeper_supervisor_actor> {
 public:
  static constexpr const char* kind = "safekeeper.supervisor";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  supervisor(const runtime::actor_setup& setup, supervisor_options options)
      : role_supervisor(setup, "the safekeeper"), options_(std::move(options)) {}

  void on_start() { start_children(); }

 private:
  friend actor_base;
  // The children, in start order. Each uses only those above it.
  void start_children() {
    std::shared_ptr<const journal::wal_archive> backup;
    if (!options_.backup_directory.empty())
      backup = std::make_shared<journal::wal_archive>(*options_.disk, options_.backup_directory, options_.self);
    const auto exchange = started(
        "peer_exchange",
        spawn_peer_exchange(system(), {.label = child_label(""), .self = options_.self, .broker = options_.broker}));
    wal_flusher_set set;
    set.rounds = std::make_shared<flush_rounds>(flush_rounds_options{.disk = options_.disk,
                                                                     .directory = options_.directory,
                                                                     .disk_reserve = options_.disk_reserve,
                                                                     .clock = &clock()},
                                                env().metrics());
    for (std::size_t i = 0; i < wal_flusher_set::count; ++i)
      set.flushers[i] =
          started("wal_flusher", spawn_wal_flusher(system(), {child_label(std::to_string(i + 1)), set.rounds}));
    const auto timelines =
        started("timelines", spawn_timelines(system(), {.label = child_label(""),
                                                        .directory = std::make_shared<journal::timeline_directory>(
                                                            *options_.disk, options_.directory, options_.self),
                                                        .ask = options_.ask,
                                                        .around = {.disk = options_.disk,
                                                                   .self = options_.self,
                                                                   .wal_address = options_.wal_address,
                                                                   .http_address = options_.http_address,
                                                                   .disk_reserve = options_.disk_reserve,
                                                                   .backup = backup,
                                                                   .exchange = exchange,
                                                                   .flushers = set}}));
    services_.timelines = timelines;
    const std::string identity =
        options_.instance.valid() ? pg::wire::to_text({options_.self.value, options_.instance, ::getpid()}) : "";
    started("wal_service", spawn_wal_service(system(), {.label = child_label(""),
                                                        .listener = std::move(options_.wal_listener),
                                                        .connections_max = options_.connections_max,
                                                        .timelines = timelines,
                                                        .backup = backup,
                                                        .identity = identity}));
  }

  core::result<messages::safekeeper_services> on(const messages::get_services&) { return services_; }

  supervisor_options options_;
  messages::safekeeper_services services_;
};

}  // namespace

messages::safekeeper_supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_options options) {
  return runtime::spawn<supervisor>(system, {"safekeeper", 0}, std::move(options));
}

}  // namespace strata::actors::safekeeper
