#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "actors/compute/compute_agent.hpp"
#include "actors/runtime/system.hpp"
#include "api/api_client.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/end_signals.hpp"
#include "cli/failure.hpp"
#include "cli/running_role.hpp"
#include "cli/safekeeper_addresses.hpp"
#include "cli/server_file.hpp"
#include "core/log.hpp"
#include "host/data_directory.hpp"

namespace strata::cli {
namespace {

using actors::compute::branch_quorum;
using host::compute_record;
using nlohmann::json;

/// Its predecessor may still be ending.
constexpr std::chrono::seconds lock_limit{10};

std::vector<consensus::member> members_of(const json& list) {
  std::vector<consensus::member> members;
  for (const auto& each : list)
    members.push_back({{each.at("id").get<std::uint64_t>()}, each.at("host"), each.at("port").get<std::uint16_t>()});
  return members;
}

core::result<branch_quorum> quorum_of(const json& of) {
  branch_quorum made;
  try {
    made.members.generation = of.at("generation");
    made.members.members = members_of(of.at("members"));
    if (of.contains("new_members") && !of["new_members"].is_null())
      made.members.new_members = members_of(of["new_members"]);
    made.cluster.pg_version = of.at("pg_version");
    const json& system = of.at("system_id");
    made.cluster.system_id = system.is_string() ? std::stoull(system.get<std::string>()) : system.get<std::uint64_t>();
    made.cluster.wal_segment_size = of.at("wal_segment_size");
    STRATA_ASSIGN(made.timeline_start, core::parse_lsn(of.at("start_lsn").get<std::string>()));
  } catch (const std::exception& e) {
    return core::error{core::errc::corrupt, std::string("the server's answer makes no sense: ") + e.what()};
  }
  STRATA_TRY(consensus::check(made.members));
  return made;
}

/// The server may have been started again since, on other ports.
core::result<api::api_client> api_of(const std::string& directory) {
  auto file = read_server_file(directory);
  if (!file && file.error().code != core::errc::not_found) return std::move(file).error();
  if (!file) return core::error{core::errc::unavailable, "no server runs on " + directory};
  return api::api_client(file->http);
}

actors::compute::branch_server server_of(const std::string& directory, const compute_record& record) {
  const std::string path =
      "/v1/tenant/" + core::to_string(record.tenant_id) + "/timeline/" + core::to_string(record.timeline_id);
  actors::compute::branch_server made;
  made.quorum = [directory, path]() -> core::result<branch_quorum> {
    STRATA_ASSIGN(const auto api, api_of(directory));
    STRATA_ASSIGN(const json answer, api.post(path + "/safekeepers", json::object()));
    return quorum_of(answer);
  };
  made.last_record_lsn = [directory, path]() -> core::result<core::lsn> {
    STRATA_ASSIGN(const auto api, api_of(directory));
    STRATA_ASSIGN(const json answer, api.get(path));
    // Not worth waiting for: WAL that the branch needs is nowhere any more.
    if (answer.contains("wal_gap")) return core::error{core::errc::out_of_range, answer.value("trouble", "")};
    return core::parse_lsn(answer.value("last_record_lsn", ""));
  };
  made.restore = [directory, path](core::lsn at, const std::string& into,
                                   const std::function<void(std::uint64_t)>& progress) -> core::result<void> {
    STRATA_ASSIGN(const auto api, api_of(directory));
    STRATA_ASSIGN(auto unpacker, host::data_directory_unpacker::open(into));
    STRATA_TRY(api.download(path + "/export", {{"lsn", core::to_string(at)}},
                            [&](core::bytes_view part) -> core::result<void> {
                              STRATA_TRY(unpacker->feed(part));
                              progress(unpacker->bytes_written());
                              return {};
                            }));
    return unpacker->finish();
  };
  made.locate = [directory](const consensus::member& of) { return locate_safekeeper(directory, of); };
  return made;
}

directory_lock take_lock(const std::string& directory) {
  const auto deadline = std::chrono::steady_clock::now() + lock_limit;
  for (;;) {
    auto lock = directory_lock::take(directory);
    if (lock) return *std::move(lock);
    if (lock.error().code != core::errc::conflict || std::chrono::steady_clock::now() > deadline)
      throw failure(lock.error(), "an agent runs for this compute already", "strata compute list");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void run_agent(const context& of, const std::string& name) {
  const end_signals signals;
  const host::registry computes(of.directory);
  const std::string here = computes.directory_of(name);
  const directory_lock lock = take_lock(here);
  const compute_record record = need(computes.find(name), "can't run an agent", "strata compute list");
  const auto account = need(host::postgres_account(), "can't run Postgres", "sudo apt install postgresql");
  core::open_log(core::log_level::info, "");

  actors::runtime::process_system system({.pools = {.page = 1, .wal = 1, .background = 1, .management = 1, .io = 4}});
  {
    const running_role agent(
        system, actors::compute::spawn_compute_agent(system.actors(), {.record = record,
                                                                       .run_as = account,
                                                                       .status_directory = here,
                                                                       .server = server_of(of.directory, record)}));
    signals.wait([] {});
  }
  core::flush_log();
}

}  // namespace

void add_agent_command(CLI::App& app, context& of) {
  // Not for people: compute start runs it.
  auto* command = app.add_subcommand("compute-agent", "Keep the Postgres of a compute running")->group("");
  auto name = std::make_shared<std::string>();
  command->add_option("--name", *name, "The compute")->required();
  finish_command(*command, of, "  strata compute-agent --dir DIR --name dev", [&of, name] { run_agent(of, *name); });
}

}  // namespace strata::cli
