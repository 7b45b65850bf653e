#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/computes.hpp"
#include "cli/failure.hpp"
#include "cli/terminal.hpp"
#include "config/time_text.hpp"

namespace strata::cli {
namespace {

using compute::compute_record;
using nlohmann::json;

json to_json(const compute_record& of) {
  return {{"name", of.name},
          {"source", of.tenant},
          {"branch", of.branch},
          {"timeline_id", core::to_string(of.timeline_id)},
          {"lsn", core::to_string(of.at)},
          {"state", is_up(of) ? "running" : "stopped"},
          {"pg_version", of.pg_major},
          {"port", of.port},
          {"uri", socket_uri(of)},
          {"tcp_uri", tcp_uri(of)},
          {"data_directory", of.data_directory},
          {"log_file", of.log_file},
          {"started", config::utc_text(of.started)}};
}

/// The stopped compute that `compute start` of a branch's head takes up again.
std::optional<compute_record> stopped_before(const context& of, const compute_request& asked) {
  const auto spec = parse_spec(asked.spec);
  if (!std::holds_alternative<config::branch_head>(spec.at)) return std::nullopt;
  auto found = compute::registry(of.directory).find(asked.name.empty() ? spec.branch : asked.name);
  if (!found || found->branch != spec.branch) return std::nullopt;
  if (is_up(*found))
    throw failure(exit_code::conflict, "conflict", "compute " + found->name + " runs already",
                  "it is at " + socket_uri(*found), "strata psql " + asked.spec + "; or start another one with --name");
  return *std::move(found);
}

void start(const context& of, const compute_request& asked) {
  const auto begun = std::chrono::steady_clock::now();
  auto old = stopped_before(of, asked);
  if (old && !of.json) say("taking up compute " + old->name + " again, with what was written on it");
  const compute_record record = old ? restart_compute(of, *std::move(old)) : start_compute(of, asked);
  if (of.json) return print(to_json(record));
  print("started " + record.name + " from " + record.branch + "@" + core::to_string(record.at) + " on port " +
        std::to_string(record.port) + "  " + time_taken(begun));
  print("  psql  " + socket_uri(record));
  print("  data  " + record.data_directory);
  say("next: strata psql " + record.name);
}

void list(const context& of) {
  const auto all = need(compute::registry(of.directory).list(), "can't list the computes");
  if (of.json) {
    json made = json::array();
    for (const auto& each : all) made.push_back(to_json(each));
    return print(made);
  }
  if (all.empty()) return say("no computes yet\nnext: strata compute start BRANCH");
  table rows({"NAME", "BRANCH", "AT", "STATE", "PORT", "STARTED", "URI"});
  for (const auto& each : all)
    rows.add({each.name, each.tenant + "/" + each.branch, core::to_string(each.at), is_up(each) ? "running" : "stopped",
              std::to_string(each.port), config::age_text(each.started, core::system_clock().now()), socket_uri(each)});
  rows.print();
}

void stop(const context& of, const std::string& name, bool remove) {
  const auto record = need(compute::registry(of.directory).find(name), "can't stop " + name, "strata compute list");
  const bool was_up = is_up(record);
  stop_compute(of, record, remove);
  if (of.json) return print(json{{"name", name}, {"was_running", was_up}, {"removed", remove}});
  print((was_up ? "stopped " : "was stopped: ") + name + (remove ? ", its data are removed" : ""));
  if (!remove) say("next: strata compute start " + record.branch + " --name " + name + "  (or stop it with --remove)");
}

}  // namespace

void add_compute_commands(CLI::App& app, context& of) {
  auto* group = app.add_subcommand("compute", "Postgres servers on branches, on this machine");
  group->require_subcommand(1);

  auto* start_command = group->add_subcommand(
      "start", "Start a Postgres on a copy of a branch. What is written there stays there: the branch does not change");
  auto asked = std::make_shared<compute_request>();
  start_command->add_option("BRANCH", asked->spec, "BRANCH or BRANCH@WHEN")->required();
  start_command->add_option("--name", asked->name, "What to call it (default: the branch's name)");
  start_command->add_option("--port", asked->port, "TCP port (default: a free one)");
  start_command->add_option("--set", asked->settings, "A line for postgresql.conf; may be given several times")
      ->allow_extra_args(false);
  start_command->add_option("--pg-bin", of.pg_bin,
                            "Directories of Postgres programs, separated by ':', to look in before the usual places");
  start_command->add_option("--tenant", of.tenant, "The source, when there are several");
  finish_command(*start_command, of,
                 "  strata compute start dev\n  strata compute start main@10m --name before-the-accident\n"
                 "  strata compute start dev --port 5433 --set \"work_mem = 64MB\"",
                 [&of, asked] { start(of, *asked); });

  auto* list_command = group->add_subcommand("list", "Show the computes of this server directory");
  finish_command(*list_command, of, "  strata compute list", [&of] { list(of); });

  auto* stop_command = group->add_subcommand("stop", "Stop a compute; its data stay unless --remove is given");
  auto name = std::make_shared<std::string>();
  auto remove = std::make_shared<bool>(false);
  stop_command->add_option("NAME", *name, "The compute")->required();
  stop_command->add_flag("--remove", *remove, "Remove its data, too");
  finish_command(*stop_command, of, "  strata compute stop dev\n  strata compute stop dev --remove",
                 [&of, name, remove] { stop(of, *name, *remove); });
}

}  // namespace strata::cli
