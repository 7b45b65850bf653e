#include "cli/context.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "cli/failure.hpp"

namespace strata::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string default_directory() {
  if (auto chosen = variable("STRATA_DIR"); !chosen.empty()) return chosen;
  if (auto data = variable("XDG_DATA_HOME"); !data.empty()) return data + "/strata";
  if (auto home = variable("HOME"); !home.empty()) return home + "/.local/share/strata";
  return "/var/tmp/strata";
}

server_link::server_link(const context& of) {
  const std::string start = "strata up --dir " + of.directory + " --detach";
  auto found = read_server_file(of.directory);
  const auto holder = directory_lock::holder(of.directory);
  if (!holder)
    throw failure(exit_code::unreachable, "unavailable", "no server runs on " + of.directory,
                  "commands talk to the server of a directory; name it with --dir or STRATA_DIR", start);
  if (!found)
    throw failure(exit_code::unreachable, "unavailable", "the server of " + of.directory + " is not ready",
                  "process " + std::to_string(*holder) + " is starting or stopping", "try again in a moment");
  file_ = *std::move(found);
  api_.emplace(file_.http);
}

void finish_command(CLI::App& command, context& of, const std::string& examples, std::function<void()> run) {
  command.add_option("--dir", of.directory,
                     "The server's directory (default: $STRATA_DIR or " + default_directory() + ")");
  command.add_flag("--json", of.json, "Answer in JSON, errors too");
  command.footer("Examples:\n" + examples);
  command.callback([&of, run = std::move(run)] { of.chosen = run; });
}

}  // namespace strata::cli
