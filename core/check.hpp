#pragma once

#include <source_location>
#include <string_view>

namespace strata::core {

/// Ends the process, after logging: an invariant of our own code is broken and nothing it says can be trusted any more.
[[noreturn]] void broken_invariant(std::string_view what, std::source_location where = std::source_location::current());

/// Always on. For our own invariants only; data from disk or network is validated and returns an error instead.
inline void check(bool holds, std::string_view what, std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    broken_invariant(what, where);
}

}  // namespace strata::core
