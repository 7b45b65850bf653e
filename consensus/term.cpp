#include "consensus/term.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace strata::consensus {

std::string to_string(term of) { return std::to_string(of.value); }
std::string to_string(node_id of) { return std::to_string(of.value); }

term_history::term_history(std::vector<term_start> entries) : entries_(std::move(entries)) {
  core::check(well_formed(entries_), "a term history ascends");
}

bool term_history::well_formed(std::span<const term_start> entries) {
  term_start previous;
  for (const term_start& entry : entries) {
    if (entry.in <= previous.in || entry.at < previous.at || !entry.at.valid()) return false;
    previous = entry;
  }
  return true;
}

term term_history::last_term_at(core::lsn end) const {
  const auto behind = std::ranges::upper_bound(entries_, end, {}, &term_start::at);
  return behind == entries_.begin() ? term() : std::prev(behind)->in;
}

term_history term_history::up_to(core::lsn end) const {
  const auto behind = std::ranges::upper_bound(entries_, end, {}, &term_start::at);
  return term_history(std::vector<term_start>(entries_.begin(), behind));
}

term_history term_history::with(term_start next) const {
  std::vector<term_start> entries = entries_;
  entries.push_back(next);
  return term_history(std::move(entries));
}

core::lsn common_point(const term_history& own, core::lsn end, const term_history& proposer) {
  const term_history reached = own.up_to(end);
  const auto [ours, theirs] = std::ranges::mismatch(reached.entries(), proposer.entries());
  if (ours == reached.entries().begin()) return {};
  // The last term in common wrote in both logs until either was taken over by another one.
  const core::lsn ours_until = ours == reached.entries().end() ? end : ours->at;
  return theirs == proposer.entries().end() ? ours_until : std::min(ours_until, theirs->at);
}

}  // namespace strata::consensus
