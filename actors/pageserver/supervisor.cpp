#include "actors/pageserver/supervisor.hpp"

#include <algorithm>

#include "actors/pageserver/pages/basebackup.hpp"
#include "actors/pageserver/pages/page_service.hpp"
#include "actors/pageserver/quorum/safekeeper_watch.hpp"
#include "actors/pageserver/tenant_manager.hpp"
#include "actors/runtime/housekeeping.hpp"
#include "actors/runtime/introspector.hpp"
#include "actors/runtime/role_supervisor.hpp"

namespace strata::actors::pageserver {
namespace {

class supervisor final : public runtime::role_supervisor<messages::pageserver_supervisor_actor> {
 public:
  static constexpr const char* kind = "pageserver.supervisor";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  supervisor(const runtime::actor_setup& setup, supervisor_options options)
      : role_supervisor(setup, "the server"), options_(std::move(options)) {}

  void on_start() { start_children(); }

 private:
  friend actor_base;
  // The children, in start order. Each uses only those above it.
  void start_children() {
    const auto& server = options_.server;
    services_.introspector = started("introspector", runtime::spawn_introspector(system(), {.label = child_label("")}));
    const auto housekeeping =
        started("housekeeping", runtime::spawn_housekeeping(system(), {.label = child_label("")}));
    const auto watch = started("safekeeper_watch",
                               spawn_safekeeper_watch(system(), {.label = child_label(""), .broker = options_.broker}));
    const auto reconciler =
        started("safekeeper_reconciler",
                spawn_safekeeper_reconciler(
                    system(), {.label = child_label(""), .files = options_.files, .access = options_.safekeepers}));
    services_.reconciler = reconciler;
    auto around = context_of_tenants();
    around.housekeeping = housekeeping;
    around.watch = watch;
    around.safekeeper_reconciler = reconciler;
    services_.tenants = started(
        "tenant_manager", spawn_tenant_manager(system(), {.label = child_label(""), .context = std::move(around)}));
    services_.backups =
        started("backup_factory", spawn_backup_factory(system(), {.label = child_label(""),
                                                                  .tenants = services_.tenants,
                                                                  .wait_lsn_timeout = server.wait_lsn_timeout}));
    started("page_service", spawn_page_service(system(), {.label = child_label(""),
                                                          .listener = std::move(options_.page_listener),
                                                          .connections_max = server.page_connections_max,
                                                          .wait_lsn_timeout = server.wait_lsn_timeout,
                                                          .tenants = services_.tenants,
                                                          .backups = services_.backups}));
  }

  /// Without the actors in it.
  [[nodiscard]] tenant_context context_of_tenants() {
    // A thread of the background pool stays free for flushes.
    const auto threads =
        static_cast<int>(env().pools().threads(static_cast<std::size_t>(runtime::pool_id::background)));
    return {.files = options_.files,
            .defaults = options_.server.tenant_defaults,
            .permits = std::make_shared<work_permits>(std::max(1, threads - 1)),
            .receiver = options_.receiver,
            .source_request = options_.source_request,
            .ask_flushed = options_.ask_flushed};
  }

  core::result<messages::pageserver_services> on(const messages::get_services&) { return services_; }

  supervisor_options options_;
  messages::pageserver_services services_;
};

}  // namespace

messages::pageserver_supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_options options) {
  return runtime::spawn<supervisor>(system, {"pageserver", 0}, std::move(options));
}

}  // namespace strata::actors::pageserver
