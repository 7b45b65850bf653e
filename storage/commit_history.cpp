#include "storage/commit_history.hpp"

#include <algorithm>

#include "storage/local_timeline.hpp"

namespace strata::storage {

namespace {
/// Microseconds by which commit times may be out of order.
constexpr pg::timestamp disorder_max = 60'000'000;
}  // namespace

core::result<void> commit_history::visit(core::lsn begin, core::lsn end, const visitor& see) const {
  bool go_on = true;
  for (const part& each : parts_) {
    const core::lsn part_end = std::min(end, each.end);
    core::lsn seen_to = begin;
    const auto show = [&](const commit_time& commit) {
      seen_to = commit.end + 1;
      return go_on = see(commit);
    };
    if (begin < part_end) {
      STRATA_TRY(each.metadata->visit_commit_times(each.tenant, each.timeline, begin, part_end, show));
      const auto from = std::lower_bound(each.in_memory.begin(), each.in_memory.end(), seen_to,
                                         [](const commit_time& commit, core::lsn at) { return commit.end < at; });
      for (auto commit = from; go_on && commit != each.in_memory.end() && commit->end < part_end; ++commit)
        show(*commit);
    }
    if (!go_on) return {};
    begin = std::max(begin, seen_to);
  }
  return {};
}

core::result<std::optional<commit_time>> commit_history::first_from(core::lsn begin) const {
  std::optional<commit_time> found;
  STRATA_TRY(visit(begin, core::lsn::max(), [&](const commit_time& commit) {
    found = commit;
    return false;
  }));
  return found;
}

core::result<std::optional<commit_time>> commit_history::newest(core::lsn at) const {
  if (at == core::lsn::max()) at = at - 1;
  for (std::uint64_t back = 1u << 16;; back *= 8) {
    const core::lsn begin = back >= at.value ? core::lsn() : at - back;
    std::optional<commit_time> found;
    STRATA_TRY(visit(begin, at + 1, [&](const commit_time& commit) {
      found = commit;
      return true;
    }));
    if (found || !begin.valid() || back >= (std::uint64_t{1} << 60)) return found;
  }
}

core::result<commit_history::neighbours> commit_history::around(pg::timestamp time, core::lsn last) const {
  // Find a commit so old that no later one in the answer's neighbourhood can be before it; then look at each.
  core::lsn low;
  core::lsn high = last;
  while (low < high) {
    const core::lsn middle = low + (high - low) / 2;
    STRATA_ASSIGN(const std::optional<commit_time> commit, first_from(middle));
    if (commit && commit->end <= last && commit->time < time - disorder_max) {
      low = commit->end + 1;
    } else {
      high = middle;
    }
  }
  neighbours found;
  if (low.valid()) {
    STRATA_ASSIGN(found.before, newest(low - 1));
  }
  STRATA_TRY(visit(low, last + 1, [&](const commit_time& commit) {
    if (commit.time > time) {
      found.after = commit;
      return false;
    }
    found.before = commit;
    return true;
  }));
  return found;
}

void local_timeline::add_history(commit_history& to, core::lsn below) const {
  if (local_ancestor_) local_ancestor_->add_history(to, std::min(below, record_.ancestor_lsn + 1));
  // Memory first, disk later: what is flushed in between is seen twice rather than never.
  const auto view = current();
  const timeline_record of = record();
  commit_history::part part{
      .metadata = context_.metadata, .tenant = of.tenant, .timeline = of.id, .end = below, .in_memory = {}};
  for (auto layer = view->memory.rbegin(); layer != view->memory.rend(); ++layer) {
    const std::vector<commit_time> times = (*layer)->commit_times();
    part.in_memory.insert(part.in_memory.end(), times.begin(), times.end());
  }
  to.add(std::move(part));
}

commit_history local_timeline::history() const {
  commit_history history;
  add_history(history, core::lsn::max());
  return history;
}

core::result<lsn_at_time> local_timeline::find_lsn(pg::timestamp time) const {
  const core::lsn last = last_record_lsn();
  STRATA_ASSIGN(const auto found, history().around(time, last));
  if (!found.before && !found.after) return lsn_at_time{};
  if (!found.after) return lsn_at_time{lsn_at_time::kind::future, last};
  if (!found.before) return lsn_at_time{lsn_at_time::kind::past, {}};
  // Between a collected LSN and the next commit nothing changed that a time could tell apart.
  core::lsn at = found.before->end;
  if (at < gc_cutoff() && gc_cutoff() < found.after->end) at = gc_cutoff();
  return lsn_at_time{lsn_at_time::kind::present, at};
}

core::result<std::optional<pg::timestamp>> local_timeline::find_time(core::lsn at) const {
  STRATA_ASSIGN(const auto found, history().newest(std::min(at, last_record_lsn())));
  if (!found) return std::optional<pg::timestamp>();
  return std::optional(found->time);
}

}  // namespace strata::storage
