#include "actors/pageserver/quorum/quorum_head.hpp"

#include <algorithm>
#include <utility>

namespace strata::actors::pageserver {

void quorum_head::find(std::chrono::milliseconds patience, const reply& owed) {
  if (stopped_) return owed.fail({core::errc::unavailable, "find the head: the timeline is stopping"});
  if (waiting_.size() >= waiting_max)
    return owed.fail({core::errc::busy, "find the head: too many requests are waiting"});
  const auto now = around_.now();
  waiting_.push_back({.after = rounds_,
                      .answer_limit = now + std::max(patience, round_limit),
                      .deadline = now + patience,
                      .owed = owed});
  around_.ask();
}

void quorum_head::round_ended(const core::result<core::lsn>& head) {
  const bool asked = head || head.error().code != core::errc::busy;
  round_error_ = head ? "" : head.error().detail;
  bool came_meanwhile = false;
  for (request& each : waiting_) {
    came_meanwhile |= each.after >= rounds_;
    if (!asked || each.after >= rounds_) continue;
    each.told = true;
    if (head) each.needed = each.needed ? std::min(*each.needed, *head) : *head;
  }
  settle();
  // Requests that came during the round get the next one now, the others with the next tick.
  if (came_meanwhile) around_.ask();
}

void quorum_head::handed_over(core::lsn position) {
  const bool enough = std::any_of(waiting_.begin(), waiting_.end(),
                                  [&](const request& each) { return each.needed && *each.needed <= position; });
  if (enough) settle();
}

void quorum_head::tick() {
  settle();
  if (awaited()) around_.ask();
}

void quorum_head::stop() {
  stopped_ = true;
  for (const request& each : std::exchange(waiting_, {}))
    each.owed.fail({core::errc::unavailable, "find the head: the timeline is stopping"});
}

bool quorum_head::overdue(const request& of) const {
  const auto now = around_.now();
  return of.told ? of.deadline <= now : of.answer_limit <= now;
}

/// Answers the requests it can, and refuses those whose deadline has passed.
void quorum_head::settle() {
  const core::lsn position = around_.handed_over();
  std::vector<request> over;
  std::erase_if(waiting_, [&](const request& each) {
    const bool is_over = (each.needed && *each.needed <= position) || overdue(each);
    if (is_over) over.push_back(each);
    return is_over;
  });
  for (const request& each : over)
    if (each.needed && *each.needed <= position)
      around_.keep(each.owed);
    else
      each.owed.fail({core::errc::unavailable, why_not(each)});
}

std::string quorum_head::why_not(const request& of) const {
  if (!of.needed)
    return "the head is not known: " +
           (round_error_.empty() ? std::string("the safekeepers have not answered yet") : round_error_);
  const core::lsn position = around_.handed_over();
  std::string text = "WAL up to " + core::to_string(*of.needed) + " may have been acknowledged by the safekeepers, " +
                     core::to_string(position) + " has arrived; " + around_.state();
  // No safekeeper sends it before it is known to be committed, and only a compute determines that.
  if (const core::lsn committed = around_.committed(); committed.valid() && committed <= position)
    text += "; no safekeeper reports a higher commit position; starting a compute on the branch resolves it";
  return text;
}

}  // namespace strata::actors::pageserver
