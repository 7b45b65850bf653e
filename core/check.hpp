#pragma once

#include <source_location>
#include <string_view>

namespace strata::core {

/// Logs and ends the process: an invariant of our own code is broken, and its state can't be trusted.
[[noreturn]] void broken_invariant(std::string_view what, std::source_location where = std::source_location::current());

/// Always on. For our own invariants only; data from disk or network is validated and returns an error instead.
inline void check(bool holds, std::string_view what, std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    broken_invariant(what, where);
}

}  // namespace strata::core
