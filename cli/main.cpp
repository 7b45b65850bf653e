#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <clocale>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/failure_text.hpp"
#include "cli/terminal.hpp"
#include "cli/terminal_reporter.hpp"
#include "cli/version.hpp"
#include "config/suggest.hpp"
#include "control/failure.hpp"
#include "control/process_start.hpp"

namespace {

using namespace strata::cli;
using strata::control::failure;
namespace core = strata::core;

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

/// Whether the option has a word of its own behind it for a value.
bool takes_next_word(const CLI::Option* option, const std::string& word) {
  return option != nullptr && option->get_items_expected_max() > 0 && option->get_type_size_max() > 0 &&
         word.find('=') == std::string::npos;
}

/// "--bogus", which the command does not have; empty when all that look like options are ones.
std::string stray_option(const CLI::App& app, int count, char** words) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--") break;
    if (word.size() < 2 || word[0] != '-' || std::isdigit(static_cast<unsigned char>(word[1])) != 0) continue;
    const CLI::App* command = command_of(app, i, words);
    const std::string name = word.starts_with("--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
    const CLI::Option* option = command->get_option_no_throw(name);
    if (option == nullptr) return name;
    if (takes_next_word(option, word)) ++i;
  }
  return "";
}

std::vector<std::string> options_of(const CLI::App* command) {
  std::vector<std::string> names;
  for (const CLI::Option* each : command->get_options())
    for (const auto& name : each->get_lnames()) names.push_back("--" + name);
  return names;
}

/// The first word that is neither a command nor an option nor the value of one.
std::string stray_word(const CLI::App& app, int count, char** words) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const CLI::App* command = command_of(app, i, words);
    if (word.starts_with('-')) {
      if (takes_next_word(command->get_option_no_throw(word), word)) ++i;
      continue;
    }
    if (command_of(app, i + 1, words) == command) return word;
  }
  return "";
}

std::vector<const CLI::App*> commands_of(const CLI::App* command) {
  return command->get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
}

std::string no_command(const CLI::App* above, const std::string& word) {
  return "there is no command \"" + path_of(above) + " " + word + "\"" +
         strata::config::did_you_mean(word, names_of(commands_of(above)));
}

/// The parser's message in our words.
std::string words_of(const CLI::ParseError& e) {
  const std::string text = e.what();
  const std::string rest = text.substr(text.find(": ") == text.npos ? 0 : text.find(": ") + 2);
  if (e.get_name() == "ExtrasError") return "unexpected argument: " + rest;
  if (e.get_name() == "ConversionError") return "invalid value: " + rest;
  if (text.ends_with(" missing")) return text.substr(0, text.find(':')) + " requires a value";
  return text == "A subcommand is required" ? "a command is required" : text;
}

failure usage_failure(const CLI::ParseError& e, const CLI::App& app, int count, char** words) {
  const CLI::App* command = command_of(app, count, words);
  std::string why = words_of(e);
  const std::string option = stray_option(app, count, words);
  const std::string word = stray_word(app, count, words);
  if (!option.empty()) {
    const auto known = options_of(command);
    why = "there is no option " + option + " of " + path_of(command) +
          strata::config::did_you_mean(option, std::vector<std::string_view>(known.begin(), known.end()));
  } else if (!commands_of(command).empty() && !word.empty()) {
    why = no_command(command, word);
  }
  return {core::errc::invalid_argument, "invalid command line", why, path_of(command) + " --help"};
}

/// A group shows the first example of each of its commands: what it inherits are the program's.
void give_groups_examples(CLI::App& app) {
  for (CLI::App* group : app.get_subcommands([](const CLI::App*) { return true; })) {
    const auto commands = commands_of(group);
    if (commands.empty()) continue;
    std::string examples = "Examples:";
    for (const CLI::App* each : commands) {
      const std::string all = each->get_footer();
      const auto begin = all.find('\n');
      if (begin != std::string::npos) examples += all.substr(begin, all.find('\n', begin + 1) - begin);
    }
    group->footer(examples);
  }
}

