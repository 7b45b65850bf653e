#include "cli/log_levels.hpp"

#include <CLI/CLI.hpp>
#include <map>

namespace strata::cli {
namespace {

const std::map<std::string, core::log_level> levels{
    {"trace", core::log_level::trace},     {"debug", core::log_level::debug}, {"info", core::log_level::info},
    {"warning", core::log_level::warning}, {"error", core::log_level::error}, {"off", core::log_level::off}};

}  // namespace

void add_log_level(CLI::App& command, std::string& to) {
  command.add_option("--log-level", to, "trace, debug, info, warning, error or off")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
      // The words stand in the description.
      ->type_name("LEVEL")
      ->capture_default_str();
}

core::log_level log_level_of(const std::string& word) { return levels.at(word); }

}  // namespace strata::cli
