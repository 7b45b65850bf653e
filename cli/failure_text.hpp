#pragma once

#include <string>

#include "control/failure.hpp"

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
exit_code exit_code_for(core::errc code);

/// As failure::text(), on a terminal with colours.
std::string text_of(const control::failure& of, bool color);
/// {"error": {"code", "message", "why", "next", "exit_code"}}
std::string failure_json(const control::failure& of);

}  // namespace strata::cli
