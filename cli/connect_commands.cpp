#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/commands.hpp"
#include "cli/compute_choice.hpp"
#include "cli/compute_lookup.hpp"
#include "cli/computes.hpp"
#include "cli/discard.hpp"
#include "cli/failure.hpp"
#include "cli/psql_words.hpp"
#include "cli/terminal.hpp"
#include "host/libpq_environment.hpp"

namespace strata::cli {
namespace {

using host::compute_record;

/// What is to be reached, and as whom.
struct connect_request {
  std::string branch;   ///< BRANCH[@WHEN], or a compute's name when no branch has it
  std::string compute;  ///< a compute's name, whatever it holds
  login as;
  bool tcp = false;
  std::vector<std::string> commands;
  std::vector<std::string> words;
};

void check_target(const connect_request& asked, const std::string& command) {
  if (asked.branch.empty() != asked.compute.empty()) return;
  throw failure(
      exit_code::usage, "invalid_argument", "can't understand the command line",
      asked.branch.empty() ? "neither a branch nor a compute is named" : "both a branch and a compute are named",
      command + " BRANCH; or " + command + " --compute NAME; a database is named with --database");
}

std::string age_note(const compute_record& record) {
  return "compute " + record.name + " is an older copy of " + record.branch + ", " +
         age_of(record, core::system_clock().now()) + " old";
}

void show_url(const context& of, const connect_request& asked) {
  check_target(asked, "strata url");
  const std::string& wanted = asked.compute.empty() ? asked.branch : asked.compute;
  const auto found = asked.compute.empty() ? look_up(of, asked.branch) : compute_lookup{named_compute(of, wanted), {}};
  const compute_record* record = found.running ? &*found.running : found.older.empty() ? nullptr : &found.older.back();
  if (record == nullptr && found.in_doubt)
    throw failure(exit_code::conflict, "conflict", "can't tell how to reach " + wanted,
                  "compute " + found.in_doubt->name +
                      " may write it, and its record is damaged: " + why_in_doubt(*found.in_doubt),
                  "strata compute stop " + found.in_doubt->name + "; then strata compute start " + wanted);
  if (record == nullptr)
    throw failure(exit_code::not_found, "not_found", "no Postgres runs on " + wanted, "a URL needs a server to lead to",
                  "strata compute start " + wanted);
  const std::string uri = asked.tcp ? tcp_uri(*record, asked.as) : socket_uri(*record, asked.as);
  if (of.json)
    return print(nlohmann::json{{"compute", record->name},
                                {"source", record->tenant},
                                {"branch", record->branch},
                                {"is_present", found.running.has_value()},
                                {"uri", uri}});
  print(uri);
  if (!found.running) say("note: " + age_note(*record));
  if (asked.tcp && talk_is_terminal())
    say("note: TCP asks for a password; set one first: strata psql --compute " + record->name + " -c \"\\\\password\"");
}

std::string psql_of(const compute_record& record) {
  const std::string beside = record.bin_directory + "/psql";
  return ::access(beside.c_str(), X_OK) == 0 ? beside : "psql";
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// psql with its words, and an environment that leads to the compute and nowhere else.
struct psql_call {
  std::vector<std::string> words;
  std::vector<std::string> environment;
};

psql_call call_of(const compute_record& record, const connect_request& asked) {
  const login as = login_to(record, asked.as);
  psql_call made{{psql_of(record)},
                 host::client_environment({record.socket_directory, record.port, as.user, as.database}, environ)};
  const bool is_script = !asked.commands.empty() || read_psql_words(asked.words).is_script;
  if (!is_script && ::isatty(STDIN_FILENO) == 1 && output_is_terminal()) {
    say(where_text(record, core::system_clock().now()));
    // In front: what a psqlrc or the user's own words say of it wins.
    made.words.insert(made.words.end(), {"-v", "PROMPT1=" + psql_prompt(record.branch, record.tenant)});
  }
  for (const auto& each : asked.commands) made.words.insert(made.words.end(), {"-c", each});
  made.words.insert(made.words.end(), asked.words.begin(), asked.words.end());
  return made;
}

[[noreturn]] void become_psql(psql_call call) {
  const auto words = pointers_to(call.words);
  const auto environment = pointers_to(call.environment);
  ::execvpe(words.front(), words.data(), environment.data());
  throw failure(core::from_errno("start " + call.words.front(), errno), "can't start psql",
                "sudo apt install postgresql-client");
}

/// Runs psql to its end; the terminal is its.
int run_psql(const psql_call& call) {
  pid_t child = -1;
  {
    const held_signals hold;
    child = ::fork();
    if (child == 0)
      for (const int each : end_of_command) ::signal(each, SIG_DFL);
  }
  if (child < 0) throw failure(core::from_errno("fork", errno), "can't start psql", "");
  if (child == 0) {
    try {
      become_psql(call);
    } catch (const failure& e) {
      say(e.text(false));
      ::_exit(127);
    }
  }
  // Ctrl-C is for psql's query, not for what cleans up behind it.
  struct sigaction ignored {};
  struct sigaction before {};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGINT, &ignored, &before);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  ::sigaction(SIGINT, &before, nullptr);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// On a copy that is thrown away afterwards.
void open_temporary(const context& of, const connect_request& asked) {
  temporary_compute made(of, asked.branch);
  const int code = run_psql(call_of(made.record(), asked));
  made.remove();
  if (code != 0)
    throw failure(exit_code::failure, "failed", "psql ended with exit code " + std::to_string(code), "", "");
}

void open_psql(const context& of, connect_request asked) {
  // With --compute the first of psql's options stands where a branch would.
  if (!asked.compute.empty() && asked.branch.starts_with('-'))
    asked.words.insert(asked.words.begin(), std::exchange(asked.branch, ""));
  check_target(asked, "strata psql");
  const auto theirs = read_psql_words(asked.words);
  if (theirs.leads_elsewhere)
    throw failure(exit_code::usage, "invalid_argument", "can't give " + *theirs.leads_elsewhere + " to psql",
                  theirs.why, "database and role are free to choose: strata psql BRANCH --database NAME --user NAME");
  if (!asked.compute.empty()) become_psql(call_of(named_compute(of, asked.compute), asked));
  const auto spec = parse_spec(asked.branch);
  if (!std::holds_alternative<config::branch_head>(spec.at)) return open_temporary(of, asked);
  const auto found = look_up(of, asked.branch);
  if (found.running) become_psql(call_of(*found.running, asked));
  if (!found.follows_source) become_psql(call_of(start_compute(of, {.spec = asked.branch}), asked));
  if (!of.json) {
    for (const auto& each : found.older)
      say("note: " + age_note(each) + "; strata psql --compute " + each.name + " opens it");
    say("note: " + asked.branch + " follows its source: psql opens a copy of its head, which goes with psql");
  }
  open_temporary(of, asked);
}

}  // namespace

void add_connect_commands(CLI::App& app, context& of) {
  const auto add_target = [&of](CLI::App& command, const std::shared_ptr<connect_request>& asked, const char* branch) {
    command.add_option("BRANCH", asked->branch, branch);
    command.add_option("--compute", asked->compute, "The running compute of this name, whatever it holds");
    command.add_option("--user", asked->as.user, "The role (default: as whom the source is followed)");
    command.add_option("--database", asked->as.database, "The database (default: the one the source was added with)");
    command.add_option("--tenant", of.tenant, "The source, when there are several");
  };
  auto* url = app.add_subcommand("url", "Print how to reach the Postgres of a branch");
  auto wanted = std::make_shared<connect_request>();
  add_target(*url, wanted, "The branch, or the name of a compute");
  url->add_flag("--tcp", wanted->tcp, "Over the loopback interface, with a password, instead of the socket");
  finish_command(*url, of, "  psql \"$(strata url dev)\"\n  strata url dev --database shop --user app",
                 [&of, wanted] { show_url(of, *wanted); });

  auto* psql = app.add_subcommand(
      "psql",
      "Open psql on a branch as it is now, starting a Postgres there when none runs.\nWith @WHEN, or on a branch that "
      "follows its source, that is a copy which goes with psql");
  auto asked = std::make_shared<connect_request>();
  add_target(*psql, asked, "The branch, BRANCH@WHEN, or the name of a compute");
  psql->add_option("-c,--command", asked->commands, "Run this and end; may be given several times")
      ->allow_extra_args(false);
  psql->add_option("ARGUMENTS", asked->words, "For psql, behind --");
  psql->add_option("--pg-bin", of.pg_bin,
                   "Directories of Postgres programs, separated by ':', to look in before the usual places");
  finish_command(*psql, of,
                 "  strata psql dev\n  strata psql dev --database shop -c \"select 1\"\n"
                 "  strata psql dev -- -f changes.sql\n  strata psql main@\"1 minute ago\"",
                 [&of, asked] { open_psql(of, *asked); });
}

}  // namespace strata::cli
