#pragma once

#include <functional>
#include <string>

#include "control/scope.hpp"

namespace CLI {
class App;
}

namespace strata::cli {

/// What every command has: the options common to all, and the one function that the command line chose.
struct context : control::scope {
  bool json = false;
  bool wide = false;
  std::function<void()> chosen;
};

/// STRATA_DIR, or strata/ in the user's data directory.
std::string default_directory();

/// Adds --dir, --json and what all commands share, the examples, and the function to run.
void finish_command(CLI::App& command, context& of, const std::string& examples, std::function<void()> run);

}  // namespace strata::cli
