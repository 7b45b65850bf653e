#include "cli/server_process.hpp"

#include <unistd.h>

#include <atomic>
#include <caf/scoped_actor.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "actors/broker/broker.hpp"
#include "actors/broker/broker_link.hpp"
#include "actors/broker/network.hpp"
#include "actors/pageserver/supervisor.hpp"
#include "actors/runtime/proc_metrics.hpp"
#include "actors/runtime/system.hpp"
#include "api/ask.hpp"
#include "api/http_server.hpp"
#include "cli/end_signals.hpp"
#include "cli/interruption_notice.hpp"
#include "cli/running_role.hpp"
#include "cli/safekeeper_access.hpp"
#include "cli/server_metrics.hpp"
#include "cli/version.hpp"
#include "config/time_text.hpp"
#include "control/detached_server.hpp"
#include "control/failure.hpp"
#include "control/kept_ports.hpp"
#include "control/safekeeper_observer.hpp"
#include "control/safekeeper_processes.hpp"
#include "control/server_storage.hpp"
#include "core/address.hpp"

namespace strata::cli {

using namespace control;
namespace {

namespace broker = actors::broker;
namespace pageserver = actors::pageserver;
using actors::runtime::process_system;

/// How long `up` waits for its safekeepers.
constexpr std::chrono::seconds safekeepers_limit{60};

/// What the role has, once it knows all its tenants: who is told that the server is up may rely on that.
messages::pageserver_services services_of(process_system& system, const messages::pageserver_supervisor_actor& role) {
  api::services asking;
  asking.system = &system.actors();
  const std::string doing = "the pageserver did not start";
  auto found = need(api::ask<messages::pageserver_services>(asking, role, messages::get_services{}), doing, "");
  need(api::ask<messages::tenant_list>(asking, found.tenants, messages::list_tenants{}), doing, "");
  return found;
}

/// What safekeepers need of a server: the cluster's identity, and the broker's port with TLS. Without safekeepers there
/// is neither, and no network layer in the process.
struct cluster_side {
  std::optional<broker::node_identity> identity;
  std::string tls_directory;
};

cluster_side prepare_cluster(const config::server_options& options) {
  cluster_side made;
  if (options.safekeepers == 0 && known_safekeepers(options.directory).empty()) return made;
  made.tls_directory = options.directory + "/tls";
  const auto now = core::system_clock().now();
  if (!std::filesystem::exists(made.tls_directory))
    need(broker::make_identity(made.tls_directory, now), "can't create the cluster's certificates");
  made.identity.emplace(
      need(broker::node_identity::load(made.tls_directory, now), "can't use the cluster's certificates"));
  return made;
}

/// The address that safekeepers are given: the same at every start of this directory.
std::string publish_broker(const config::server_options& options, const broker::broker_actor& local) {
  const std::uint16_t kept = port_kept_by(options, "broker");
  const std::string what = "can't open the broker's port";
  // Not the kernel's choice: that could be the own end of somebody's connection when we start again.
  std::uint16_t wanted = options.broker_port != 0 ? options.broker_port : kept;
  if (wanted == 0) wanted = need(host::free_port(), what);
  const std::uint16_t port =
      need(broker::publish(local, options.listen_address, wanted), what,
           "stop the process that uses the port; or strata down, then strata up --broker-port PORT");
  if (port != kept) need(keep_port(options.directory, "broker", port), "can't store the broker's port");
  return core::address_text(options.listen_address, port);
}

std::unique_ptr<api::http_server> start_http(const config::server_options& options, process_system& system,
                                             const messages::pageserver_services& role, std::uint16_t page_port) {
  api::services of;
  of.system = &system.actors();
  of.tenants = role.tenants;
  of.safekeepers = [directory = options.directory] { return safekeeper_members(directory); };
  of.observe_safekeepers = [observer = std::make_shared<safekeeper_observer>(options.directory)] {
    return observer->look();
  };
  of.backups = role.backups;
  of.introspector = role.introspector;
  of.reconciler = role.reconciler;
  of.metrics = [&system] { return system.env().metrics().render(); };
  of.version = version;
  of.directory = options.directory;
  of.pg_bin = options.pg_bin;
  of.page_port = page_port;
  of.key = server_key();
  of.tenant_defaults = options.tenant_defaults;
  return open_port(options, "http", options.http_port, [&](std::uint16_t port) {
    return api::http_server::start({.listen_address = options.listen_address, .port = port}, of);
  });
}

void serve(const server_request& request, const end_signals& signals,
           const std::function<void(const server_file&)>& ready) {
  const config::server_options& options = request.options;
  server_storage below = open_server_storage(options);
  const auto files = std::make_shared<pageserver::tenant_files>(*below.metadata, *below.layers, core::system_clock(),
                                                                options.directory);
  const cluster_side cluster = prepare_cluster(options);
  process_system system({.configure = cluster.identity ? broker::network_of(*cluster.identity) : nullptr});
  auto listener = open_port(options, "page", options.page_port,
                            [&](std::uint16_t port) { return io::listen_tcp(options.listen_address, port); });
  const std::uint16_t page_port = listener.port;
  const auto local_broker = broker::spawn_broker(system.actors(), {"", 0});
  const auto link = broker::spawn_broker_link(system.actors(), {"", 0}, local_broker);
  const std::string broker_address = cluster.identity ? publish_broker(options, local_broker) : "";
  const running_role role(
      system, pageserver::spawn_supervisor(
                  system.actors(), {.server = options,
                                    .files = files,
                                    .page_listener = std::move(listener),
                                    .broker = link,
                                    .safekeepers = access_to_safekeepers(options.directory),
                                    .ask_flushed = pageserver::ask_flushed(wal_of_safekeepers(options.directory))}));
  const actors::runtime::proc_metrics process_metrics(system.env().metrics(), version);
  const server_metrics metrics(system.env().metrics(), options.directory);
  const auto http = start_http(options, system, services_of(system, role.actor()), page_port);
  const auto address = [&](std::uint16_t port) { return core::address_text(options.listen_address, port); };
  const server_file file{::getpid(),     address(http->port()), address(page_port),
                         version,        options.pg_bin,        config::utc_text(core::system_clock().now()),
                         broker_address, server_key()};
  safekeeper_processes safekeepers({.directory = options.directory, .command = [&](std::uint64_t id) {
                                      return safekeeper_command(options, broker_address, id);
                                    }});
  if (cluster.identity)
    need(safekeepers.start(options.safekeepers, safekeepers_limit), "the safekeepers did not start",
         "strata safekeeper list --dir " + options.directory);
  keep_opened(options, "http", options.http_port, http->port());
  keep_opened(options, "page", options.page_port, page_port);
  need(write_server_file(options.directory, file), "can't write server.json", "");
  core::log_info("up on " + options.directory + ": http " + file.http + ", page service " + file.page);
  ready(file);

  const int signal = signals.wait([&] { safekeepers.look_after(); });
  core::log_info(role.ended_by_itself() ? "the pageserver ended unexpectedly; stopping the other components"
                                        : "stopping: signal " + std::to_string(signal));
  remove_server_file(options.directory);
  // Clients first: what they ask for goes through actors that end next.
  http->stop();
  if (role.ended_by_itself())
    throw failure(core::errc::io_error, "the server has stopped", "one of its components ended; see its log", "");
}

}  // namespace

void run_server(const server_request& request, const std::function<void(const server_file&)>& ready) {
  const end_signals signals;
  const std::string& directory = request.options.directory;
  auto lock = directory_lock::take(directory);
  if (!lock)
    throw failure(lock.error(), "a server is already running on " + directory,
                  "strata status --dir " + directory + ", or strata down --dir " + directory);
  core::open_log(request.log_level, request.log_file);
  if (!core::is_loopback(request.options.listen_address))
    core::log_warning(
        "listening on " + request.options.listen_address +
        ": any client that reaches it can read, change and delete everything; there is no authentication");
  remove_server_file(directory);
  serve(request, signals, ready);
  core::log_info("stopped");
  core::flush_log();
}

control::server_file start_detached(const std::string& directory, const server_request& request) {
  auto server = control::detached_server::start(directory, [&](const std::string& log_file, const auto& ready) {
    server_request detached = request;
    detached.log_file = log_file;
    run_server(detached, ready);
  });
  const interruption_notice on_signal("", "\ninterrupted; the server, process " + std::to_string(server.process()) +
                                              ", may still start: strata status; strata down\n");
  return server.wait_until_ready();
}

}  // namespace strata::cli
