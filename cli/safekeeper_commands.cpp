#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "api/cluster_json.hpp"
#include "api/safekeeper_json.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/log_levels.hpp"
#include "cli/safekeeper_process.hpp"
#include "cli/safekeeper_table.hpp"
#include "cli/terminal.hpp"
#include "control/cluster.hpp"
#include "control/failure.hpp"
#include "control/listen_address.hpp"
#include "control/safekeeper_replacement.hpp"

namespace strata::cli {

using namespace control;
namespace {

using nlohmann::json;

void run(const context& of, safekeeper_request request, bool insecure) {
  request.listen_address = need(checked_listen_address(request.listen_address, insecure),
                                "can't listen on this address", "strata safekeeper run --help");
  request.directory = std::filesystem::absolute(request.directory).lexically_normal();
  if (request.id == 0) throw failure(core::errc::invalid_argument, "can't start a safekeeper", "IDs begin with 1", "");
  if (!request.broker.empty() && request.tls.empty())
    throw failure(core::errc::invalid_argument, "can't start a safekeeper", "a broker needs --tls", "");
  run_safekeeper(request, [&](const safekeeper_file& file) {
    if (of.json) {
      print(json{{"pid", file.pid}, {"id", file.id}, {"wal", file.wal}, {"http", file.http}});
    } else {
      print("safekeeper " + std::to_string(file.id) + " is up on " + request.directory);
      print("  wal   " + file.wal);
      print("  http  http://" + file.http);
    }
    finish_output("the safekeeper stops");
  });
}

void replace(const context& of, const replacement_request& asked) {
  const auto begun = std::chrono::steady_clock::now();
  const auto done = replace_safekeeper(of, asked, [&](const std::string& step) {
    if (!of.json) print(step);
  });
  if (of.json) {
    json answer = api::configuration_json(done.members);
    answer["branch"] = done.branch.name;
    answer["tenant_id"] = done.branch.source.id;
    answer["timeline_id"] = done.branch.id;
    answer["steps"] = done.steps;
    return print(answer);
  }
  std::string ids;
  for (const auto& each : done.members.members) ids += (ids.empty() ? "" : ", ") + std::to_string(each.id.value);
  print("the safekeepers of " + done.branch.name + " are " + ids + "  " + time_taken(begun));
}

/// Also without the server: safekeepers outlive it.
void list(const context& of) {
  const auto cluster = look_at_cluster(of);
  if (of.json) return print(api::to_json(cluster));
  if (cluster.safekeepers.empty())
    return say("no safekeepers yet\nnext: strata down; strata up --detach --safekeepers 3");
  print_safekeepers(cluster);
}

}  // namespace

void add_safekeeper_commands(CLI::App& app, context& of) {
  auto* group = app.add_subcommand("safekeeper", "Processes that store the WAL of branches");
  group->require_subcommand(1);
  auto* command = group->add_subcommand(
      "run", "Run a safekeeper in the foreground; strata up --safekeepers starts them in the background");
  auto asked = std::make_shared<safekeeper_request>();
  command->add_option("--id", asked->id, "Safekeeper ID, never reused")->required();
  command->add_option("--data", asked->directory, "Directory of the safekeeper")->required();
  command->add_option("--listen-address", asked->listen_address, "IP address of both ports")->capture_default_str();
  auto insecure = std::make_shared<bool>(false);
  command->add_flag("--insecure", *insecure,
                    "Allow an address that other machines can reach; there is no authentication");
  command->add_option("--wal-port", asked->wal_port,
                      "Port of the WAL service (default: the previous one, or a free one)");
  command->add_option("--http-port", asked->http_port, "Port of the HTTP API (default: likewise)");
  command->add_option("--broker", asked->broker, "HOST:PORT of the cluster's broker");
  command->add_option("--tls", asked->tls, "Directory of the cluster's certificates");
  command->add_option("--wal-backup", asked->wal_backup, "Directory for complete segments of committed WAL");
  command->add_option("--log-file", asked->log_file, "Log file (default: standard error)");
  auto level = std::make_shared<std::string>("info");
  add_log_level(*command, *level);
  finish_command(*command, of, "  strata safekeeper run --id 1 --data /srv/safekeeper", [&of, asked, insecure, level] {
    asked->log_level = log_level_of(*level);
    run(of, *asked, *insecure);
  });

  auto* replace_command =
      group->add_subcommand("replace", "Replace a safekeeper of a branch, while computes write the branch");
  auto change = std::make_shared<replacement_request>();
  replace_command->add_option("BRANCH", change->branch, "[TENANT/]BRANCH")->required();
  replace_command->add_option("--from", change->from, "Safekeeper to replace; it may be lost");
  replace_command->add_option("--to", change->to, "Replacement safekeeper");
  replace_command->add_flag("--abandon", change->abandon, "Cancel a replacement that is in progress");
  replace_command->add_option("--tenant", of.tenant, "Source of the branch");
  finish_command(*replace_command, of,
                 "  strata safekeeper replace dev --from 2 --to 4\n  strata safekeeper replace dev --abandon",
                 [&of, change] { replace(of, *change); });

  auto* list_command = group->add_subcommand("list", "List the safekeepers, their timelines, and how many may fail");
  finish_command(*list_command, of, "  strata safekeeper list\n  strata safekeeper list --json", [&of] { list(of); });
}

}  // namespace strata::cli
