#pragma once

#include "core/error.hpp"

namespace strata::cli {

/// What the command line promises to scripts (README.md has the same table).
enum class exit_code : int {
  ok = 0,
  failure = 1,
  usage = 2,        ///< the command line itself, or an argument's form
  not_found = 3,    ///< no such source, branch, compute or program
  conflict = 4,     ///< the name, the port or the directory is taken, or the object is in use
  unreachable = 6,  ///< the server or the source does not answer
};

constexpr exit_code exit_code_for(core::errc code) {
  switch (code) {
    case core::errc::invalid_argument: return exit_code::usage;
    case core::errc::not_found: return exit_code::not_found;
    case core::errc::conflict: return exit_code::conflict;
    case core::errc::unavailable:
    case core::errc::timeout:
    case core::errc::outcome_unknown: return exit_code::unreachable;
    default: return exit_code::failure;
  }
}

}  // namespace strata::cli
