#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <stop_token>
#include <utility>

#include "actors/compute/compute_agent.hpp"
#include "actors/runtime/system.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/control_server.hpp"
#include "cli/end_signals.hpp"
#include "cli/running_role.hpp"
#include "control/branch_server.hpp"
#include "control/failure.hpp"
#include "control/filler.hpp"
#include "control/server_file.hpp"
#include "core/log.hpp"

namespace strata::cli {

using namespace control;
namespace {

using host::compute_record;

/// Its predecessor may still be ending.
constexpr std::chrono::seconds lock_limit{10};

/// A failure is in the agent's status, too: the command that starts the compute reads it.
std::unique_ptr<control_server> open_control(actors::runtime::process_system& system, const scope& of,
                                             const compute_record& record, const std::optional<host::account>& run_as) {
  try {
    return std::make_unique<control_server>(system, of, record, run_as);
  } catch (const failure& e) {
    host::agent_status status;
    status.pid = ::getpid();
    status.state = host::agent_state::failed;
    status.detail = std::string(e.what()) + ": " + e.why() + "; " + e.next();
    need(host::save_status(host::registry(of.directory).directory_of(record.name), status), "can't write the status");
    throw;
  }
}

void run_agent(const scope& of, const std::string& name) {
  const end_signals signals;
  const host::registry computes(of.directory);
  const std::string here = computes.directory_of(name);
  std::optional<directory_lock> lock(need(directory_lock::wait_for(here, lock_limit),
                                          "an agent is already running for this compute", "strata compute list"));
  const compute_record record = need(computes.find(name), "can't run an agent", "strata compute list");
  const auto account = need(host::postgres_account(), "can't run Postgres", "sudo apt install postgresql");
  // Its start does not wait for the election.
  auto filler = need(fork_filler(of, record), "can't start a filler of pages", "");
  core::open_log(core::log_level::info, "");
  std::stop_source end_of_requests;
  const auto branch = std::make_shared<branch_server>(of, record, std::move(filler), end_of_requests.get_token());

  actors::runtime::process_system system({.pools = {.page = 1, .wal = 1, .background = 1, .management = 1, .io = 4}});
  const auto control = open_control(system, of, record, account);
  {
    const running_role agent(system,
                             actors::compute::spawn_compute_agent(system.actors(), {.record = record,
                                                                                    .run_as = account,
                                                                                    .status_directory = here,
                                                                                    .branch = branch,
                                                                                    .control = control->actor(),
                                                                                    .control_port = control->port()}));
    signals.wait([] {});
  }
  // The last status is written: nobody waits for the answers of requests that are still on their way.
  end_of_requests.request_stop();
  core::flush_log();
  // From here on the compute is any command's.
  lock.reset();
  control->show_end(signals);
}

}  // namespace

void add_agent_command(CLI::App& app, context& of) {
  of.run_agent = run_agent;
  // Not for people: compute start runs it where it can't fork.
  auto* command = app.add_subcommand("compute-agent", "Keep the Postgres of a compute running")->group("");
  auto name = std::make_shared<std::string>();
  command->add_option("--name", *name, "Compute")->required();
  finish_command(*command, of, "  strata compute-agent --dir DIR --name dev", [&of, name] { run_agent(of, *name); });
}

void add_filler_command(CLI::App& app, context& of) {
  // Not for people: the agent of a compute runs it.
  auto* command = app.add_subcommand("compute-filler", "Fill in the pages of a compute's data directory")->group("");
  auto name = std::make_shared<std::string>();
  command->add_option("--name", *name, "Compute")->required();
  finish_command(*command, of, "  strata compute-filler --dir DIR --name dev", [&of, name] { run_filler(of, *name); });
}

}  // namespace strata::cli
