#include "placement/branch_creation.hpp"

#include <algorithm>
#include <utility>

#include "config/branch_spec.hpp"
#include "core/check.hpp"

namespace strata::placement {
namespace {

bool is_same(const branch_request& request, const known_branch& existing) {
  return existing.in == known_branch::phase::present && request.id == existing.id && request.name == existing.name &&
         request.ancestor == existing.ancestor && (!request.at || *request.at == existing.ancestor_lsn);
}

}  // namespace

core::result<creation_check> check_creation(const branch_request& request, std::span<const known_branch> branches) {
  STRATA_TRY(config::check_name("branch", request.name));
  auto taken = std::ranges::find(branches, request.name, &known_branch::name);
  const bool by_name = taken != branches.end();
  if (!by_name && request.id) taken = std::ranges::find(branches, *request.id, &known_branch::id);
  const auto ancestor = std::ranges::find(branches, request.ancestor, &known_branch::id);
  if (taken == branches.end() && ancestor != branches.end() && ancestor->in == known_branch::phase::replacing)
    return core::error{core::errc::busy, "branch " + std::string(ancestor->name) + " is being reset"};
  if (taken == branches.end()) return creation_check::create;
  if (is_same(request, *taken)) return creation_check::repeated;
  if (!by_name)
    return core::error{core::errc::conflict, "the timeline id belongs to branch " + std::string(taken->name)};
  if (taken->in == known_branch::phase::creating)
    return core::error{request.id ? core::errc::busy : core::errc::conflict,
                       "branch " + request.name + " is being created"};
  return core::error{core::errc::conflict, "branch " + request.name + " already exists"};
}

storage::timeline_record branch_record(const storage::timeline_record& ancestor, const new_branch& branch) {
  // A field that is added to the record does not compile here before it is decided what a branch has in it.
  const auto& [tenant, id, name, state, its_ancestor, ancestor_lsn, major, system_id, wal_segment_size, data_checksums,
               wal_log_hints, disk_consistent_lsn, previous_record_lsn, readable_from, gc_cutoff, created, source,
               safekeepers, quorum_start, wal_keepers, custom_managers, deletion_protected, expires, logical_wal] =
      ancestor;
  std::vector<storage::custom_manager> seen = custom_managers;
  std::erase_if(seen, [&](const storage::custom_manager& each) { return each.since > branch.at; });
  return {.tenant = tenant,
          .id = branch.id,
          .name = branch.name,
          .state = storage::timeline_state::active,
          .ancestor = id,
          .ancestor_lsn = branch.at,
          .major = major,
          .system_id = system_id,
          .wal_segment_size = wal_segment_size,
          .data_checksums = data_checksums,
          .wal_log_hints = wal_log_hints,
          .disk_consistent_lsn = branch.at,
          .previous_record_lsn = branch.previous_record,
          .readable_from = branch.at,
          .gc_cutoff = {},
          .created = branch.created,
          .source = std::nullopt,
          .safekeepers = std::nullopt,
          .quorum_start = {},
          .wal_keepers = {},
          .custom_managers = std::move(seen),
          .deletion_protected = branch.deletion_protected,
          .expires = branch.expires,
          .logical_wal = branch.logical_wal.value_or(logical_wal)};
}

void branch_creation::point_found(core::lsn at) {
  core::check(step_ == step::find_point, "a branch point is found once");
  at_ = at;
  enter(step::register_point);
}

void branch_creation::point_registered(core::lsn ancestor_durable) {
  core::check(step_ == step::register_point, "a branch point is registered once it was found");
  registered_ = true;
  ancestor_durable_ = ancestor_durable;
  enter(ancestor_durable_ >= at_ ? step::store_record : step::flush_ancestor);
}

void branch_creation::ancestor_flushed(core::lsn ancestor_durable) {
  core::check(step_ == step::flush_ancestor, "the ancestor is flushed for a registered point");
  ancestor_durable_ = ancestor_durable;
  if (ancestor_durable_ < at_)
    return fail({core::errc::unavailable, "the ancestor is durable up to " + core::to_string(ancestor_durable_) +
                                              ", before the branch point " + core::to_string(at_)});
  enter(step::store_record);
}

void branch_creation::record_stored() {
  core::check(step_ == step::store_record, "a branch is stored once");
  stored_ = true;
  enter(step::open_timeline);
}

void branch_creation::timeline_opened() {
  core::check(step_ == step::open_timeline, "a branch is opened once it was stored");
  enter(step::created);
}

void branch_creation::fail(core::error why) {
  core::check(step_ != step::created && step_ != step::failed, "a creation ends once");
  error_ = std::move(why);
  enter(step::failed);
}

void branch_creation::enter(step to) {
  step_ = to;
  const std::string wrong = broken_invariant();
  core::check(wrong.empty(), wrong);
}

std::string branch_creation::broken_invariant() const {
  // Invariant: from before the first durable step on no collection takes the branch point away (ARCHITECTURE.md,
  // promise 3).
  if ((stored_ || step_ == step::store_record) && !registered_) return "a stored branch's point is registered";
  // Invariant: a branch does not outlive its history. Its record promises reads of the ancestor at the branch point,
  // which the ancestor has after a crash only as far as it is durable.
  if ((stored_ || step_ == step::store_record) && ancestor_durable_ < at_)
    return "the ancestor of a stored branch is durable up to the branch point";
  // Invariant: created is durable, as the reply promises.
  if (step_ == step::created && !stored_) return "a created branch is stored";
  return {};
}

}  // namespace strata::placement