/// strata help [COMMAND...]
void show_help(const CLI::App& app, const std::vector<std::string>& of) {
  const CLI::App* command = &app;
  for (const auto& word : of) {
    const CLI::App* below = nullptr;
    for (const CLI::App* each : commands_of(command))
      if (each->get_name() == word) below = each;
    if (below == nullptr)
      throw failure(core::errc::invalid_argument, "no help for this command", no_command(command, word),
                    path_of(command) + " --help");
    command = below;
  }
  // Its own help() would be that of the command that is running: this one.
  std::string text = command->get_formatter()->make_help(command, path_of(command), CLI::AppFormatMode::Normal);
  while (text.ends_with('\n')) text.pop_back();
  print(text);
}

void add_help_commands(CLI::App& app, context& of) {
  auto* help = app.add_subcommand("help", "Show the help of a command, like COMMAND --help");
  auto words = std::make_shared<std::vector<std::string>>();
  help->add_option("COMMAND", *words, "Command, e.g. branch create (default: all)");
  finish_command(*help, of, "  strata help\n  strata help branch create", [&app, words] { show_help(app, *words); });
  auto* told = app.add_subcommand("version", "Print the version");
  finish_command(*told, of, "  strata version\n  strata version --json", [&of] {
    if (of.json) return print(nlohmann::json{{"version", version}});
    print(std::string(version));
  });
}

int report(const failure& e, bool json) {
  std::fputs((json ? failure_json(e) : text_of(e, talk_has_color())).c_str(), stderr);
  return static_cast<int>(exit_code_for(e.code()));
}

/// Also behind what could not be parsed.
bool wants_json(int count, char** words) {
  return std::any_of(words + 1, words + count, [](const char* word) { return std::strcmp(word, "--json") == 0; });
}

int run(int count, char** words) {
  context of;
  terminal_reporter report_to(of);
  of.report = &report_to;
  of.directory = default_directory();
  CLI::App app("Branches and time travel for an unmodified Postgres.", "strata");
  app.set_version_flag("--version", version);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n  strata demo\n  strata up --detach\n"
      "  strata source add shop --conninfo postgresql://postgres@127.0.0.1:5432/postgres\n"
      "  strata branch create dev --from main\n  strata psql dev\n\n"
      "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 conflict, 6 unreachable");
  add_server_commands(app, of);
  add_status_commands(app, of);
  add_database_commands(app, of);
  add_source_commands(app, of);
  add_branch_commands(app, of);
  add_export_command(app, of);
  add_compute_commands(app, of);
  add_agent_command(app, of);
  add_filler_command(app, of);
  add_discard_command(app, of);
  add_connect_commands(app, of);
  add_demo_command(app, of);
  add_recover_commands(app, of);
  add_metadata_commands(app, of);
  add_wal_commands(app, of);
  add_safekeeper_commands(app, of);
  add_help_commands(app, of);
  give_groups_examples(app);
  try {
    app.parse(count, words);
  } catch (const CLI::Success& e) {
    // --help wins over words that mean nothing, but does not hide them.
    if (const std::string word = stray_word(app, count, words);
        !word.empty() && !commands_of(command_of(app, count, words)).empty())
      return report(usage_failure(CLI::ExtrasError({word}), app, count, words), of.json);
    std::ostringstream text;
    app.exit(e, text, text);
    std::fputs(text.str().c_str(), stdout);
    try {
      finish_output("the command had nothing else to do");
    } catch (const failure& failed) {
      return report(failed, of.json);
    }
    return 0;
  } catch (const CLI::ParseError& e) {
    return report(usage_failure(e, app, count, words), of.json || wants_json(count, words));
  } catch (const failure& e) {
    return report(e, of.json || wants_json(count, words));
  }
  try {
    of.chosen();
    finish_output("the command itself succeeded");
  } catch (const failure& e) {
    return report(e, of.json);
  } catch (const std::exception& e) {
    return report({core::errc::io_error, "unexpected error", e.what(), ""}, of.json);
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::setlocale(LC_ALL, "");
  // A reader that goes away is told by the write, not by death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // as a full disk, a write tells of it
  strata::control::prepare_process();
  return run(count, words);
}
