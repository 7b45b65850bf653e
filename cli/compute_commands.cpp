#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/shared_options.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "config/time_text.hpp"
#include "control/agents.hpp"
#include "control/branch_writers.hpp"
#include "control/compute_list.hpp"
#include "control/compute_start.hpp"
#include "control/compute_views.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"
#include "control/held_back.hpp"
#include "control/shell_quoted.hpp"

namespace strata::cli {

using namespace control;
namespace {

using host::compute_mode;
using host::compute_record;
using nlohmann::json;

void start(const context& of, const compute_request& asked) {
  const auto begun = std::chrono::steady_clock::now();
  const compute_record record = start_compute(of, asked);
  constexpr std::chrono::seconds held_back_limit{2};
  const auto held = record.armed ? std::optional<held_back>() : look_at_held_back(record, held_back_limit);
  if (of.json) {
    json made = compute_json(of, record);
    if (held) made["held_back"] = to_json(*held);
    return print(made);
  }
  print("started " + record.name + " from " + record.branch + "@" + core::to_string(record.at) + " on port " +
        std::to_string(record.port) + "  " + time_taken(begun));
  for (const auto& each : start_notes(record)) print("  " + each);
  if (const std::string what = held ? to_text(*held) : ""; !what.empty()) print("  held back: " + what);
  if (held && !held->connections)
    say("note: this kernel can't block outgoing connections: dblink and foreign tables reach other servers");
  print("  psql  " + shell_quoted(socket_uri(record)));
  print("  data  " + record.data_directory);
  say("next: strata psql --compute " + record.name);
}

/// A writer has no LSN before its election.
std::string known(core::lsn at) { return at.valid() ? core::to_string(at) : "-"; }

void list(const context& of) {
  if (of.json) return print(list_json(of));
  const compute_list found = list_with_states(of);
  if (found.computes.empty() && found.damaged.empty()) return say("no computes yet\nnext: strata compute start BRANCH");
  table rows({"NAME", "BRANCH", "MODE", "PAGES", "AT", "TERM", "STATE", "LAG", "PORT", "CONTROL", "STARTED", "URI"});
  for (const auto& [each, status, state, note] : found.computes) {
    const bool writes = each.mode == compute_mode::branch;
    const bool ran = each.started != core::wall_time();
    rows.add({each.name, each.tenant + "/" + each.branch, host::to_string(each.mode), pages_text(each, status),
              known(has_agent(each) ? status.start_lsn : each.at),
              writes && status.term > 0 ? std::to_string(status.term) : "-", state, lag_text(status),
              std::to_string(each.port), status.control_port > 0 ? std::to_string(status.control_port) : "-",
              ran ? config::age_text(each.started, core::system_clock().now()) : "-",
              ran ? shell_quoted(socket_uri(each)) : "-"});
  }
  for (const auto& each : found.damaged)
    rows.add({each.name, "-", "-", "-", "-", "-", "damaged", "-", "-", "-", "-", "-"});
  rows.print();
  for (const auto& each : found.computes)
    if (!each.note.empty()) say(each.record.name + ": " + each.note);
  for (const auto& each : found.damaged)
    say(each.name + ": " + each.why.detail + "; " + next_for_damaged(of, each.name));
}

struct stop_request {
  std::string name;
  bool remove = false;
  std::chrono::milliseconds limit = stop_limit_max;
};

void stop(const context& of, const stop_request& asked) {
  const auto& [name, remove, limit] = asked;
  const auto [record, was_up, slots] = stop_named(of, name, remove, limit);
  if (of.json) return print(json{{"name", name}, {"was_running", was_up}, {"removed", remove}, {"ended_slots", slots}});
  print((was_up ? "stopped " : "already stopped: ") + name + (remove ? "; data removed" : ""));
  if (!slots.empty()) {
    std::string names;
    for (const auto& each : slots) names += (names.empty() ? "" : ", ") + each;
    say("note: its logical slots " + names + " ended with it; the next start has none");
  }
  if (!remove && record.branch.empty()) say("next: strata compute stop " + name + " --remove");
  if (!remove && !record.branch.empty())
    say("next: " + start_again_command(of, record) + "  (or stop it with --remove)");
}

/// `asked` lives as long as the command.
void add_page_options(CLI::App& command, page_request& asked) {
  command
      .add_option_function<std::string>(
          "--pages", [&asked](const std::string& word) { asked.mode = host::page_mode_of(word); },
          "How pages come into the data directory. fanotify: when first touched; needs root and Linux 6.14. fuse: when "
          "first touched, through a file system that Strata provides. copy: all of them before Postgres starts, and a "
          "compute that does not write the branch keeps what is written on it (default: the first of these that this "
          "host allows, or as chosen at an earlier start of the compute)")
      ->check(CLI::IsMember({"fanotify", "fuse", "copy"}));
  command.add_option_function<std::string>(
      "--page-timeout", [&asked](const std::string& text) { asked.timeout = parse_page_timeout(text); },
      "How long a query waits for a page while the server does not answer, 100ms to 24h; then it fails, and Postgres "
      "goes on (default: as at the compute's last start, or 60s)");
  auto* no_fill = command.add_flag_callback(
      "--no-fill", [&asked] { asked.fill = false; },
      "Fetch pages only when they are touched, also at later starts of the compute. Otherwise the others "
      "follow in the background, as long as 1 GiB of the disk is free");
  const auto fill = [&asked] { asked.fill = true; };
  command.add_flag_callback("--fill", fill, "Undo --no-fill of an earlier start of the compute")->excludes(no_fill);
}

}  // namespace

void add_compute_commands(CLI::App& app, context& of) {
  auto* group = app.add_subcommand("compute", "Postgres servers on branches, on this machine");
  group->require_subcommand(1);

  auto* start_command = group->add_subcommand(
      "start",
      "Start a Postgres on a branch. On the head of a branch created by `branch create`, if the server has "
      "safekeepers, commits are stored in the branch and survive the loss of the compute. A branch has one writer at a "
      "time: a second one is refused without --take-over. At a point in time, and on a branch that follows its source, "
      "Postgres is read-only. With --pages copy, and on the head of a created branch of a server without safekeepers, "
      "it works on a copy, whose changes do not change the branch");
  auto asked = std::make_shared<compute_request>();
  start_command->add_option("BRANCH", asked->spec, "BRANCH or BRANCH@WHEN")->required();
  start_command->add_option("--name", asked->name,
                            "Name of the compute (default: the name of the branch, or SOURCE-BRANCH if it is taken)");
  start_command->add_option("--port", asked->port, "TCP port (default: a free one)");
  start_command
      ->add_option("--control-port", asked->control_port,
                   "Port of its control endpoints, on loopback: GET /status and the like (default: as at its last "
                   "start, or a free one)")
      ->check(CLI::Range(1, 65535));
  start_command->add_option("--set", asked->settings, "Line for postgresql.conf; can be repeated")
      ->allow_extra_args(false);
  start_command->add_flag("--armed", asked->armed,
                          "Allow what acts on other servers: subscriptions, pg_cron, pglogical, and connections by "
                          "dblink or foreign tables");
  add_page_options(*start_command, asked->pages);
  start_command->add_flag("--standby", asked->standby,
                          "Start a hot standby: it takes no writes and shows the branch as it is now, a moment later");
  start_command->add_flag("--take-over", asked->take_over, "Stop the compute that is writing the branch");
  add_pg_bin_option(*start_command, of);
  add_tenant_option(*start_command, of);
  finish_command(*start_command, of,
                 "  strata compute start dev\n  strata compute start main@10m --name before-the-accident\n"
                 "  strata compute start dev --standby\n"
                 "  strata compute start dev --port 5433 --set \"work_mem = 64MB\"",
                 [&of, asked] { start(of, *asked); });

  auto* list_command = group->add_subcommand("list", "List the computes of this server directory");
  finish_command(*list_command, of, "  strata compute list", [&of] { list(of); });

  auto* stop_command = group->add_subcommand("stop",
                                             "Stop a compute. The data of a copy is kept unless --remove is given. A "
                                             "writer first waits until its WAL is acknowledged");
  auto ending = std::make_shared<stop_request>();
  stop_command->add_option("NAME", ending->name, "Compute")->required();
  stop_command->add_flag("--remove", ending->remove, "Also remove its data");
  add_stop_limit_option(*stop_command, ending->limit);
  finish_command(*stop_command, of,
                 "  strata compute stop dev\n  strata compute stop dev --remove\n  strata compute stop dev --limit 5s",
                 [&of, ending] { stop(of, *ending); });
}

}  // namespace strata::cli
