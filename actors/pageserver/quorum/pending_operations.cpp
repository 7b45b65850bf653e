#include "actors/pageserver/quorum/pending_operations.hpp"

#include <algorithm>

namespace strata::actors::pageserver {
namespace {

using kind = messages::safekeeper_errand::kind;

std::string text_of(const errand& of) {
  return (of.what == kind::make ? "make timeline " : "delete the WAL of timeline ") + core::to_string(of.timeline) +
         " on safekeeper " + to_string(of.on);
}

/// It was not there, or not able: nothing is known about this errand in particular.
bool is_unreached(const core::error& why) {
  return core::advice_for(why.code) == core::advice::retry_later || why.code == core::errc::outcome_unknown;
}

}  // namespace

std::vector<errand> errands_of(const storage::wal_errands& durable) {
  std::vector<errand> all;
  for (const auto& each : durable.to_delete)
    for (const auto on : each.from) all.push_back({on, each.tenant, each.timeline, kind::remove});
  std::sort(all.begin(), all.end());
  std::vector<errand> to_make;
  for (const auto& record : durable.to_begin)
    for (const auto& each : storage::keepers_to_begin(record))
      if (!std::binary_search(all.begin(), all.end(), errand{each.id, record.tenant, record.id, kind::remove}))
        to_make.push_back({each.id, record.tenant, record.id, kind::make});
  all.insert(all.end(), to_make.begin(), to_make.end());
  std::sort(all.begin(), all.end());
  return all;
}

void errand_book::take_over(const std::vector<errand>& all, time now) {
  for (auto& [of, entry] : entries_) entry.obsolete = true;
  for (const errand& each : all) {
    const auto [at, is_new] = entries_.try_emplace(each, limits_);
    at->second.obsolete = false;
    if (is_new) at->second.since = at->second.due = now;
  }
  std::erase_if(entries_, [](const auto& each) { return each.second.obsolete && !each.second.under_way; });
}

std::vector<errand> errand_book::begin(time now) {
  // Those that wait for longest first, so that no safekeeper's errands keep another's from being done.
  std::vector<std::pair<time, errand>> due;
  for (const auto& [of, entry] : entries_)
    if (!entry.under_way && !entry.obsolete && entry.due <= now) due.emplace_back(entry.due, of);
  std::sort(due.begin(), due.end());
  std::vector<errand> begun;
  for (const auto& [since, of] : due) {
    if (under_way_ >= limits_.at_once_max) break;
    keeper& on = keepers_[of.on];
    if (on.busy || on.due > now) continue;
    on.busy = entries_.at(of).under_way = true;
    ++under_way_;
    begun.push_back(of);
  }
  return begun;
}

std::optional<std::string> errand_book::ended(const errand& of, const core::result<void>& how, time now) {
  const auto found = entries_.find(of);
  keeper& on = keepers_[of.on];
  on.busy = false;
  --under_way_;
  entry& at = found->second;
  at.under_way = false;
  if (how) {
    std::optional<std::string> told;
    if (!at.trouble.empty() || !on.trouble.empty()) told = text_of(of);
    on.trouble.clear();
    entries_.erase(found);
    return told;
  }
  const core::error& why = how.error();
  const bool unreached = is_unreached(why);
  std::string& known = unreached ? on.trouble : at.trouble;
  const bool changed = known != why.detail;
  known = why.detail;
  at.trouble = why.detail;
  if (unreached) {
    on.due = at.due = now + limits_.unreached_pause;
    // However often the safekeeper can't be reached, it is one failure of the errand.
    if (at.pauses.failures() == 0) at.pauses.next();
  } else {
    on.trouble.clear();
    at.due = now + at.pauses.next();
  }
  if (at.obsolete) entries_.erase(found);
  if (!changed) return std::nullopt;
  return text_of(of);
}

bool errand_book::tried(const core::tenant_id& tenant, const core::timeline_id& timeline) const {
  return std::ranges::none_of(entries_, [&](const auto& each) {
    const auto& [of, entry] = each;
    if (of.tenant != tenant || of.timeline != timeline || of.what != kind::make || entry.pauses.failures() > 0)
      return false;
    const auto on = keepers_.find(of.on);
    return on == keepers_.end() || on->second.trouble.empty();
  });
}

messages::safekeeper_errand_list errand_book::list(time now) const {
  messages::safekeeper_errand_list all;
  for (const auto& [of, entry] : entries_) {
    if (entry.obsolete) continue;
    const auto on = keepers_.find(of.on);
    const bool waits = entry.trouble.empty() && on != keepers_.end();
    all.errands.push_back({of.what, of.on, of.tenant, of.timeline,
                           std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.since),
                           waits ? on->second.trouble : entry.trouble});
  }
  return all;
}

}  // namespace strata::actors::pageserver
