#include "control/sources.hpp"

#include <poll.h>

#include <algorithm>

#include "config/branch_spec.hpp"
#include "config/quantity.hpp"
#include "control/branch_writers.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

constexpr int look_interval_ms = 200;
/// While a source is compared and caught up with.
constexpr int resume_looks_max = 50;

std::string advice_on(const server_link& server, core::errc code, const std::string& name) {
  switch (code) {
    case core::errc::conflict: {
      const auto all = list_sources(server);
      const bool taken = std::any_of(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
      return taken ? "choose another name, or remove the source of this name: strata source remove " + name
                   : "strata source add " + name + " --slot ANOTHER_SLOT --conninfo ...";
    }
    case core::errc::permission_denied:
      return "the user needs REPLICATION and a line in the source's pg_hba.conf, e.g. \"host replication USER ADDRESS "
             "scram-sha-256\"";
    case core::errc::unsupported: return "strata source add --help lists the requirements";
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
  const std::string last_error = timeline.value("last_error", "");
  return last_error.starts_with("import: ") ? last_error : "";
}

/// Returns main's timeline when it can be read, or when the base backup has failed.
json wait_until_readable(const server_link& server, const std::string& path, const std::string& name) {
  progress line(server.report());
  for (;;) {
    json timeline =
        need(server.api(server_link::short_limit).get(path), "can't get the state of " + name, "strata source list");
    if (branch_entry{{}, "", "main", timeline}.active() || !import_failure(timeline).empty()) return timeline;
    show_import(line, timeline);
    ::poll(nullptr, 0, look_interval_ms);
  }
}

/// Until it streams, or the looks are over.
json wait_until_streaming(const server_link& server, const branch_entry& branch) {
  progress line(server.report());
  for (int looks = 0;; ++looks) {
    json now = need(server.api(server_link::short_limit).get(branch.path()),
                    "can't get the state of " + branch.source.name, "strata source list");
    const std::string phase = source_of(now).value("phase", "");
    if (phase == "failed")
      throw failure(core::errc::io_error, "can't follow " + branch.source.name, source_of(now).value("last_error", ""),
                    "strata source list", "failed");
    if (phase == "streaming" || looks + 1 == resume_looks_max) return now;
    show_import(line, now);
    ::poll(nullptr, 0, look_interval_ms);
  }
}

}  // namespace

json add_source(const server_link& server, const source_request& asked) {
  json body{{"name", asked.name}, {"conninfo", asked.conninfo}};
  if (!asked.slot.empty()) body["slot"] = asked.slot;
  auto added = server.api().post("/v1/source", body);
  if (!added)
    throw failure(added.error(), "can't follow this Postgres", advice_on(server, added.error().code, asked.name));
  return *std::move(added);
}

import_result wait_for_import(const server_link& server, const json& added, const std::string& name,
                              const std::function<void(const json& removed)>& removed) {
  const std::string tenant = "/v1/tenant/" + added.value("tenant_id", "");
  json timeline = wait_until_readable(server, tenant + "/timeline/" + added.value("timeline_id", ""), name);
  if (const std::string why = import_failure(timeline); !why.empty()) {
    // Nothing can be read of it; its slot would keep WAL.
    const auto gone = server.api().remove(tenant);
    if (gone) removed(*gone);
    throw failure(core::errc::io_error, "can't follow " + name, why,
                  gone ? "nothing was stored: repair the source and add it again"
                       : "strata source remove " + name + ", then add it again",
                  "failed");
  }
  const auto bytes = source_of(timeline).value("backup_bytes", std::uint64_t{0});
  return {std::move(timeline), bytes};
}

source_removal plan_removal(const scope& of, const std::string& name) {
  source_removal plan = plan_tenant_removal(of, name, "remove");
  for (const auto& each : plan.branches)
    if (each.is_own_root() && !each.broken())
      throw failure(core::errc::conflict, "can't remove " + plan.source.name,
                    "it has no source: its data are only here", "to delete them: strata delete " + plan.source.name);
  return plan;
}

source_removal plan_tenant_removal(const scope& of, const std::string& name, const std::string& verb) {
  const server_link server(of);
  source_removal plan{.source = find_source(server, name)};
  require_full_name(plan.source, name, verb);
  if (plan.source.broken.empty() && !plan.source.importing) plan.branches = list_branches(server, plan.source.name);
  plan.computes = computes_of(of, plan.source.id, "");
  return plan;
}

std::vector<std::string> describe(const scope& of, const source_removal& plan) {
  std::vector<std::string> lines;
  for (const auto& each : plan.branches) lines.push_back("branch " + each.name + ": " + size_shown(each));
  for (const auto& each : plan.computes) lines.push_back(compute_line(of, each));
  return lines;
}

json remove_source(const scope& of, const source_removal& plan, bool force) {
  const std::string doing = "can't remove " + plan.source.name;
  require_no_computes(plan.computes, of, doing, force);
  require_no_damaged_writers(of, plan.source.id, "", doing, force);
  const bool is_protected =
      std::ranges::any_of(plan.branches, [](const auto& each) { return each.info.value("deletion_protected", false); });
  const json removed = need(server_link(of).api().remove("/v1/tenant/" + plan.source.id), doing,
                            is_protected ? "strata branch unprotect BRANCH" : "strata source list");
  remove_computes(of, plan.computes);
  return removed.value("slots_left", json::array());
}

resumed_source resume_source(const scope& of, const std::string& name) {
  const server_link server(of);
  const source_entry source = find_source(server, name);
  const auto branches = list_branches(server, source.name);
  const auto root = std::ranges::find_if(branches, [](const auto& each) { return each.info.contains("source"); });
  if (root == branches.end()) return {source, json(), false};
  if (source_of(root->info).value("phase", "") != "failed") return {source, root->info, false};
  need(server.api().post(root->path() + "/resume_source", json::object()), "can't resume " + source.name,
       "strata source list");
  return {source, wait_until_streaming(server, *root)};
}

json configure_source(const scope& of, const std::string& name, const std::vector<std::string>& set,
                      const std::vector<std::string>& unset) {
  const server_link server(of);
  const source_entry source = find_source(server, name);
  json change{{"tenant_id", source.id}};
  for (const auto& pair : set) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      throw failure(core::errc::invalid_argument, "\"" + pair + "\" is not an assignment", "write NAME=VALUE",
                    "strata source config " + source.name + " --set pitr_interval=1d");
    change[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  for (const auto& each : unset) change[each] = nullptr;
  const auto found = change.size() == 1 ? server.get("/v1/tenant/" + source.id + "/config")
                                        : server.api().patch("/v1/tenant/config", change);
  return need(found, "can't configure " + source.name, "strata source config " + source.name);
}

}  // namespace strata::control
