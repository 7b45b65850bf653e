#include "control/branch_changes.hpp"

#include "config/quantity.hpp"
#include "config/time_text.hpp"
#include "control/branch_writers.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"

namespace strata::control {

using nlohmann::json;

std::chrono::milliseconds parse_expiry(const std::string& text, const std::string& word) {
  const std::string what = "can't parse " + word;
  const auto after = need(config::parse_duration(text), what, "write 2h or 7d");
  const bool has_unit = text.find_first_not_of("0123456789 .") != std::string::npos;
  if (has_unit && after >= std::chrono::seconds(1)) return after;
  throw failure(core::errc::invalid_argument, what,
                "\"" + text + (has_unit ? "\" is less than a second" : "\" has no unit"), "write 2h or 7d");
}

namespace {
std::string time_after(std::chrono::milliseconds after) { return config::utc_text(core::system_clock().now() + after); }
}  // namespace

created_branch create_branch(const scope& of, const branch_creation_request& asked) {
  need(config::check_name("branch", asked.name), "can't create a branch", "strata branch create --help");
  const auto spec = parse_spec(asked.from);
  const server_link server(of);
  branch_entry parent = find_branch(server, of, spec);
  resolved_point point = resolve(server, parent, spec.at);
  const std::string at = core::to_string(point.at);
  const auto begun = std::chrono::steady_clock::now();
  json body{{"name", asked.name}, {"ancestor_timeline_id", parent.id}, {"ancestor_start_lsn", at}};
  if (asked.expires_after) body["expires_at"] = time_after(*asked.expires_after);
  if (!asked.wal_level.empty()) body["wal_level"] = asked.wal_level;
  auto made = server.api().post("/v1/tenant/" + parent.source.id + "/timeline", body);
  if (!made) {
    const bool taken = made.error().code == core::errc::conflict;
    throw failure(made.error(), "can't create " + asked.name + " from " + parent.name + "@" + at,
                  taken ? "strata branch list; choose another name" : "strata branch show " + parent.spec());
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  return {std::move(parent), point, *std::move(made), took};
}

branch_deletion plan_deletion(const scope& of, const std::string& name) {
  const auto spec = parse_branch_name(name);
  const server_link server(of);
  branch_deletion plan{.branch = find_branch(server, of, spec)};
  require_full_name(plan.branch, spec, "delete");
  plan.computes = computes_of(of, plan.branch.source.id, plan.branch.id);
  for (const auto& each : list_branches(server, plan.branch.source.name))
    if (each.text("ancestor_timeline_id") == plan.branch.id) plan.children.push_back(each.name);
  return plan;
}

std::vector<std::string> describe(const scope& of, const branch_deletion& plan) {
  const branch_entry& branch = plan.branch;
  std::vector<std::string> lines{"branch " + branch.spec() + ": " + size_shown(branch) + ", created " +
                                 time_shown(branch.text("created_at"))};
  for (const auto& each : plan.computes) lines.push_back(compute_line(of, each));
  for (const auto& each : plan.children) lines.push_back("child branch " + each + ": to be deleted first");
  return lines;
}

void delete_branch(const scope& of, const branch_deletion& plan, bool force) {
  const branch_entry& branch = plan.branch;
  const std::string doing = "can't delete " + branch.name;
  require_no_computes(plan.computes, of, doing, force);
  require_no_damaged_writers(of, branch.source.id, branch.id, doing, force);
  const bool is_protected = branch.info.value("deletion_protected", false);
  need(server_link(of).api().remove(branch.path(), {{"name", branch.name}}), doing,
       is_protected ? "strata branch unprotect " + branch.spec() : "strata branch tree");
  remove_computes(of, plan.computes);
}

json expire_branch(const scope& of, const std::string& name, std::optional<std::chrono::milliseconds> after) {
  const auto spec = parse_branch_name(name);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  require_full_name(branch, spec, "change the expiry of");
  const bool is_protected = branch.info.value("deletion_protected", false);
  return need(server.api().patch(branch.path(), {{"expires_at", after ? json(time_after(*after)) : json()}}),
              "can't change the expiry of " + branch.name,
              is_protected ? "strata branch unprotect " + branch.spec() : "strata branch tree");
}

json protect_branch(const scope& of, const std::string& name, bool on) {
  const auto spec = parse_branch_name(name);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  return need(server.api().patch(branch.path(), {{"deletion_protected", on}}),
              std::string(on ? "can't protect " : "can't unprotect ") + branch.name,
              "strata branch show " + branch.spec());
}

json set_wal_level(const scope& of, const std::string& name, const std::string& level) {
  const auto spec = parse_branch_name(name);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  return need(server.api().patch(branch.path(), {{"wal_level", level}}), "can't set wal_level of " + branch.name,
              "strata branch show " + branch.spec());
}

}  // namespace strata::control
