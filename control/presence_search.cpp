#include "control/presence_search.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace strata::control {
namespace {

/// Less WAL than a statement that creates or drops a table writes.
constexpr std::uint64_t near_enough = 1024;

std::uint64_t gap(core::lsn a, core::lsn b) { return std::max(a.value, b.value) - std::min(a.value, b.value); }

/// A position at which a record could begin.
core::lsn between(core::lsn a, core::lsn b) {
  return core::lsn((std::min(a.value, b.value) + gap(a, b) / 2) & ~std::uint64_t{7});
}

}  // namespace

presence_search::presence_search(core::lsn first, core::lsn missing, core::lsn last, unsigned looks_max)
    : first_(first), missing_(missing), last_(last), looks_max_(looks_max) {
  core::check(first <= missing && missing <= last, "a search is within its bounds");
}

std::optional<core::lsn> presence_search::candidate() const {
  if (there_) return gap(*there_, missing_) <= near_enough ? std::nullopt : std::optional(between(*there_, missing_));
  // What is old was there at the begin, what is new is there now; then closer and closer, on both sides in turn.
  const bool has_past = gap(first_, missing_) > near_enough;
  const bool has_future = gap(missing_, last_) > near_enough;
  const unsigned sides = (has_past ? 1u : 0u) + (has_future ? 1u : 0u);
  if (sides == 0) return std::nullopt;
  core::lsn found = has_past && (sides == 1 || looks_ % 2 == 0) ? first_ : last_;
  for (unsigned step = 0; step < looks_ / sides; ++step) found = between(found, missing_);
  return gap(found, missing_) <= near_enough ? std::nullopt : std::optional(found);
}

std::optional<core::lsn> presence_search::next() const { return looks_ == looks_max_ ? std::nullopt : candidate(); }

void presence_search::seen(bool there) {
  const auto at = candidate();
  core::check(at && looks_ < looks_max_, "what was seen was looked for");
  ++looks_;
  if (there)
    there_ = at;
  else if (there_)
    missing_ = *at;
}

}  // namespace strata::control
