#include "actors/pageserver/quorum/pending_operations.hpp"

#include <algorithm>

namespace strata::actors::pageserver {
namespace {

using kind = messages::pending_operation::kind;

std::string text_of(const operation& of) {
  return (of.what == kind::create ? "create timeline " : "delete the WAL of timeline ") + core::to_string(of.timeline) +
         " on safekeeper " + to_string(of.on);
}

/// The safekeeper was unreachable or unable: the error is not specific to this operation.
bool is_unreached(const core::error& why) {
  return core::advice_for(why.code) == core::advice::retry_later || why.code == core::errc::outcome_unknown;
}

}  // namespace

std::vector<operation> operations_of(const storage::pending_wal_operations& durable) {
  std::vector<operation> all;
  for (const auto& each : durable.to_delete)
    for (const auto on : each.from) all.push_back({on, each.tenant, each.timeline, kind::remove});
  std::sort(all.begin(), all.end());
  std::vector<operation> to_create;
  for (const auto& record : durable.to_create)
    for (const auto& each : storage::keepers_to_create(record))
      if (!std::binary_search(all.begin(), all.end(), operation{each.id, record.tenant, record.id, kind::remove}))
        to_create.push_back({each.id, record.tenant, record.id, kind::create});
  all.insert(all.end(), to_create.begin(), to_create.end());
  std::sort(all.begin(), all.end());
  return all;
}

void pending_operations::replace(const std::vector<operation>& all, time now) {
  for (auto& [of, entry] : entries_) entry.obsolete = true;
  for (const operation& each : all) {
    const auto [at, is_new] = entries_.try_emplace(each, limits_);
    at->second.obsolete = false;
    if (is_new) at->second.since = at->second.due = now;
  }
  std::erase_if(entries_, [](const auto& each) { return each.second.obsolete && !each.second.under_way; });
}

std::vector<operation> pending_operations::begin(time now) {
  // The longest waiting first, so that no safekeeper's operations delay another's.
  std::vector<std::pair<time, operation>> due;
  for (const auto& [of, entry] : entries_)
    if (!entry.under_way && !entry.obsolete && entry.due <= now) due.emplace_back(entry.due, of);
  std::sort(due.begin(), due.end());
  std::vector<operation> started;
  for (const auto& [since, of] : due) {
    if (under_way_ >= limits_.at_once_max) break;
    keeper& on = keepers_[of.on];
    if (on.busy || on.due > now) continue;
    on.busy = entries_.at(of).under_way = true;
    ++under_way_;
    started.push_back(of);
  }
  return started;
}

std::optional<std::string> pending_operations::ended(const operation& of, const core::result<void>& how, time now) {
  const auto found = entries_.find(of);
  keeper& on = keepers_[of.on];
  on.busy = false;
  --under_way_;
  entry& at = found->second;
  at.under_way = false;
  if (how) {
    std::optional<std::string> told;
    if (!at.last_error.empty() || !on.last_error.empty()) told = text_of(of);
    on.last_error.clear();
    entries_.erase(found);
    return told;
  }
  const core::error& why = how.error();
  const bool unreached = is_unreached(why);
  std::string& known = unreached ? on.last_error : at.last_error;
  const bool changed = known != why.detail;
  known = why.detail;
  at.last_error = why.detail;
  if (unreached) {
    on.due = at.due = now + limits_.unreached_pause;
    // However often the safekeeper is unreachable, it is one failure of the operation.
    if (at.pauses.failures() == 0) at.pauses.next();
  } else {
    on.last_error.clear();
    at.due = now + at.pauses.next();
  }
  if (at.obsolete) entries_.erase(found);
  if (!changed) return std::nullopt;
  return text_of(of);
}

bool pending_operations::tried(const core::tenant_id& tenant, const core::timeline_id& timeline) const {
  return std::ranges::none_of(entries_, [&](const auto& each) {
    const auto& [of, entry] = each;
    if (of.tenant != tenant || of.timeline != timeline || of.what != kind::create || entry.pauses.failures() > 0)
      return false;
    const auto on = keepers_.find(of.on);
    return on == keepers_.end() || on->second.last_error.empty();
  });
}

messages::pending_operation_list pending_operations::list(time now) const {
  messages::pending_operation_list all;
  for (const auto& [of, entry] : entries_) {
    if (entry.obsolete) continue;
    const auto on = keepers_.find(of.on);
    const bool waits = entry.last_error.empty() && on != keepers_.end();
    all.operations.push_back({of.what, of.on, of.tenant, of.timeline,
                              std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.since),
                              waits ? on->second.last_error : entry.last_error});
  }
  return all;
}

}  // namespace strata::actors::pageserver
