#include "storage/timeline/commit_history.hpp"

#include <algorithm>

#include "storage/layers/memory_layer.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage {

void clock_steps::see(const commit_time& commit) {
  if (commit.end <= seen_to_) return;
  seen_to_ = commit.end;
  if (newest_ && commit.time < *newest_ - commit_disorder_max) {
    steps_.push_back(commit.end);
    newest_ = commit.time;
  } else {
    newest_ = std::max(newest_.value_or(commit.time), commit.time);
  }
}

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

std::vector<core::lsn> commit_history::stretches() const {
  std::vector<core::lsn> begins{core::lsn()};
  for (const part& each : parts_) {
    for (const core::lsn step : each.steps)
      if (step < each.end && step > begins.back()) begins.push_back(step);
    if (each.end != core::lsn::max() && each.end > begins.back()) begins.push_back(each.end);
  }
  return begins;
}

core::result<std::optional<commit_time>> commit_history::first_later(pg::timestamp time, core::lsn begin,
                                                                     core::lsn end) const {
  // Find a commit so old that no commit up to it can be after `time`; then check each later one.
  core::lsn low = begin;
  core::lsn high = end;
  while (low < high) {
    const core::lsn middle = low + (high - low) / 2;
    STRATA_ASSIGN(const std::optional<commit_time> commit, first_from(middle));
    if (commit && commit->end <= end && commit->time < time - commit_disorder_max) {
      low = commit->end + 1;
    } else {
      high = middle;
    }
  }
  std::optional<commit_time> found;
  STRATA_TRY(visit(low, end + 1, [&](const commit_time& commit) {
    if (commit.time > time) found = commit;
    return !found;
  }));
  return found;
}

core::result<commit_history::neighbours> commit_history::around(pg::timestamp time, core::lsn last) const {
  neighbours found;
  const std::vector<core::lsn> begins = stretches();
  for (std::size_t i = 0; !found.after && i < begins.size() && begins[i] <= last; ++i) {
    const core::lsn end = i + 1 < begins.size() ? std::min(last, begins[i + 1] - 1) : last;
    STRATA_ASSIGN(found.after, first_later(time, begins[i], end));
  }
  STRATA_ASSIGN(found.before, newest(found.after ? found.after->end - 1 : last));
  return found;
}

commit_history::part timeline_store::own_history(core::lsn below) const {
  // Memory first, disk later: commits flushed in between are seen twice rather than never.
  const auto view = current();
  const timeline_record of = record();
  commit_history::part part{.metadata = context_.metadata,
                            .tenant = of.tenant,
                            .timeline = of.id,
                            .end = below,
                            .in_memory = {},
                            .steps = {}};
  for (auto layer = view->memory.rbegin(); layer != view->memory.rend(); ++layer) {
    const std::vector<commit_time> times = (*layer)->commit_times();
    part.in_memory.insert(part.in_memory.end(), times.begin(), times.end());
  }
  return part;
}

void timeline_store::add_history(commit_history& to, core::lsn below) const {
  if (ancestor_) ancestor_->add_history(to, std::min(below, record_.ancestor_lsn + 1));
  to.add(own_history(below));
}

commit_history timeline_store::history() const {
  commit_history history;
  add_history(history, core::lsn::max());
  return history;
}

core::result<void> timeline_store::add_history_in_stretches(commit_history& to, core::lsn below) const {
  if (ancestor_) STRATA_TRY(ancestor_->add_history_in_stretches(to, std::min(below, record_.ancestor_lsn + 1)));
  commit_history::part part = own_history(below);
  {
    // Each commit is read once per process, by the first query after it.
    const std::lock_guard guard(clock_steps_mutex_);
    commit_history own;
    own.add(part);
    STRATA_TRY(own.visit(clock_steps_.seen_to() + 1, below, [&](const commit_time& commit) {
      clock_steps_.see(commit);
      return true;
    }));
    part.steps = clock_steps_.steps();
  }
  to.add(std::move(part));
  return {};
}

core::result<lsn_at_time> timeline_store::find_lsn(pg::timestamp time) const {
  const core::lsn last = last_record_lsn();
  commit_history history;
  STRATA_TRY(add_history_in_stretches(history, core::lsn::max()));
  STRATA_ASSIGN(const auto found, history.around(time, last));
  if (!found.before && !found.after) return lsn_at_time{};
  if (!found.after) return lsn_at_time{lsn_at_time::kind::future, last};
  if (!found.before) return lsn_at_time{lsn_at_time::kind::past, {}};
  // Between a collected LSN and the next commit nothing changed that a time could distinguish.
  core::lsn at = found.before->end;
  if (at < gc_cutoff() && gc_cutoff() < found.after->end) at = gc_cutoff();
  return lsn_at_time{lsn_at_time::kind::present, at};
}

core::result<std::optional<pg::timestamp>> timeline_store::find_time(core::lsn at) const {
  STRATA_ASSIGN(const auto found, history().newest(std::min(at, last_record_lsn())));
  if (!found) return std::optional<pg::timestamp>();
  return std::optional(found->time);
}

}  // namespace strata::storage
