#include "cli/context.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>

#include "cli/failure.hpp"
#include "host/postgres_install.hpp"

namespace strata::cli {
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
  return "\"" + text.substr(0, 64) + "\" is no port; ports are 0 to 65535, and 0 asks for a free one";
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
  if (!found && found.error().code != core::errc::not_found)
    throw failure(found.error(), "can't find the server of " + of.directory,
                  "strata down --dir " + of.directory + ", then " + start + ": it writes the file anew");
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
  for (CLI::Option* option : command.get_options())
    if (option->get_name().ends_with("port")) option->type_name("PORT")->check(is_port);
  command.callback([&of, run = std::move(run)] {
    of.chosen = [&of, run] {
      if (!of.pg_bin.empty())
        of.pg_bin = need(host::check_directories(of.pg_bin), "can't use --pg-bin",
                         "name directories with the program postgres, separated by ':'");
      run();
    };
  });
}

}  // namespace strata::cli
