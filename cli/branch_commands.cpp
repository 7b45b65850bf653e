#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/branch_tree.hpp"
#include "cli/commands.hpp"
#include "cli/confirmation.hpp"
#include "cli/context.hpp"
#include "cli/shared_options.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "config/time_text.hpp"
#include "control/branch_changes.hpp"
#include "control/branch_reset.hpp"
#include "control/branches.hpp"
#include "control/broken_sources.hpp"
#include "control/failure.hpp"
#include "control/shell_quoted.hpp"

namespace strata::cli {

using namespace control;
namespace {

using nlohmann::json;

void create_and_show(const context& of, const branch_creation_request& asked) {
  const auto made = create_branch(of, asked);
  if (of.json) {
    json answer = made.timeline;
    answer["resolved_from"] = made.parent.name + "@" + core::to_string(made.from.at);
    return print(answer);
  }
  print("created " + asked.name + " from " + describe(made.parent, made.from) + "  " + time_text(made.took));
  if (asked.expires_after) print("expires " + expiry_shown(made.timeline));
  say("next: strata psql " + made.parent.source.spec_of(asked.name));
}

void list_branches_command(const context& of) {
  const server_link server(of);
  const auto branches = list_branches(server, of.tenant);
  const auto broken = list_broken_sources(server, of.tenant);
  if (of.json) {
    json all = json::array();
    for (const auto& each : branches) all.push_back(each.info);
    print(all);
    return fail_if_broken(of, broken, branches);
  }
  if (branches.empty() && broken.empty())
    return say("no branches yet\nnext: strata source add NAME --conninfo postgresql://user@host:port/postgres");
  const bool several = std::any_of(branches.begin(), branches.end(),
                                   [&](const auto& each) { return each.source.id != branches.front().source.id; });
  std::vector<std::string> head{"NAME", "FROM", "HEAD", "SIZE", "STATE", "CREATED"};
  if (of.wide) head.insert(head.end(), {"READABLE FROM", "DURABLE TO", "TIMELINE ID", "TENANT ID"});
  table rows(head);
  for (const auto& each : branches) {
    std::string from = each.is_own_root() ? "no source" : "-";
    for (const auto& other : branches)
      if (other.id == each.text("ancestor_timeline_id") && other.source.id == each.source.id)
        from = other.name + "@" + each.text("ancestor_lsn");
    const auto created = config::parse_iso_time(each.text("created_at"), config::default_zone::utc);
    std::vector<std::string> row{several ? each.source.name + "/" + each.name : each.name,
                                 from,
                                 each.text("last_record_lsn"),
                                 config::size_text(each.info.value("current_physical_size", std::uint64_t{0})),
                                 each.state_text() + (each.text("last_error").empty() ? "" : ", with errors"),
                                 created ? config::age_text(*created, core::system_clock().now()) : ""};
    if (of.wide)
      row.insert(row.end(),
                 {each.text("readable_from_lsn"), each.text("disk_consistent_lsn"), each.id, each.source.id});
    rows.add(std::move(row));
  }
  rows.print();
  fail_if_broken(of, broken, branches);
}

void show_branch(const context& of, const std::string& name) {
  const auto spec = parse_branch_name(name);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  const auto earliest = earliest_time(server, branch);
  if (of.json) {
    json info = branch.info;
    if (earliest) info["earliest_time"] = config::utc_text(*earliest);
    return print(info);
  }
  fact_list facts;
  facts.add("branch", branch.name);
  facts.add("source", branch.source.name);
  facts.add("state", branch.state_text());
  facts.add("postgres", std::to_string(branch.info.value("pg_version", 0)));
  facts.add("head", branch.text("last_record_lsn"));
  facts.add("last commit", branch.text("last_commit_at").empty() ? "" : last_commit_shown(branch));
  facts.add("durable to", branch.text("disk_consistent_lsn"));
  facts.add("readable from", branch.text("readable_from_lsn"));
  facts.add("earliest time", earliest ? time_shown(config::utc_text(*earliest)) : "");
  facts.add("branched at", branch.text("ancestor_lsn"));
  facts.add("created", time_shown(branch.text("created_at")));
  facts.add("expires", expiry_shown(branch.info));
  facts.add("wal_level", branch.text("wal_level"));
  facts.add("protected", branch.info.value("deletion_protected", false) ? "from deletion" : "");
  facts.add("layers", std::to_string(branch.info.value("layer_count", 0)) + ", " +
                          config::size_text(branch.info.value("current_physical_size", std::uint64_t{0})) +
                          " on disk, " + config::size_text(branch.info.value("memory_size", std::uint64_t{0})) +
                          " in memory");
  const json source = branch.info.value("source", json::object());
  facts.add("follows", source.contains("conninfo") ? shell_quoted(source.value("conninfo", ""))
                       : branch.is_own_root()      ? "no source"
                                                   : "");
  facts.add("connection", phase_text(source));
  facts.add("received", source.value("received_lsn", ""));
  if (!source.empty()) facts.add("lag", lag_text(source));
  facts.add("last message", last_message_text(source));
  facts.add("source clock", clock_difference_text(source));
  facts.add("known until", branch.text("known_until").empty() ? "" : time_shown(branch.text("known_until")));
  facts.add("source error", source.value("last_error", ""));
  facts.add("storage error", branch.info.value("last_error", ""));
  facts.add("extension records", extension_records(branch.info));
  facts.add("timeline id", branch.id);
  facts.add("tenant id", branch.source.id);
  facts.print();
}

struct loss_options {
  std::string name;
  bool force = false;
  bool yes = false;
};

void remove_branch(const context& of, const loss_options& asked) {
  const auto plan = plan_deletion(of, asked.name);
  confirm("can't delete " + plan.branch.name, plan.branch.name, describe(of, plan), asked.yes);
  delete_branch(of, plan, asked.force);
  if (of.json)
    return print(
        json{{"deleted", plan.branch.name}, {"timeline_id", plan.branch.id}, {"computes", plan.computes.size()}});
  print("deleted " + plan.branch.name);
}

void reset_and_show(const context& of, const branch_reset_request& to, const loss_options& asked) {
  const auto plan = plan_reset(of, to);
  confirm("can't reset " + plan.branch.name, plan.branch.name, describe(of, plan), asked.yes);
  const json made = reset_branch(of, plan, asked.force);
  if (of.json) return print(made);
  print("reset " + plan.branch.name + " to " + describe(plan.parent, plan.to));
  if (!plan.keep_as.empty()) print("its earlier state is branch " + plan.keep_as);
}

void expire_and_show(const context& of, const std::string& name, const std::string& when) {
  const auto after = when == "never" ? std::optional<std::chrono::milliseconds>() : parse_expiry(when, "TIME");
  const json timeline = expire_branch(of, name, after);
  if (of.json) return print(timeline);
  print(timeline.value("name", "") + (after ? " expires " + expiry_shown(timeline) : " does not expire"));
}

void protect_and_show(const context& of, const std::string& name, bool on) {
  const json timeline = protect_branch(of, name, on);
  if (of.json) return print(timeline);
  print(timeline.value("name", "") + (on ? " is protected from deletion" : " can be deleted again"));
}

void set_level_and_show(const context& of, const std::string& name, const std::string& level) {
  const json timeline = set_wal_level(of, name, level);
  if (of.json) return print(timeline);
  const std::string branch = timeline.value("name", "");
  print("computes of " + branch + " run with wal_level=" + level + " from their next start on");
  say("next: strata compute stop " + branch + "; strata compute start " + branch);
}

void show_tree(const context& of) {
  const server_link server(of);
  const auto all = list_branches(server, of.tenant);
  const auto broken = list_broken_sources(server, of.tenant);
  if (of.json) {
    json infos = json::array();
    for (const auto& each : all) infos.push_back(each.info);
    print(infos);
    return fail_if_broken(of, broken, all);
  }
  if (all.empty() && broken.empty())
    return say("no branches yet\nnext: strata source add NAME --conninfo postgresql://user@host:port/postgres");
  std::map<std::string, std::vector<branch_entry>> by_source;
  for (const auto& each : all) by_source[each.source.name].push_back(each);
  for (const auto& [source, branches] : by_source) {
    if (by_source.size() > 1) print(source + ":");
    for (const auto& line : draw_tree(branches, can_draw_lines(), core::system_clock().now())) print(line);
  }
  fail_if_broken(of, broken, all);
}

}  // namespace

void add_branch_commands(CLI::App& app, context& of) {
  auto* group =
      app.add_subcommand("branch", "Branches: a database as of one point in its history, and its changes since");
  group->require_subcommand(1);

  auto* create = group->add_subcommand(
      "create", "Create a branch at any point in the retention window; durable when the command returns");
  auto asked = std::make_shared<branch_creation_request>();
  create->add_option("NAME", asked->name, "Name of the new branch")->required();
  create->add_option("--from", asked->from, "BRANCH or BRANCH@WHEN; WHEN is an LSN, a time or an age")
      ->capture_default_str();
  create
      ->add_option_function<std::string>(
          "--expires", [asked](const std::string& text) { asked->expires_after = parse_expiry(text, "--expires"); },
          "Delete the branch after this time: 2h, 7d")
      ->type_name("TIME");
  create->add_option("--wal-level", asked->wal_level, "wal_level of its computes (default: that of the parent)")
      ->check(CLI::IsMember({"replica", "logical"}));
  add_tenant_option(*create, of);
  finish_command(*create, of,
                 "  strata branch create dev\n  strata branch create dev --from main@10m\n"
                 "  strata branch create dev --from \"main@2026-11-22 14:00\"\n"
                 "  strata branch create dev --from main@\"2 hours ago\"\n"
                 "  strata branch create dev --from shop/main@0/3B21F08\n"
                 "  strata branch create ci-42 --expires 2h\n"
                 "  strata branch create feed --wal-level logical",
                 [&of, asked] { create_and_show(of, *asked); });

  auto* list = group->add_subcommand("list", "List all branches");
  list->add_flag("--wide", of.wide, "Also show IDs and LSNs");
  list->add_option("--tenant", of.tenant, "Only branches of this source");
  finish_command(*list, of, "  strata branch list --wide\n  strata branch list --json",
                 [&of] { list_branches_command(of); });

  const auto named = [&](const char* verb, const char* help, const std::string& examples,
                         void (*run)(const context&, const std::string&)) {
    auto* command = group->add_subcommand(verb, help);
    auto name = std::make_shared<std::string>();
    command->add_option("BRANCH", *name, "Branch, or SOURCE/BRANCH")->required();
    add_tenant_option(*command, of);
    finish_command(*command, of, examples, [&of, name, run] { run(of, *name); });
  };
  named("show", "Show the details of a branch", "  strata branch show dev", show_branch);

  auto* expire = group->add_subcommand("expire", "Change when a branch is deleted by itself, or keep it");
  auto expiring = std::make_shared<std::pair<std::string, std::string>>();
  expire->add_option("BRANCH", expiring->first, "Branch, or SOURCE/BRANCH")->required();
  expire->add_option("TIME", expiring->second, "From now: 2h, 7d; or never")->required();
  add_tenant_option(*expire, of);
  finish_command(*expire, of, "  strata branch expire ci-42 7d\n  strata branch expire ci-42 never",
                 [&of, expiring] { expire_and_show(of, expiring->first, expiring->second); });

  named("protect", "Protect a branch from deletion; it no longer expires", "  strata branch protect main",
        [](const context& in, const std::string& name) { protect_and_show(in, name, true); });
  named("unprotect", "End the protection of a branch", "  strata branch unprotect main",
        [](const context& in, const std::string& name) { protect_and_show(in, name, false); });

  auto* level = group->add_subcommand(
      "wal-level", "Set the wal_level of a branch's computes: logical for logical replication slots on it");
  auto level_of = std::make_shared<std::pair<std::string, std::string>>();
  level->add_option("BRANCH", level_of->first, "Branch, or SOURCE/BRANCH")->required();
  level->add_option("LEVEL", level_of->second, "replica or logical")
      ->required()
      ->check(CLI::IsMember({"replica", "logical"}));
  level->add_option("--tenant", of.tenant, "Source, if the server has more than one");
  finish_command(*level, of, "  strata branch wal-level dev logical",
                 [&of, level_of] { set_level_and_show(of, level_of->first, level_of->second); });

  const auto losing = [&](const char* verb, const char* help, const char* force) {
    auto* command = group->add_subcommand(verb, help);
    auto options = std::make_shared<loss_options>();
    command->add_option("BRANCH", options->name, "Branch, or SOURCE/BRANCH")->required();
    command->add_flag("--yes", options->yes, "Do not ask for confirmation");
    command->add_flag("--force", options->force, force);
    add_tenant_option(*command, of);
    return std::pair(command, options);
  };
  const auto [remove, removed] = losing("delete", "Delete a branch that has no child branches",
                                        "Stop and remove its computes, including data written to copies");
  finish_command(*remove, of, "  strata branch delete dev\n  strata branch delete dev --yes --force",
                 [&of, asked = removed] { remove_branch(of, *asked); });

  const auto [reset, old] = losing("reset",
                                   "Put a new branch from the parent in the place of a branch. Computes on its head "
                                   "restart on it: name, port and URI stay",
                                   "Stop and remove computes that show an older state, including data of copies");
  auto to = std::make_shared<branch_reset_request>();
  reset->add_option("--to", to->to, "Point of the parent: an LSN, a time or an age (default: its head)");
  reset->add_option("--keep-as", to->keep_as, "Keep the present state as a branch of this name");
  add_stop_limit_option(*reset, to->stop_limit);
  finish_command(*reset, of, "  strata branch reset dev --yes\n  strata branch reset dev --to 1h --keep-as dev-before",
                 [&of, to, asked = old] {
                   to->branch = asked->name;
                   reset_and_show(of, *to, *asked);
                 });

  auto* tree = group->add_subcommand("tree", "Show the branches as a tree");
  tree->add_option("--tenant", of.tenant, "Only branches of this source");
  finish_command(*tree, of, "  strata branch tree", [&of] { show_tree(of); });
}

}  // namespace strata::cli
