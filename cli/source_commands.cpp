#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/confirmation.hpp"
#include "cli/context.hpp"
#include "cli/interruption_notice.hpp"
#include "cli/terminal.hpp"
#include "config/branch_spec.hpp"
#include "config/quantity.hpp"
#include "control/branches.hpp"
#include "control/broken_sources.hpp"
#include "control/failure.hpp"
#include "control/shell_quoted.hpp"
#include "control/source_promotion.hpp"
#include "control/sources.hpp"

namespace strata::cli {

using namespace control;
namespace {

using nlohmann::json;

struct add_options : source_request {
  bool no_wait = false;
};

struct config_options {
  std::string name;
  std::vector<std::string> set;
  std::vector<std::string> unset;
};

/// The source's connection as GET timeline shows it.
json source_of(const json& timeline) { return timeline.value("source", json::object()); }

/// Says which replication slots stay at their sources, and how to drop them.
void tell_of_slots(const json& slots_left) {
  for (const json& left : slots_left) {
    const std::string slot = left.value("slot", "");
    const std::string why = left.value("error", "");
    say("the replication slot " + slot + " was kept at " + left.value("source", "") +
        (why.empty() ? ", because you chose its name" : " (" + why + ")"));
    say(left.value("remembered", false)
            ? "it retains WAL there until it is dropped, by this server when the source is reachable, or there with"
            : "it retains WAL there until it is dropped with");
    say("  select pg_drop_replication_slot('" + slot + "');");
  }
}

/// Computes have Postgres's own defaults, not the source's configuration.
void tell_of_settings(const json& added) {
  const json settings = added.value("settings", json::array());
  if (settings.empty()) return;
  say("query results depend on settings of the source that computes do not inherit; set them with strata compute start "
      "BRANCH --set \"NAME = 'VALUE'\":");
  for (const json& each : settings) say("  " + each.value("name", "") + " = '" + each.value("value", "") + "'");
}

void add_and_show(const context& of, const add_options& asked) {
  const auto begun = std::chrono::steady_clock::now();
  need(config::check_name("source", asked.name), "can't add a source", "strata source add --help");
  const server_link server(of);
  std::optional<interruption_notice> on_signal;
  on_signal.emplace("",
                    "\ninterrupted; the server may have started to import " + asked.name + ": strata source list\n");
  const json added = add_source(server, asked);
  if (asked.no_wait) {
    if (of.json) return print(added);
    print("following " + asked.name + " as " + asked.name + "/main; the base backup is running");
    tell_of_settings(added);
    return say("next: strata source list");
  }
  on_signal.reset();
  on_signal.emplace("", "\ninterrupted; the import of " + asked.name +
                            " continues: strata source list; strata source remove " + asked.name + "\n");
  const auto done = wait_for_import(server, added, asked.name, [](const json& removed) {
    tell_of_slots(removed.value("slots_left", json::array()));
  });
  if (of.json) return print(done.timeline);
  print("following " + asked.name + " as " + asked.name + "/main from " + done.timeline.value("readable_from_lsn", "") +
        "  " + config::size_text(done.backup_bytes) + " copied  " + time_taken(begun));
  tell_of_settings(added);
  say("next: strata branch create dev --from " + find_source(server, asked.name).spec_of("main"));
}

std::string root_state(const branch_entry& root, const json& source) {
  if (root.broken()) return "broken";
  if (root.is_own_root()) return "no source";
  return source.empty() ? "connecting" : phase_text(source);
}

void list_sources_command(const context& of) {
  const server_link server(of);
  const auto broken = list_broken_sources(server, of.tenant);
  const auto branches =
      broken.empty() || of.tenant.empty() ? list_branches(server, of.tenant) : std::vector<branch_entry>();
  json all = broken_json(broken);
  table rows(of.wide ? std::vector<std::string>{"NAME", "STATE", "RECEIVED", "LAG", "LAST MESSAGE", "SOURCE", "SLOT",
                                                "TENANT ID"}
                     : std::vector<std::string>{"NAME", "STATE", "RECEIVED", "LAG", "LAST MESSAGE", "SOURCE"});
  for (const auto& branch : branches) {
    if (!branch.text("ancestor_timeline_id").empty()) continue;
    const json source = source_of(branch.info);
    all.push_back({{"name", branch.source.name},
                   {"tenant_id", branch.source.id},
                   {"branch", branch.name},
                   {"timeline_id", branch.id},
                   {"state", branch.state_text()},
                   {"follows", branch.text("follows")},
                   {"source", source}});
    std::vector<std::string> row{branch.source.name,
                                 root_state(branch, source),
                                 source.value("received_lsn", ""),
                                 branch.is_own_root() ? "" : lag_text(source),
                                 last_message_text(source),
                                 branch.is_own_root() ? "" : shell_quoted(source.value("conninfo", ""))};
    if (of.wide) row.insert(row.end(), {source.value("slot", ""), branch.source.id});
    rows.add(std::move(row));
    if (const std::string error = source.value("last_error", ""); !error.empty() && !of.json)
      say(branch.source.name + ": " + error);
  }
  const auto add_useless = [&](const source_entry& each, const char* state) {
    std::vector<std::string> row{each.name, state, "", "", "", ""};
    if (of.wide) row.insert(row.end(), {"", each.id});
    rows.add(std::move(row));
  };
  for (const auto& each : broken) add_useless(each, "broken");
  for (const auto& each : list_empty_sources(server, of.tenant, branches)) {
    all.push_back({{"name", each.name}, {"tenant_id", each.id}, {"state", "Empty"}});
    add_useless(each, "empty");
    if (!of.json) say(each.name + ": " + empty_source_note);
  }
  if (of.json) {
    print(all);
    return fail_if_broken(of, broken, branches);
  }
  if (all.empty())
    return say("no sources yet\nnext: strata source add NAME --conninfo postgresql://user@host:port/postgres");
  rows.print();
  fail_if_broken(of, broken, branches);
}

void remove_and_show(const context& of, const std::string& name, bool force, bool yes) {
  const auto plan = plan_removal(of, name);
  const source_entry& source = plan.source;
  confirm("can't remove " + source.name, source.name, describe(of, plan), yes);
  const json slots_left = remove_source(of, plan, force);
  if (of.json) return print(json{{"removed", source.name}, {"tenant_id", source.id}, {"slots_left", slots_left}});
  print("removed " + source.name + " with all its branches");
  tell_of_slots(slots_left);
}

void resume_and_show(const context& of, const std::string& name) {
  const auto done = resume_source(of, name);
  if (done.timeline.is_null()) return;
  if (of.json) return print(done.timeline);
  const json now = source_of(done.timeline);
  if (!done.was_refused) return print(done.source.name + " is not refused: " + following(now));
  const std::string phase = now.value("phase", "");
  print(phase == "streaming" ? done.source.name + " is followed again"
                             : done.source.name + " is resumed: " + phase + "; see strata source list");
}

void promote_and_show(const context& of, const std::string& name, bool force) {
  const auto begun = std::chrono::steady_clock::now();
  const auto done = promote_source(of, name, force);
  if (of.json)
    return print(json{{"promoted", done.source.name},
                      {"tenant_id", done.source.id},
                      {"branch", done.branch},
                      {"lsn", core::to_string(done.at)},
                      {"left_at_source", done.left_at_source},
                      {"slots_left", done.slots_left},
                      {"standbys_restarted", done.standbys}});
  print("promoted " + done.source.name + ": " + done.branch + " is writable from " + core::to_string(done.at) + "  " +
        time_taken(begun));
  if (!done.left_at_source.empty()) say("left at the source: " + done.left_at_source);
  for (const auto& each : done.standbys) say("standby " + each + " follows the safekeepers");
  tell_of_slots(done.slots_left);
  say("next: strata psql " + done.source.spec_of(done.branch));
}

void configure_and_show(const context& of, const config_options& asked) {
  const json config = configure_source(of, asked.name, asked.set, asked.unset);
  if (of.json) return print(config);
  table rows({"OPTION", "VALUE", "FROM"});
  const json overrides = config.value("tenant_specific_overrides", json::object());
  const json effective = config.value("effective_config", json::object());
  for (const auto& [name, value] : effective.items())
    rows.add({name, value.is_string() ? value.get<std::string>() : value.dump(),
              overrides.contains(name) ? "set" : "default"});
  rows.print();
}

}  // namespace

void add_source_commands(CLI::App& app, context& of) {
  auto* group = app.add_subcommand("source", "Postgres servers that Strata follows");
  group->require_subcommand(1);

  auto* add =
      group->add_subcommand("add",
                            "Follow a running Postgres: its data becomes the branch main of a source.\nRequires "
                            "wal_level = replica or logical, a free walsender and slot, and a user with REPLICATION.");
  auto asked = std::make_shared<add_options>();
  add->add_option("NAME", asked->name, "Name of the source")->required();
  add->add_option("--conninfo", asked->conninfo, "Connection string or URI, as for psql")->required();
  add->add_option(
      "--slot", asked->slot,
      "Replication slot to create and use; kept when the source is removed (default: strata_NAME, which is dropped)");
  add->add_flag("--no-wait", asked->no_wait, "Return before the base backup is complete");
  finish_command(
      *add, of,
      "  strata source add shop --conninfo postgresql://postgres@127.0.0.1:5432/postgres\n"
      "  strata source add shop --conninfo \"host=db1 user=replicator passfile=/etc/strata.pgpass\" --no-wait",
      [&of, asked] { add_and_show(of, *asked); });

  auto* list = group->add_subcommand("list", "List the sources and their progress");
  list->add_flag("--wide", of.wide, "Also show IDs and slots");
  list->add_option("--tenant", of.tenant, "Only this source");
  finish_command(*list, of, "  strata source list --wide", [&of] { list_sources_command(of); });

  auto* configure = group->add_subcommand("config", "Show or change the retention and storage options of a source");
  auto changes = std::make_shared<config_options>();
  configure->add_option("NAME", changes->name, "Source (default: the only one)");
  configure->add_option("--set", changes->set, "NAME=VALUE; can be repeated")->allow_extra_args(false);
  configure->add_option("--unset", changes->unset, "Reset to the default; can be repeated")->allow_extra_args(false);
  finish_command(
      *configure, of,
      "  strata source config shop\n  strata source config shop --set pitr_interval=1d --set gc_horizon=256MB",
      [&of, changes] { configure_and_show(of, *changes); });

  auto* resume = group->add_subcommand("resume",
                                       "Resume a source that was refused because it is not the same server.\nThe "
                                       "server is compared again, and refused again if it is still a different one");
  auto resumed = std::make_shared<std::string>();
  resume->add_option("NAME", *resumed, "Source (default: the only one)");
  finish_command(*resume, of, "  strata source resume shop", [&of, resumed] { resume_and_show(of, *resumed); });

  auto* promote = group->add_subcommand(
      "promote",
      "End the following of a source and make its branch writable: the way to move onto Strata.\nStop the clients of "
      "the source first: what is committed there later stays there. The command waits until all WAL\nof the source "
      "has arrived, and refuses when the source does not answer");
  auto promoted = std::make_shared<std::string>();
  auto without = std::make_shared<bool>(false);
  promote->add_option("NAME", *promoted, "Full name of the source")->required();
  promote->add_flag("--force", *without, "Also without WAL that has not arrived: it is lost to the branch");
  finish_command(*promote, of, "  strata source promote shop",
                 [&of, promoted, without] { promote_and_show(of, *promoted, *without); });

  auto* remove =
      group->add_subcommand("remove", "Remove a source with all its branches; the Postgres itself is not changed");
  auto name = std::make_shared<std::string>();
  remove->add_option("NAME", *name, "Full name of the source")->required();
  auto force = std::make_shared<bool>(false);
  auto yes = std::make_shared<bool>(false);
  remove->add_flag("--yes", *yes, "Do not ask for confirmation");
  remove->add_flag("--force", *force, "Stop and remove the computes of its branches, including data written to copies");
  finish_command(*remove, of, "  strata source remove shop\n  strata source remove shop --yes",
                 [&of, name, force, yes] { remove_and_show(of, *name, *force, *yes); });
}

}  // namespace strata::cli
