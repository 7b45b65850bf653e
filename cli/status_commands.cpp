#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/safekeeper_table.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "config/time_text.hpp"
#include "control/branches.hpp"
#include "control/broken_sources.hpp"
#include "control/compute_views.hpp"
#include "control/failure.hpp"
#include "control/server_status.hpp"

namespace strata::cli {

using namespace control;
namespace {

using nlohmann::json;

void show_status(const context& of) {
  const server_link server = server_to_look_at(of);
  const server_status seen = look_at_server(of, server);
  const auto& [process, branches, broken, computes, running, cluster, standbys, expired] = seen;
  if (of.json) {
    print(status_json(server, seen));
    return fail_if_broken(of, broken, branches);
  }
  std::uint64_t bytes = 0;
  for (const auto& each : branches) bytes += each.info.value("current_physical_size", std::uint64_t{0});
  fact_list facts;
  facts.add("server",
            "running, process " + std::to_string(server.file().pid) + ", version " + process.value("version", ""));
  facts.add("directory", of.directory);
  facts.add("http", "http://" + server.file().http);
  facts.add("page service", server.file().page);
  facts.add("branches", std::to_string(branches.size()) + ", " + config::size_text(bytes) + " on disk");
  facts.add("computes",
            std::to_string(running) + " running, " + std::to_string(computes.size() - running) + " stopped");
  for (const auto& [record, status] : standbys) facts.add("standby " + record.name, standby_text(record, status));
  for (const auto& each : list_sources(server))
    if (each.importing) facts.add("database " + each.name, "is being imported");
  for (const auto& each : branches)
    if (each.is_own_root() && !each.broken())
      facts.add("database " + each.source.name, "no source; head " + each.text("last_record_lsn"));
  for (const auto& each : branches) {
    if (!each.info.contains("source")) continue;
    const json& source = each.info["source"];
    const std::string error = source.value("last_error", "");
    facts.add("source " + each.source.name, following(source) + (error.empty() ? "" : "; " + error));
    if (const auto earliest = earliest_time(server, each))
      facts.add("history of " + each.source.name, "from " + config::local_text(*earliest) + " (" +
                                                      config::age_text(*earliest, core::system_clock().now()) + ")");
  }
  for (const auto& each : broken) facts.add("source " + each.name, "broken: " + each.broken);
  for (const auto& each : list_empty_sources(server, "", branches))
    facts.add("source " + each.name, std::string("empty: ") + empty_source_note);
  for (const auto& each : branches)
    if (is_broken_root(each))
      facts.add("source " + each.source.name, "broken: its branch " + each.name + " can't be opened");
  for (const auto& each : branches) {
    const std::string last_error = each.text("last_error");
    if (!each.active() || !last_error.empty())
      facts.add("branch " + each.source.name + "/" + each.name,
                each.state_text() + (last_error.empty() ? "" : "; " + last_error));
  }
  for (const auto& each : branches)
    if (const std::string expires = expiry_shown(each.info); !expires.empty())
      facts.add("branch " + each.source.name + "/" + each.name, "expires " + expires);
  for (const json& each : expired)
    facts.add("branch " + each.value("source", "") + "/" + each.value("branch", ""),
              "expired and was deleted, " + time_shown(each.value("expired_at", "")));
  if (!cluster.safekeepers.empty()) facts.add("safekeepers", cluster.health.text);
  for (auto& line : pending_operations(process, branches)) facts.add("pending", std::move(line));
  facts.print();
  if (!cluster.safekeepers.empty()) {
    print(std::string());
    print_safekeepers(cluster);
  }
  fail_if_broken(of, broken, branches);
  if (branches.empty()) say("next: strata source add NAME --conninfo postgresql://user@host:port/postgres");
}

void show_actors(const context& of) {
  const server_link server(of);
  const json found = need(server.get("/v1/actors"), "can't list the actors", "strata status");
  if (of.json) return print(found);
  table rows({"ID", "KIND", "NAME", "POOL", "STATE", "HANDLED", "WAITING", "BUSY", "LONGEST", "LAST ERROR"});
  const auto ms = [](const json& of, const char* member) {
    return std::to_string(of.value(member, std::uint64_t{0}) / 1000) + " ms";
  };
  for (const json& each : found.value("actors", json::array()))
    rows.add({std::to_string(each.value("id", std::uint64_t{0})), each.value("kind", ""), each.value("name", ""),
              each.value("pool", ""), each.value("state", ""), std::to_string(each.value("handled", std::uint64_t{0})),
              std::to_string(each.value("mailbox", std::uint64_t{0})), ms(each, "busy_us"), ms(each, "longest_us"),
              each.value("last_error", "")});
  rows.print();
}

}  // namespace

void add_status_commands(CLI::App& app, context& of) {
  auto* status = app.add_subcommand("status", "Show the server, its sources, branches and computes on one screen");
  finish_command(*status, of, "  strata status\n  strata status --json", [&of] { show_status(of); });
  auto* actors = app.add_subcommand("actors", "List the actors of the server");
  finish_command(*actors, of, "  strata actors", [&of] { show_actors(of); });
}

}  // namespace strata::cli
