#include <poll.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/branch_writers.hpp"
#include "cli/branches.hpp"
#include "cli/broken_sources.hpp"
#include "cli/commands.hpp"
#include "cli/computes.hpp"
#include "cli/failure.hpp"
#include "cli/last_words.hpp"
#include "cli/terminal.hpp"
#include "config/branch_spec.hpp"
#include "config/quantity.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;

constexpr int look_interval_ms = 200;
/// While a source is compared and caught up with.
constexpr int resume_looks_max = 50;

struct add_options {
  std::string name;
  std::string conninfo;
  std::string slot;
  bool no_wait = false;
};

struct config_options {
  std::string name;
  std::vector<std::string> set;
  std::vector<std::string> unset;
};

std::string advice_on(const server_link& server, core::errc code, const std::string& name) {
  switch (code) {
    case core::errc::conflict: {
      const auto all = list_sources(server);
      const bool taken = std::any_of(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
      return taken ? "choose another name, or remove the source that has it: strata source remove " + name
                   : "strata source add " + name + " --slot ANOTHER_SLOT --conninfo ...";
    }
    case core::errc::permission_denied:
      return "the user needs REPLICATION and a line in the source's pg_hba.conf, e.g. \"host replication USER ADDRESS "
             "scram-sha-256\"";
    case core::errc::unsupported: return "strata source add --help says what a source needs";
    case core::errc::unavailable:
    case core::errc::timeout: return "check host and port: psql \"CONNINFO\" -c \"select 1\"";
    default: return "strata source add --help";
  }
}

/// The source's connection as GET timeline shows it.
json source_of(const json& timeline) { return timeline.value("source", json::object()); }

void show_import(progress& line, const json& timeline) {
  const json source = source_of(timeline);
  const std::string phase = source.value("phase", "connecting");
  const auto done = source.value("backup_bytes", std::uint64_t{0});
  const auto expected = source.value("backup_bytes_expected", std::uint64_t{0});
  std::string detail;
  if (phase == "backing_up") {
    detail = config::size_text(done);
    if (expected > 0)
      detail += " of " + config::size_text(expected) + " (" +
                std::to_string(std::min<std::uint64_t>(done * 100 / expected, 100)) + "%)";
  }
  if (const std::string error = source.value("last_error", ""); !error.empty()) detail += "  " + error;
  line.show(phase_text({{"phase", phase}}), detail);
}

/// Why the base backup failed; empty as long as it did not. The server would try again for ever.
std::string import_failure(const json& timeline) {
  const json source = source_of(timeline);
  if (const branch_entry main{{}, "", "main", timeline}; main.broken()) return main.state_text();
  if (source.value("phase", "") == "failed") return source.value("last_error", "");
  const std::string trouble = timeline.value("trouble", "");
  return trouble.starts_with("import: ") ? trouble : "";
}

/// Says which replication slots stay at their sources, and how to drop them.
void tell_of_slots(const json& removed) {
  for (const json& left : removed.value("slots_left", json::array())) {
    const std::string slot = left.value("slot", "");
    const std::string why = left.value("error", "");
    say("the replication slot " + slot + " stays at " + left.value("source", "") +
        (why.empty() ? ", since you chose its name" : " (" + why + ")"));
    say(left.value("remembered", false)
            ? "it keeps WAL there until it is dropped: by this server, when it can reach the source, or there by"
            : "it keeps WAL there until it is dropped there by");
    say("  select pg_drop_replication_slot('" + slot + "');");
  }
}

/// Computes have Postgres's own defaults, not the source's configuration.
void tell_of_settings(const json& added) {
  const json settings = added.value("settings", json::array());
  if (settings.empty()) return;
  say("the source has settings on which answers depend, and computes don't have them by themselves; give them with "
      "strata compute start BRANCH --set \"NAME = 'VALUE'\":");
  for (const json& each : settings) say("  " + each.value("name", "") + " = '" + each.value("value", "") + "'");
}

/// Returns main's timeline when it can be read, or when the base backup has failed.
json wait_until_readable(const server_link& server, const std::string& path, const std::string& name, bool quiet) {
  progress line(quiet);
  for (;;) {
    json timeline = need(server.api().get(path), "lost sight of " + name, "strata source list");
    if (branch_entry{{}, "", "main", timeline}.active()) return timeline;
    if (!import_failure(timeline).empty()) {
      line.end();
      return timeline;
    }
    show_import(line, timeline);
    ::poll(nullptr, 0, look_interval_ms);
  }
}

void add_source(const context& of, const add_options& asked) {
  const auto begun = std::chrono::steady_clock::now();
  need(config::check_name("source", asked.name), "can't add a source", "strata source add --help");
  const server_link server(of);
  json body{{"name", asked.name}, {"conninfo", asked.conninfo}};
  if (!asked.slot.empty()) body["slot"] = asked.slot;
  std::optional<last_words> on_signal;
  on_signal.emplace("", "\ninterrupted; the server may have begun to import " + asked.name + ": strata source list\n");
  auto added = server.api().post("/v1/source", body);
  if (!added)
    throw failure(added.error(), "can't follow this Postgres", advice_on(server, added.error().code, asked.name));
  const std::string path =
      "/v1/tenant/" + added->value("tenant_id", "") + "/timeline/" + added->value("timeline_id", "");
  if (asked.no_wait) {
    if (of.json) return print(*added);
    print("following " + asked.name + " as " + asked.name + "/main; the base backup runs");
    tell_of_settings(*added);
    return say("next: strata source list");
  }
  on_signal.reset();
  on_signal.emplace("", "\ninterrupted; the import of " + asked.name +
                            " goes on: strata source list; strata source remove " + asked.name + "\n");
  const json timeline = wait_until_readable(server, path, asked.name, of.json);
  if (const std::string why = import_failure(timeline); !why.empty()) {
    // Nothing can be read of it; its slot would keep WAL.
    const auto removed = server.api().remove("/v1/tenant/" + added->value("tenant_id", ""));
    if (removed) tell_of_slots(*removed);
    throw failure(exit_code::failure, "failed", "can't follow " + asked.name, why,
                  removed ? "nothing of it was kept: repair the source and add it again"
                          : "strata source remove " + asked.name + ", then add it again");
  }
  if (of.json) return print(timeline);
  const auto backup_bytes = source_of(timeline).value("backup_bytes", std::uint64_t{0});
  print("following " + asked.name + " as " + asked.name + "/main from " + timeline.value("readable_from_lsn", "") +
        "  " + config::size_text(backup_bytes) + " copied  " + time_taken(begun));
  tell_of_settings(*added);
  say("next: strata branch create dev --from " + find_source(server, asked.name).spec_of("main"));
}

void list_sources_command(const context& of) {
  const server_link server(of);
  const auto broken = list_broken_sources(server, of.tenant);
  const auto branches =
      broken.empty() || of.tenant.empty() ? list_branches(server, of.tenant) : std::vector<branch_entry>();
  json all = broken_json(broken);
  table rows(
      of.wide ? std::vector<std::string>{"NAME", "STATE", "RECEIVED", "LAG", "LAST WORD", "SOURCE", "SLOT", "TENANT ID"}
              : std::vector<std::string>{"NAME", "STATE", "RECEIVED", "LAG", "LAST WORD", "SOURCE"});
  for (const auto& branch : branches) {
    if (!branch.info.contains("source") && !is_broken_root(branch)) continue;
    const json source = source_of(branch.info);
    all.push_back({{"name", branch.source.name},
                   {"tenant_id", branch.source.id},
                   {"branch", branch.name},
                   {"timeline_id", branch.id},
                   {"state", branch.state_text()},
                   {"source", source}});
    std::vector<std::string> row{branch.source.name,
                                 source.empty() ? "broken" : phase_text(source),
                                 source.value("received_lsn", ""),
                                 lag_text(source),
                                 last_word_text(source),
                                 shell_quoted(source.value("conninfo", ""))};
    if (of.wide) row.insert(row.end(), {source.value("slot", ""), branch.source.id});
    rows.add(std::move(row));
    if (const std::string error = source.value("last_error", ""); !error.empty() && !of.json)
      say(branch.source.name + ": " + error);
  }
  for (const auto& each : broken) {
    std::vector<std::string> row{each.name, "broken", "", "", "", ""};
    if (of.wide) row.insert(row.end(), {"", each.id});
    rows.add(std::move(row));
  }
  for (const auto& each : list_empty_sources(server, of.tenant, branches)) {
    all.push_back({{"name", each.name}, {"tenant_id", each.id}, {"state", "Empty"}});
    std::vector<std::string> row{each.name, "empty", "", "", "", ""};
    if (of.wide) row.insert(row.end(), {"", each.id});
    rows.add(std::move(row));
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

void remove_source(const context& of, const std::string& name, bool force) {
  const server_link server(of);
  const source_entry source = find_source(server, name);
  if (source.name != name && source.id != name)
    throw failure(exit_code::not_found, "not_found", "there is no source \"" + name + "\"",
                  "removing takes the whole name, and the nearest is " + source.name, "strata source list");
  const auto computes = computes_of(of, source.id, "");
  require_no_computes(computes, of, "can't remove " + source.name, force);
  require_no_damaged_writers(of, source.id, "", "can't remove " + source.name, force);
  const json removed =
      need(server.api().remove("/v1/tenant/" + source.id), "can't remove " + source.name, "strata source list");
  remove_computes(of, computes);
  if (of.json)
    return print(json{{"removed", source.name},
                      {"tenant_id", source.id},
                      {"slots_left", removed.value("slots_left", json::array())}});
  print("removed " + source.name + " with all its branches");
  tell_of_slots(removed);
}

/// The root branches that follow a server.
void resume_source(const context& of, const std::string& name) {
  const server_link server(of);
  const source_entry source = find_source(server, name);
  for (const auto& branch : list_branches(server, source.name)) {
    if (!branch.info.contains("source")) continue;
    if (const json before = source_of(branch.info); before.value("phase", "") != "failed")
      return of.json ? print(branch.info) : print(source.name + " is not refused: " + following(before));
    need(server.api().post(branch.path() + "/resume_source", json::object()), "can't resume " + source.name,
         "strata source list");
    progress line(of.json);
    for (int looks = 0; looks < resume_looks_max; ++looks) {
      const json now = need(server.api().get(branch.path()), "lost sight of " + source.name, "strata source list");
      const std::string phase = source_of(now).value("phase", "");
      if (phase == "failed") {
        line.end();
        throw failure(exit_code::failure, "failed", "can't follow " + source.name,
                      source_of(now).value("last_error", ""), "strata source list");
      }
      if (phase == "streaming" || looks + 1 == resume_looks_max) {
        if (of.json) return print(now);
        line.end();
        return print(phase == "streaming" ? source.name + " is followed again"
                                          : source.name + " is resumed: " + phase + "; see strata source list");
      }
      show_import(line, now);
      ::poll(nullptr, 0, look_interval_ms);
    }
  }
}

void configure_source(const context& of, const config_options& asked) {
  const server_link server(of);
  const source_entry source = find_source(server, asked.name);
  json change{{"tenant_id", source.id}};
  for (const auto& pair : asked.set) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      throw failure(exit_code::usage, "invalid_argument", "\"" + pair + "\" sets nothing", "write NAME=VALUE",
                    "strata source config " + source.name + " --set pitr_interval=1d");
    change[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  for (const auto& name : asked.unset) change[name] = nullptr;
  const auto found = change.size() == 1 ? server.api().get("/v1/tenant/" + source.id + "/config")
                                        : server.api().patch("/v1/tenant/config", change);
  const json config = need(found, "can't configure " + source.name, "strata source config " + source.name);
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
  auto* group = app.add_subcommand("source", "The Postgres servers that are followed");
  group->require_subcommand(1);

  auto* add = group->add_subcommand(
      "add",
      "Follow a running Postgres: its data become the branch main of a source.\n"
      "It needs wal_level = replica (or logical), a free walsender and slot, and a user that may replicate.");
  auto asked = std::make_shared<add_options>();
  add->add_option("NAME", asked->name, "What to call it")->required();
  add->add_option("--conninfo", asked->conninfo, "How to reach it: URI or keywords, as for psql")->required();
  add->add_option(
      "--slot", asked->slot,
      "Replication slot to create and use; it stays when the source is removed (default: strata_NAME, dropped then)");
  add->add_flag("--no-wait", asked->no_wait, "Return while the base backup still runs");
  finish_command(
      *add, of,
      "  strata source add shop --conninfo postgresql://postgres@127.0.0.1:5432/postgres\n"
      "  strata source add shop --conninfo \"host=db1 user=replicator passfile=/etc/strata.pgpass\" --no-wait",
      [&of, asked] { add_source(of, *asked); });

  auto* list = group->add_subcommand("list", "Show the sources and how far they were followed");
  list->add_flag("--wide", of.wide, "Ids and slots, too");
  list->add_option("--tenant", of.tenant, "Only this source");
  finish_command(*list, of, "  strata source list --wide", [&of] { list_sources_command(of); });

  auto* configure = group->add_subcommand("config", "Show or change how a source's history is kept");
  auto changes = std::make_shared<config_options>();
  configure->add_option("NAME", changes->name, "The source (default: the only one)");
  configure->add_option("--set", changes->set, "NAME=VALUE; may be given several times")->allow_extra_args(false);
  configure->add_option("--unset", changes->unset, "Back to the default; may be given several times")
      ->allow_extra_args(false);
  finish_command(
      *configure, of,
      "  strata source config shop\n  strata source config shop --set pitr_interval=1d --set gc_horizon=256MB",
      [&of, changes] { configure_source(of, *changes); });

  auto* resume =
      group->add_subcommand("resume",
                            "Follow a source again that was refused because it is not the server that was followed.\n"
                            "It is compared again: a server that is still another one is refused again");
  auto resumed = std::make_shared<std::string>();
  resume->add_option("NAME", *resumed, "The source (default: the only one)");
  finish_command(*resume, of, "  strata source resume shop", [&of, resumed] { resume_source(of, *resumed); });

  auto* remove = group->add_subcommand("remove", "Forget a source with all its branches; the Postgres itself stays");
  auto name = std::make_shared<std::string>();
  remove->add_option("NAME", *name, "The source, in full")->required();
  auto force = std::make_shared<bool>(false);
  remove->add_flag("--force", *force,
                   "End the computes of its branches, and remove what was written on copies of them");
  finish_command(*remove, of, "  strata source remove shop", [&of, name, force] { remove_source(of, *name, *force); });
}

}  // namespace strata::cli
