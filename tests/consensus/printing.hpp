#pragma once

#include <ostream>

#include "consensus/term.hpp"

// How Boost.Test shows our values.
namespace strata::core {
inline std::ostream& boost_test_print_type(std::ostream& to, lsn position) { return to << position.value; }
}  // namespace strata::core

namespace strata::consensus {
inline std::ostream& boost_test_print_type(std::ostream& to, term of) { return to << "term " << of.value; }
inline std::ostream& boost_test_print_type(std::ostream& to, node_id of) { return to << "node " << of.value; }
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
