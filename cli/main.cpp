#include <CLI/CLI.hpp>
#include <clocale>
#include <csignal>
#include <cstring>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/failure.hpp"
#include "cli/terminal.hpp"
#include "cli/version.hpp"
#include "compute/libpq_environment.hpp"
#include "config/suggest.hpp"

namespace {

using namespace strata::cli;

std::vector<std::string_view> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string_view> names;
  // The names live as long as the commands.
  for (const CLI::App* each : commands) names.push_back(each->get_name());
  return names;
}

/// The innermost command that the words name.
const CLI::App* command_of(const CLI::App& app, int count, char** words) {
  const CLI::App* found = &app;
  for (int i = 1; i < count; ++i)
    for (const CLI::App* each : found->get_subcommands([](const CLI::App*) { return true; }))
      if (each->get_name() == words[i]) {
        found = each;
        break;
      }
  return found;
}

std::string path_of(const CLI::App* command) {
  std::string path = command->get_name();
  for (const CLI::App* up = command->get_parent(); up != nullptr; up = up->get_parent())
    path = up->get_name() + " " + path;
  return path;
}

failure usage_failure(const CLI::ParseError& e, const CLI::App& app, int count, char** words) {
  const CLI::App* command = command_of(app, count, words);
  std::string why = e.what();
  std::string last;
  for (int i = 1; i < count && last.empty(); ++i)
    if (words[i][0] != '-' && command_of(app, i + 1, words) == command_of(app, i, words)) last = words[i];
  const auto all = command->get_subcommands([](const CLI::App*) { return true; });
  if (!all.empty() && !last.empty())
    why = "there is no command \"" + path_of(command) + " " + last + "\"" +
          strata::config::did_you_mean(last, names_of(all));
  return {exit_code::usage, "invalid_argument", "can't understand the command line", why, path_of(command) + " --help"};
}

int report(const failure& e, bool json) {
  std::fputs((json ? e.json() : e.text(talk_has_color())).c_str(), stderr);
  return static_cast<int>(e.code());
}

int run(int count, char** words) {
  context of;
  of.directory = default_directory();
  CLI::App app("Branches and time travel for an unmodified Postgres.", "strata");
  app.set_version_flag("--version", version);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n  strata up --detach\n"
      "  strata source add shop --conninfo postgresql://postgres@127.0.0.1:5432/postgres\n"
      "  strata branch create dev --from main@10m\n  strata psql dev\n\n"
      "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 conflict, 6 unreachable");
  add_server_commands(app, of);
  add_status_commands(app, of);
  add_source_commands(app, of);
  add_branch_commands(app, of);
  add_export_command(app, of);
  add_compute_commands(app, of);
  add_agent_command(app, of);
  add_discard_command(app, of);
  add_connect_commands(app, of);
  add_wal_commands(app, of);
  add_safekeeper_commands(app, of);
  try {
    app.parse(count, words);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    bool json = of.json;
    for (int i = 1; i < count; ++i) json = json || std::strcmp(words[i], "--json") == 0;
    return report(usage_failure(e, app, count, words), json);
  }
  try {
    of.chosen();
  } catch (const failure& e) {
    return report(e, of.json);
  } catch (const std::exception& e) {
    return report({exit_code::failure, "io_error", "unexpected trouble", e.what(), ""}, of.json);
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::setlocale(LC_ALL, "");
  // A reader that goes away is told by the write, not by death.
  std::signal(SIGPIPE, SIG_IGN);
  // A command reaches what it names, whatever the shell's PGHOST says.
  strata::compute::forget_libpq_target();
  return run(count, words);
}
