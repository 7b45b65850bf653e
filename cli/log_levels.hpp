#pragma once

#include <string>

#include "core/log.hpp"

namespace CLI {
class App;
}

namespace strata::cli {

/// Adds --log-level, which takes the levels as words.
void add_log_level(CLI::App& command, std::string& to);
core::log_level log_level_of(const std::string& word);

}  // namespace strata::cli
