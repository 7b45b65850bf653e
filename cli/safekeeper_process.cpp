#include "cli/safekeeper_process.hpp"

#include <unistd.h>

#include <atomic>

#include "actors/broker/broker_link.hpp"
#include "actors/broker/network.hpp"
#include "actors/runtime/proc_metrics.hpp"
#include "actors/runtime/system.hpp"
#include "actors/safekeeper/supervisor.hpp"
#include "api/ask.hpp"
#include "api/donor_client.hpp"
#include "api/http_server.hpp"
#include "cli/end_signals.hpp"
#include "cli/running_role.hpp"
#include "cli/version.hpp"
#include "config/time_text.hpp"
#include "control/failure.hpp"
#include "control/safekeeper_ports.hpp"
#include "control/server_file.hpp"
#include "core/address.hpp"

namespace strata::cli {

using namespace control;
namespace {

namespace broker = actors::broker;
namespace safekeeper = actors::safekeeper;
using actors::runtime::process_system;

messages::safekeeper_services services_of(process_system& system, const messages::safekeeper_supervisor_actor& role) {
  api::services asking;
  asking.system = &system.actors();
  return need(api::ask<messages::safekeeper_services>(asking, role, messages::get_services{}),
              "the safekeeper did not start", "");
}

void serve(const safekeeper_request& request, const end_signals& signals,
           const std::function<void(const safekeeper_file&)>& ready) {
  const auto before = safekeeper_used_before(request.directory, request.id);
  safekeeper_ports ports{.listen_address = request.listen_address, .wal = request.wal_port, .http = request.http_port};
  std::optional<broker::node_identity> identity;
  if (!request.broker.empty())
    identity.emplace(need(broker::node_identity::load(request.tls, core::system_clock().now()),
                          "can't use the cluster's certificates", "name their directory with --tls"));
  process_system system({.configure = identity ? broker::network_of(*identity) : nullptr});
  messages::broker_link_actor link;
  if (identity)
    link = broker::spawn_broker_link(system.actors(), {"", 0},
                                     need(core::parse_address(request.broker), "can't use --broker"));

  auto [listener, http_port] = open_safekeeper_ports(ports, before, io::listen_tcp);
  const auto address = [&](std::uint16_t port) { return core::address_text(request.listen_address, port); };
  safekeeper_file file{.id = request.id,
                       .wal = address(listener.port),
                       .http = address(http_port),
                       .version = version,
                       .started = config::utc_text(core::system_clock().now()),
                       .instance = before ? before->instance : core::instance_id(),
                       .addresses = before ? before->addresses : std::vector<std::string>()};
  remember_address(file);
  // Durable before anybody hears of it: timelines are given to an instance.
  if (!file.instance.valid()) {
    file.instance = core::make_id<core::instance_id>();
    need(write_safekeeper_file(request.directory, file), "can't write safekeeper.json", "");
  }
  file.pid = ::getpid();
  const running_role role(system, safekeeper::spawn_supervisor(system.actors(), {.self = {request.id},
                                                                                 .instance = file.instance,
                                                                                 .directory = request.directory,
                                                                                 .disk = &io::real_disk(),
                                                                                 .backup_directory = request.wal_backup,
                                                                                 .wal_listener = std::move(listener),
                                                                                 .wal_address = file.wal,
                                                                                 .http_address = file.http,
                                                                                 .broker = link,
                                                                                 .ask = api::ask_donor}));
  const actors::runtime::proc_metrics process_metrics(system.env().metrics(), version);
  api::services of;
  of.system = &system.actors();
  of.metrics = [&system] { return system.env().metrics().render(); };
  of.version = version;
  of.directory = request.directory;
  of.wal_timelines = services_of(system, role.actor()).timelines;
  of.safekeeper = {request.id};
  of.instance = file.instance;
  of.wal_address = file.wal;
  const auto http =
      need(api::http_server::start({.listen_address = request.listen_address, .port = http_port}, of,
                                   api::safekeeper_routes()),
           "can't open the HTTP port", "stop the process that uses the port, or choose another one with --http-port");

  need(write_safekeeper_file(request.directory, file), "can't write safekeeper.json", "");
  core::log_info("safekeeper " + std::to_string(file.id) + " is up on " + request.directory + ": WAL service " +
                 file.wal + ", http " + file.http);
  ready(file);

  const int signal = signals.wait([] {});
  core::log_info(role.ended_by_itself() ? "the role ended unexpectedly; stopping the other components"
                                        : "stopping: signal " + std::to_string(signal));
  // Clients first: what they ask for goes through actors that end next.
  http->stop();
  if (role.ended_by_itself())
    throw failure(core::errc::io_error, "the safekeeper has stopped", "one of its components ended; see its log", "");
}

}  // namespace

void run_safekeeper(const safekeeper_request& request, const std::function<void(const safekeeper_file&)>& ready) {
  const end_signals signals;
  take_safekeeper_directory(request.directory, request.wal_backup);
  auto lock = directory_lock::take(request.directory);
  if (!lock) throw failure(lock.error(), "a safekeeper is already running on " + request.directory, "");
  core::open_log(request.log_level, request.log_file);
  serve(request, signals, ready);
  core::log_info("stopped");
  core::flush_log();
}

}  // namespace strata::cli
