#include "cli/control_server.hpp"

#include <thread>

#include "actors/runtime/outside.hpp"
#include "cli/version.hpp"
#include "control/failure.hpp"
#include "control/kept_ports.hpp"
#include "control/server_file.hpp"

namespace strata::cli {

using namespace control;
namespace {

constexpr std::chrono::milliseconds end_look_interval{20};
/// For an agent before that still shows its end: it looks for the next one every end_look_interval.
constexpr std::chrono::milliseconds predecessor_limit{1000};
constexpr int free_port_attempts = 10;

api::http_options options_for(std::uint16_t port) {
  api::http_options made{.port = port, .connections_max = 64, .streams_max = 1};
  // A thread is started when there is work for it; this is what one client too many can cost.
  for (auto& each : made.lanes) each = {2, 64};
  return made;
}

}  // namespace

control_server::control_server(actors::runtime::process_system& system, const scope& of,
                               const host::compute_record& record, const std::optional<host::account>& run_as)
    : system_(system),
      directory_(host::registry(of.directory).directory_of(record.name)),
      port_is_known_(record.control_port != 0),
      actor_(actors::compute::spawn_control_endpoint(
          system.actors(), {.record = record, .run_as = run_as, .server_directory = of.directory, .asked = asked_})),
      process_metrics_(system.env().metrics(), version) {
  open(record);
}

control_server::~control_server() {
  // Clients first: what they ask for goes through the actor.
  if (http_) http_->stop();
  actors::runtime::stop_and_wait(system_.actors(), actor_);
}

void control_server::open(const host::compute_record& record) {
  api::services services;
  services.system = &system_.actors();
  services.metrics = [&system = system_] { return system.env().metrics().render(); };
  services.version = version;
  services.compute = actor_;
  const auto deadline = std::chrono::steady_clock::now() + predecessor_limit;
  for (int attempt = 1;; ++attempt) {
    const std::uint16_t port = port_is_known_ ? record.control_port : need(host::free_port(), "can't find a free port");
    auto opened = api::http_server::start(options_for(port), services, api::compute_routes());
    if (opened) {
      http_ = *std::move(opened);
      return;
    }
    const bool may_wait = port_is_known_ ? std::chrono::steady_clock::now() < deadline : attempt < free_port_attempts;
    if (opened.error().code != core::errc::conflict || !may_wait) {
      actors::runtime::stop_and_wait(system_.actors(), actor_);
      throw failure(opened.error(), "can't open the control port", "choose another one with --control-port");
    }
    if (port_is_known_) std::this_thread::sleep_for(end_look_interval);
  }
}

bool control_server::has_failed() const {
  const auto now =
      actors::runtime::ask_and_wait(system_.actors(), actor_, messages::get_compute_status{}, std::chrono::seconds(1));
  return now && now->state == messages::compute_state::failed;
}

void control_server::show_end(const end_signals& signals) const {
  if (!*asked_ && !(port_is_known_ && has_failed())) return;
  // The agent's end was a signal, too.
  while (signals.wait_for(std::chrono::milliseconds(0))) continue;
  const auto deadline = std::chrono::steady_clock::now() + farewell;
  while (std::chrono::steady_clock::now() < deadline && !directory_lock::holder(directory_))
    if (signals.wait_for(end_look_interval)) return;
}

}  // namespace strata::cli
