#include "cli/context.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>

#include "control/failure.hpp"
#include "control/postgres_directories.hpp"

namespace strata::cli {

using namespace control;
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A check that is silent in --help.
std::string is_port(const std::string& text) {
  unsigned port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failed == std::errc() && end == text.data() + text.size() && port <= 65535) return "";
  return "\"" + text.substr(0, 64) + "\" is not a port; a port is 0 to 65535, 0 for a free one";
}

}  // namespace

std::string default_directory() {
  if (auto chosen = variable("STRATA_DIR"); !chosen.empty()) return chosen;
  if (auto data = variable("XDG_DATA_HOME"); !data.empty()) return data + "/strata";
  if (auto home = variable("HOME"); !home.empty()) return home + "/.local/share/strata";
  return "/var/tmp/strata";
}

void finish_command(CLI::App& command, context& of, const std::string& examples, std::function<void()> run) {
  command.add_option("--dir", of.directory, "Server directory (default: $STRATA_DIR or " + default_directory() + ")");
  command.add_flag("--json", of.json, "Print JSON, errors included");
  command.footer("Examples:\n" + examples);
  for (CLI::Option* option : command.get_options())
    if (option->get_name().ends_with("port")) option->type_name("PORT")->check(is_port);
  command.callback([&of, run = std::move(run)] {
    of.chosen = [&of, run] {
      if (!of.pg_bin.empty()) of.pg_bin = checked_pg_bin(of.pg_bin, "--pg-bin");
      run();
    };
  });
}

}  // namespace strata::cli
