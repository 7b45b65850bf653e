#include "control/compute_lookup.hpp"

#include <algorithm>

#include "control/agents.hpp"
#include "control/branch_writers.hpp"
#include "control/branches.hpp"
#include "control/compute_choice.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"

namespace strata::control {
namespace {

using host::compute_record;

/// The running compute of exactly that name, of that source if one is named.
std::optional<compute_record> by_name(const scope& of, const config::branch_spec& spec) {
  const std::string& source = spec.tenant.empty() ? of.tenant : spec.tenant;
  auto found = host::registry(of.directory).find(spec.branch);
  if (!found || !is_up(*found)) return std::nullopt;
  if (!source.empty() && found->tenant != source && core::to_string(found->tenant_id) != source) return std::nullopt;
  return *std::move(found);
}

bool branch_exists(const server_link& server, const compute_record& of) {
  return server.api(server_link::short_limit)
      .get("/v1/tenant/" + core::to_string(of.tenant_id) + "/timeline/" + core::to_string(of.timeline_id))
      .has_value();
}

/// The branch that is called exactly so, in the source that is named or the only one.
std::optional<branch_entry> exact_branch(const server_link& server, const scope& of, const config::branch_spec& spec) {
  const std::string& named = spec.tenant.empty() ? of.tenant : spec.tenant;
  if (named.empty() && list_sources(server).size() != 1) return std::nullopt;
  for (auto& each : list_branches(server, find_source(server, named).name))
    if (each.name == spec.branch || each.id == spec.branch) return std::move(each);
  return std::nullopt;
}

/// The compute that writes the branch, once its Postgres is up: one that comes back after a crash is waited for, and
/// never a reason to start a second.
std::optional<compute_record> writer_when_up(const scope& of, const branch_entry& branch) {
  std::optional<compute_record> found;
  for (auto& each : computes_of(of, branch.source.id, branch.id)) {
    if (each.mode != host::compute_mode::branch) continue;
    if (is_coming_up(of, each)) {
      if (!found || each.started > found->started) found = std::move(each);
    } else if (is_up(each) && agent_of(of, each.name)) {
      return std::nullopt;
    }
  }
  return found ? wait_until_up(of, *found) : std::nullopt;
}

/// Whether any source but the compute's has a branch of that name: then the name alone says too little.
bool is_ambiguous(const server_link& server, const compute_record& record, const std::string& branch) {
  for (const auto& source : list_sources(server)) {
    if (source.id == core::to_string(record.tenant_id)) continue;
    for (const auto& each : list_branches(server, source.name))
      if (each.name == branch) return true;
  }
  return false;
}

compute_lookup of_branch(const scope& of, const branch_entry& branch) {
  compute_lookup made;
  made.follows_source = branch.follows_source();
  const auto back = writer_when_up(of, branch);
  auto running = running_computes_of(of, branch);
  std::erase_if(running, [](const auto& each) { return each.mode == host::compute_mode::standby; });
  const core::lsn head = need(core::parse_lsn(branch.text("last_record_lsn")), "the server's answer is invalid");
  if (back)
    made.running = back;
  else if (const auto* found = present_among(running, head))
    made.running = *found;
  for (const auto& each : running)
    if (!shows_present(each, head)) made.older.push_back(each);
  std::sort(made.older.begin(), made.older.end(), [](const auto& a, const auto& b) { return a.as_of < b.as_of; });
  if (made.running || made.follows_source) return made;
  const auto in_doubt = damaged_writers(of, branch.source.id, branch.id);
  if (!in_doubt.empty()) made.in_doubt = in_doubt.front();
  return made;
}

}  // namespace

compute_lookup look_up(const scope& of, const std::string& text) {
  const auto spec = parse_spec(text);
  const auto named = by_name(of, spec);
  std::optional<server_link> server;
  try {
    server.emplace(of);
  } catch (const failure&) {
    if (!named || !std::holds_alternative<config::branch_head>(spec.at)) throw;
    of.report->warn("no server runs on " + of.directory + ": \"" + text + "\" is taken as the name of compute " +
                    named->name + " of " + named->tenant + "/" + named->branch);
    return {.running = named};
  }
  if (!std::holds_alternative<config::branch_head>(spec.at)) {
    find_branch(*server, of, spec);
    return {};
  }
  if (const auto branch = exact_branch(*server, of, spec)) return of_branch(of, *branch);
  if (named && branch_exists(*server, *named)) {
    const bool is_named_source = !spec.tenant.empty() || !of.tenant.empty();
    const bool is_own_name = named->branch != spec.branch;
    if (is_named_source || !is_ambiguous(*server, *named, spec.branch))
      return is_own_name ? compute_lookup{.running = named}
                         : of_branch(of, find_branch(*server, of, {named->tenant, named->branch, spec.at}));
  }
  return of_branch(of, find_branch(*server, of, spec));
}

compute_record named_compute(const scope& of, const std::string& name) {
  auto found = need(host::registry(of.directory).find(name), "can't reach compute " + name, "strata compute list");
  if (is_coming_up(of, found))
    if (auto up = wait_until_up(of, found)) return *std::move(up);
  if (!is_up(found))
    throw failure(core::errc::not_found, "compute " + name + " is not running", "it is " + state_of(of, found),
                  start_again_command(of, found));
  return found;
}

}  // namespace strata::control
