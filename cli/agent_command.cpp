#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <utility>

#include "actors/compute/compute_agent.hpp"
#include "actors/runtime/system.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/end_signals.hpp"
#include "cli/running_role.hpp"
#include "control/branch_server.hpp"
#include "control/failure.hpp"
#include "control/filler.hpp"
#include "control/safekeeper_addresses.hpp"
#include "control/server_file.hpp"
#include "core/log.hpp"

namespace strata::cli {

using namespace control;
namespace {

using host::compute_record;

/// Its predecessor may still be ending.
constexpr std::chrono::seconds lock_limit{10};

actors::compute::branch_server access_to(const context& of, const compute_record& record, waiting_filler first) {
  const std::string& directory = of.directory;
  const branch_server server(directory, record);
  actors::compute::branch_server made;
  made.quorum = [server]() -> core::result<actors::compute::branch_quorum> {
    STRATA_ASSIGN(auto quorum, server.assign_quorum());
    return actors::compute::branch_quorum{std::move(quorum.members), quorum.cluster, quorum.timeline_start};
  };
  made.last_record_lsn = [server] { return server.last_record_lsn(); };
  made.restore = [server](core::lsn at, const std::string& into, const std::function<void(std::uint64_t)>& progress) {
    return server.restore(at, into, progress);
  };
  made.restore_guarded = [server, pages = record.pages](core::lsn at, const std::string& into,
                                                        const std::function<void(std::uint64_t)>& progress) {
    return server.restore_guarded(pages, at, into, progress);
  };
  made.standby_start = [server] { return server.standby_start(); };
  made.restore_standby = [server, pages = record.pages](
                             const auto& from, const auto& into,
                             const auto& progress) -> core::result<actors::compute::standby_directory> {
    STRATA_ASSIGN(const auto of, server.restore_standby(pages, from, into, progress));
    return actors::compute::standby_directory{of.pages, {of.view, of.system_id, of.timeline, of.major}};
  };
  made.find_upstream = [server](std::uint32_t attempt) { return server.find_upstream(attempt); };
  made.remove_mount = remove_mount;
  // One filler at a time is started; the first of all was before.
  made.start_filler = [&of, record, waiting = std::make_shared<waiting_filler>(std::move(first))](
                          const page_files::guarded_directory& directory, core::lsn at) {
    return start_filler(of, record, std::exchange(*waiting, {}), at, directory);
  };
  made.lease = [server](core::lsn at) { return server.lease(at); };
  made.locate = [directory](const consensus::member& of) { return locate_safekeeper(directory, of); };
  return made;
}

void run_agent(const context& of, const std::string& name) {
  const end_signals signals;
  const host::registry computes(of.directory);
  const std::string here = computes.directory_of(name);
  const directory_lock lock = need(directory_lock::wait_for(here, lock_limit),
                                   "an agent is already running for this compute", "strata compute list");
  const compute_record record = need(computes.find(name), "can't run an agent", "strata compute list");
  const auto account = need(host::postgres_account(), "can't run Postgres", "sudo apt install postgresql");
  // Its start does not wait for the election.
  auto filler = need(fork_filler(of, record), "can't start a filler of pages", "");
  core::open_log(core::log_level::info, "");

  actors::runtime::process_system system({.pools = {.page = 1, .wal = 1, .background = 1, .management = 1, .io = 4}});
  {
    const running_role agent(system, actors::compute::spawn_compute_agent(
                                         system.actors(), {.record = record,
                                                           .run_as = account,
                                                           .status_directory = here,

                                                           .server = access_to(of, record, std::move(filler))}));
    signals.wait([] {});
  }
  core::flush_log();
  // A thread may still wait for a server that hangs, and has nothing to tell anybody: the last status is written.
  std::_Exit(0);
}

}  // namespace

void add_agent_command(CLI::App& app, context& of) {
  of.run_agent = [&of](const std::string& name) { run_agent(of, name); };
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
