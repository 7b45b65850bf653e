#include "cli/safekeeper_process.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "actors/broker/broker_link.hpp"
#include "actors/broker/network.hpp"
#include "actors/runtime/proc_metrics.hpp"
#include "actors/runtime/system.hpp"
#include "actors/safekeeper/supervisor.hpp"
#include "api/ask.hpp"
#include "api/http_server.hpp"
#include "cli/end_signals.hpp"
#include "cli/failure.hpp"
#include "cli/own_directory.hpp"
#include "cli/running_role.hpp"
#include "cli/server_file.hpp"
#include "cli/version.hpp"
#include "config/time_text.hpp"
#include "core/address.hpp"
#include "host/free_port.hpp"

namespace strata::cli {
namespace {

namespace broker = actors::broker;
namespace safekeeper = actors::safekeeper;
using actors::runtime::process_system;

std::uint16_t port_of(const std::string& text) {
  const auto address = core::parse_address(text);
  return address ? address->port : 0;
}

struct chosen_ports {
  std::uint16_t wal = 0;
  std::uint16_t http = 0;
};

std::string cure_of_lost_file(std::uint64_t id) {
  return "put back its safekeeper.json; or move the directory away, start the safekeeper with an empty one, and run "
         "strata safekeeper replace BRANCH --from " +
         std::to_string(id) + " --to ID for each branch that it kept";
}

/// What the directory was used as before.
std::optional<safekeeper_file> used_before(const safekeeper_request& request) {
  auto before = read_safekeeper_file(request.directory);
  const bool lost = !before && before.error().code == core::errc::not_found;
  if (!before && !lost) throw failure(before.error(), "can't use " + request.directory, cure_of_lost_file(request.id));
  // Whoever made another instance of it would be taken for one that has forgotten nothing.
  if (lost && keeps_timelines(request.directory))
    throw failure(exit_code::conflict, "conflict", "can't use " + request.directory,
                  "it keeps WAL of timelines, and safekeeper.json, which says whose, is lost",
                  cure_of_lost_file(request.id));
  if (before && before->id != request.id)
    throw failure(exit_code::conflict, "conflict", "can't use " + request.directory,
                  "it belongs to safekeeper " + std::to_string(before->id), "name another directory with --data");
  if (!before) return std::nullopt;
  return *std::move(before);
}

/// The order of precedence: asked for, had before, free.
chosen_ports choose_ports(const safekeeper_request& request, const std::optional<safekeeper_file>& before) {
  chosen_ports chosen;
  chosen.wal = request.wal_port.value_or(before ? port_of(before->wal) : 0);
  chosen.http = request.http_port.value_or(before ? port_of(before->http) : 0);
  // Not the kernel's choice: that could be the own end of somebody's connection when we start again.
  while (chosen.wal == 0) chosen.wal = need(host::free_port(), "can't find a free port");
  if (!request.http_port && chosen.http != 0 && !actors::net::listen_tcp(request.listen_address, chosen.http)) {
    core::log_warning("somebody has port " + std::to_string(chosen.http) + "; the HTTP API gets another one");
    chosen.http = 0;
  }
  while (chosen.http == 0 || chosen.http == chosen.wal) chosen.http = need(host::free_port(), "can't find a free port");
  return chosen;
}

/// The WAL port, or another one when somebody has it and nobody insists: members are found by their ids.
actors::net::tcp_listener open_wal_port(const safekeeper_request& request, chosen_ports& ports) {
  auto listener = actors::net::listen_tcp(request.listen_address, ports.wal);
  if (!listener && !request.wal_port) {
    core::log_warning("somebody has port " + std::to_string(ports.wal) + ": " + core::to_string(listener.error()) +
                      "; the WAL service gets another one");
    do ports.wal = need(host::free_port(), "can't find a free port");
    while (ports.wal == ports.http);
    listener = actors::net::listen_tcp(request.listen_address, ports.wal);
  }
  return need(std::move(listener), "can't open the WAL service's port",
              "end what has the port, or name another one with --wal-port");
}

safekeeper::safekeeper_services services_of(process_system& system, const safekeeper::supervisor_actor& role) {
  api::services asking;
  asking.system = &system.actors();
  return need(api::ask<safekeeper::safekeeper_services>(asking, role, safekeeper::get_services{}),
              "the safekeeper did not start", "");
}

void make_directory(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) throw failure(core::from_errno("make " + path, failed.value()), "can't use " + path, "");
}

void serve(const safekeeper_request& request, const end_signals& signals,
           const std::function<void(const safekeeper_file&)>& ready) {
  const auto before = used_before(request);
  chosen_ports ports = choose_ports(request, before);
  std::optional<broker::node_identity> identity;
  if (!request.broker.empty())
    identity.emplace(need(broker::node_identity::load(request.tls, core::system_clock().now()),
                          "can't use the cluster's certificates", "name their directory with --tls"));
  process_system system({.configure = identity ? broker::network_of(*identity) : nullptr});
  messages::broker_link_actor link;
  if (identity)
    link = broker::spawn_broker_link(system.actors(), {"", 0},
                                     need(core::parse_address(request.broker), "can't use --broker"));

  auto listener = open_wal_port(request, ports);
  const auto address = [&](std::uint16_t port) { return core::address_text(request.listen_address, port); };
  safekeeper_file file{.id = request.id,
                       .wal = address(listener.port),
                       .http = address(ports.http),
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
                                                                                 .broker = link}));
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
  const auto http = need(api::http_server::start({.listen_address = request.listen_address, .port = ports.http}, of,
                                                 api::safekeeper_routes()),
                         "can't open the HTTP port", "end what has the port, or name another one with --http-port");

  need(write_safekeeper_file(request.directory, file), "can't write safekeeper.json", "");
  core::log_info("safekeeper " + std::to_string(file.id) + " is up on " + request.directory + ": WAL service " +
                 file.wal + ", http " + file.http);
  ready(file);

  const int signal = signals.wait([] {});
  core::log_info(role.ended_by_itself() ? "the role has ended by itself; stopping the rest"
                                        : "stopping: signal " + std::to_string(signal));
  // Clients first: what they ask for goes through actors that end next.
  http->stop();
  if (role.ended_by_itself())
    throw failure(exit_code::failure, "io_error", "the safekeeper has stopped", "a part of it ended; its log says why",
                  "");
}

}  // namespace

void run_safekeeper(const safekeeper_request& request, const std::function<void(const safekeeper_file&)>& ready) {
  const end_signals signals;
  ::umask(0077);
  need(take_own_directory(request.directory, safekeeper_directory_kind()), "can't use " + request.directory,
       "name a directory of its own with --data");
  if (!request.wal_backup.empty()) make_directory(request.wal_backup);
  auto lock = directory_lock::take(request.directory);
  if (!lock) throw failure(lock.error(), "a safekeeper runs on " + request.directory + " already", "");
  core::open_log(request.log_level, request.log_file);
  serve(request, signals, ready);
  core::log_info("stopped");
  core::flush_log();
}

}  // namespace strata::cli
