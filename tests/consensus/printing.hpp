#pragma once

#include <ostream>

#include "consensus/term.hpp"
#include "tests/support/printing.hpp"

namespace strata::consensus {
/// How Boost.Test shows a history; the others are shown by tests/support/printing.hpp.
inline std::ostream& boost_test_print_type(std::ostream& to, const term_history& of) {
  for (const term_start& entry : of.entries()) to << '(' << entry.in.value << " from " << entry.at.value << ')';
  return to;
}

// Short ways to write them.
inline core::lsn at(std::uint64_t position) { return core::lsn(position); }
inline term_history history(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> entries) {
  std::vector<term_start> made;
  for (const auto& [in, from] : entries) made.push_back({{in}, core::lsn(from)});
  return term_history(std::move(made));
}
}  // namespace strata::consensus
