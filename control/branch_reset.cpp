#include "control/branch_reset.hpp"

#include <algorithm>

#include "config/quantity.hpp"
#include "control/branch_writers.hpp"
#include "control/compute_start.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"
#include "control/pick.hpp"
#include "control/writer_lock.hpp"

namespace strata::control {
namespace {

using host::compute_mode;
using host::compute_record;

bool follows_head(const compute_record& of) {
  return of.mode == compute_mode::branch || of.mode == compute_mode::standby;
}

void save(const scope& of, const compute_record& record) {
  need(host::registry(of.directory).save(record), "can't store the record of compute " + record.name);
}

void find_computes(const scope& of, branch_reset& plan) {
  plan.moving.clear();
  plan.staying.clear();
  for (auto& each : computes_of(of, plan.branch.source.id, plan.branch.id))
    (follows_head(each) ? plan.moving : plan.staying).push_back(std::move(each));
}

nlohmann::json request_of(const branch_reset& plan) {
  nlohmann::json body{{"ancestor_start_lsn", core::to_string(plan.to.at)}, {"name", plan.branch.name}};
  if (!plan.keep_as.empty()) body["keep_as"] = plan.keep_as;
  return body;
}

std::string next_after_refusal(const branch_reset& plan) {
  return plan.branch.info.value("deletion_protected", false) ? "strata branch unprotect " + plan.branch.spec()
                                                             : "strata branch show " + plan.branch.spec();
}

/// While its computes still run.
void check_reset(const scope& of, const branch_reset& plan) {
  nlohmann::json body = request_of(plan);
  body["check_only"] = true;
  need(server_link(of).api().post(plan.branch.path() + "/reset", body), "can't reset " + plan.branch.name,
       next_after_refusal(plan));
}

void start_again(const scope& of, const compute_record& record) {
  start_compute(of, {.spec = record.tenant + "/" + record.branch,
                     .name = record.name,
                     .armed = record.armed,
                     .standby = record.mode == compute_mode::standby});
}

/// Of a reset that did not come about: those that ran before it run again, or are named.
void resume(const scope& of, const std::vector<compute_record>& ran) {
  for (const auto& each : ran) {
    if (is_busy(of, each)) continue;
    try {
      start_again(of, each);
    } catch (const failure& e) {
      of.report->warn("compute " + each.name + " was stopped and can't be started again (" + e.what() +
                      (e.why().empty() ? "" : ": " + e.why()) + "); " + start_again_command(of, each) + " starts it");
    }
  }
}

void move_computes(const scope& of, const branch_reset& plan, const nlohmann::json& made,
                   const std::vector<compute_record>& ran) {
  const auto timeline =
      need(core::parse_id<core::timeline_id>(made.value("timeline_id", "")), "the server's answer is invalid");
  // All records before the first start, which may fail.
  for (compute_record each : plan.moving) {
    each.timeline_id = timeline;
    each.at = {};
    save(of, each);
  }
  for (compute_record each : plan.staying)
    if (!plan.keep_as.empty()) {
      each.branch = plan.keep_as;
      save(of, each);
    }
  if (plan.keep_as.empty()) remove_computes(of, plan.staying);
  for (const auto& each : ran) start_again(of, each);
}

}  // namespace

branch_reset plan_reset(const scope& of, const branch_reset_request& asked) {
  const auto spec = parse_branch_name(asked.branch);
  const server_link server(of);
  branch_reset plan{.branch = find_branch(server, of, spec), .keep_as = asked.keep_as, .stop_limit = asked.stop_limit};
  require_full_name(plan.branch, spec, "reset");
  const auto all = list_branches(server, plan.branch.source.name);
  const auto* parent = pick(all, plan.branch.text("ancestor_timeline_id")).entry;
  if (parent == nullptr || plan.branch.text("ancestor_timeline_id").empty())
    throw failure(core::errc::conflict, "can't reset " + plan.branch.name, "it has no parent branch",
                  "strata branch tree");
  plan.parent = *parent;
  plan.to = resolve(server, plan.parent, parse_spec("main" + (asked.to.empty() ? "" : "@" + asked.to)).at);
  find_computes(of, plan);
  check_reset(of, plan);
  return plan;
}

std::vector<std::string> describe(const scope& of, const branch_reset& plan) {
  std::vector<std::string> lines{"branch " + plan.branch.spec() + " becomes " + describe(plan.parent, plan.to)};
  lines.push_back(plan.keep_as.empty() ? "its present state, " + size_shown(plan.branch) + ", is deleted"
                                       : "its present state is kept as branch " + plan.keep_as);
  for (const auto& each : plan.moving)
    lines.push_back("compute " + each.name + " (" + state_of(of, each) + ") " +
                    (is_busy(of, each) ? "restarts, its sessions end" : "moves"));
  for (const auto& each : plan.staying)
    lines.push_back("compute " + each.name + " (" + state_of(of, each) + ") " +
                    (plan.keep_as.empty() ? "goes with the old branch" : "stays on the old branch"));
  return lines;
}

nlohmann::json reset_branch(const scope& of, branch_reset plan, bool force) {
  const std::string doing = "can't reset " + plan.branch.name;
  // From here on another command neither resets the branch nor starts a writer of it.
  auto lock = writer_lock::take(of, core::parse_id<core::timeline_id>(plan.branch.id).value());
  if (!lock)
    throw failure(core::errc::conflict, doing,
                  "another command resets it, or starts a compute of it; nothing was changed",
                  "strata compute list; then try again");
  // A person may have taken long to confirm.
  find_computes(of, plan);
  if (plan.keep_as.empty()) require_no_computes(plan.staying, of, doing, force);
  require_no_damaged_writers(of, plan.branch.source.id, plan.branch.id, doing, force);
  check_reset(of, plan);
  std::vector<compute_record> ran;
  for (const auto& each : plan.moving)
    if (is_busy(of, each)) ran.push_back(each);
  nlohmann::json made;
  try {
    for (const auto& each : plan.moving) stop_compute(of, each, false, plan.stop_limit);
    made = need(server_link(of).api().post(plan.branch.path() + "/reset", request_of(plan)), doing,
                next_after_refusal(plan));
  } catch (const failure& e) {
    lock.reset();  // which a start of a writer needs
    resume(of, ran);
    if (e.what() == doing) throw;
    throw failure(e.code(), doing, std::string(e.what()) + (e.why().empty() ? "" : ": " + e.why()),
                  "strata compute list; then try again");
  }
  try {
    move_computes(of, plan, made, ran);
  } catch (const failure& e) {
    throw failure(e.code(), plan.branch.name + " was reset, but not all of its computes were started",
                  std::string(e.what()) + (e.why().empty() ? "" : ": " + e.why()), "strata compute list");
  }
  return made;
}

}  // namespace strata::control
