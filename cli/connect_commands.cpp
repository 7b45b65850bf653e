#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/computes.hpp"
#include "cli/failure.hpp"
#include "cli/terminal.hpp"

namespace strata::cli {
namespace {

using compute::compute_record;

/// The running compute of that name, or one on the branch of that name. Nullopt: the branch has none.
std::optional<compute_record> running_on(const context& of, const std::string& wanted) {
  auto named = compute::registry(of.directory).find(wanted);
  if (named && is_up(*named)) return *std::move(named);
  const auto spec = parse_spec(wanted);
  if (!std::holds_alternative<config::branch_head>(spec.at)) return std::nullopt;
  const server_link server(of);
  auto found = computes_of(of, find_branch(server, of, spec));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

void show_url(const context& of, const std::string& wanted, bool tcp) {
  const auto found = running_on(of, wanted);
  if (!found)
    throw failure(exit_code::not_found, "not_found", "no Postgres runs on " + wanted, "a URL needs a server to lead to",
                  "strata compute start " + wanted);
  const std::string uri = tcp ? tcp_uri(*found) : socket_uri(*found);
  if (of.json) return print(nlohmann::json{{"compute", found->name}, {"branch", found->branch}, {"uri", uri}});
  print(uri);
  if (tcp && talk_is_terminal())
    say("note: TCP asks for a password; set one first: strata psql " + wanted + " -- -c \"\\\\password\"");
}

std::string psql_of(const compute_record& record) {
  const std::string beside = record.bin_directory + "/psql";
  return ::access(beside.c_str(), X_OK) == 0 ? beside : "psql";
}

std::vector<char*> psql_arguments(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void become_psql(std::vector<std::string> words) {
  const auto pointers = psql_arguments(words);
  ::execvp(pointers.front(), pointers.data());
  throw failure(core::from_errno("start " + words.front(), errno), "can't start psql",
                "sudo apt install postgresql-client");
}

/// Runs psql to its end; the terminal is its.
int run_psql(const std::vector<std::string>& words) {
  const pid_t child = ::fork();
  if (child < 0) throw failure(core::from_errno("fork", errno), "can't start psql", "");
  if (child == 0) {
    try {
      become_psql(words);
    } catch (const failure& e) {
      say(e.text(false));
      ::_exit(127);
    }
  }
  // Ctrl-C is for psql's query, not for what cleans up behind it.
  const auto before = ::signal(SIGINT, SIG_IGN);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  ::signal(SIGINT, before);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void open_psql(const context& of, const std::string& wanted, const std::vector<std::string>& more) {
  auto record = running_on(of, wanted);
  const bool past = wanted.find('@') != std::string::npos;
  bool temporary = false;
  if (!record) {
    compute_request request{.spec = wanted};
    if (past) request.name = "psql-" + std::to_string(::getpid());
    record = start_compute(of, request);
    temporary = past;
  }
  std::vector<std::string> words{psql_of(*record), socket_uri(*record)};
  words.insert(words.end(), more.begin(), more.end());
  if (!temporary) become_psql(std::move(words));
  const int code = run_psql(words);
  stop_compute(of, *record, true);
  if (code != 0)
    throw failure(exit_code::failure, "failed", "psql ended with exit code " + std::to_string(code), "", "");
}

}  // namespace

void add_connect_commands(CLI::App& app, context& of) {
  auto* url = app.add_subcommand("url", "Print how to reach the Postgres of a branch");
  auto wanted = std::make_shared<std::string>();
  auto tcp = std::make_shared<bool>(false);
  url->add_option("BRANCH", *wanted, "The branch, or the name of a compute")->required();
  url->add_flag("--tcp", *tcp, "Over the loopback interface, with a password, instead of the socket");
  url->add_option("--tenant", of.tenant, "The source, when there are several");
  finish_command(*url, of, "  psql \"$(strata url dev)\"", [&of, wanted, tcp] { show_url(of, *wanted, *tcp); });

  auto* psql = app.add_subcommand(
      "psql", "Open psql on a branch, starting a Postgres there when none runs.\nWith @WHEN it is a temporary one");
  auto target = std::make_shared<std::string>();
  auto more = std::make_shared<std::vector<std::string>>();
  psql->add_option("BRANCH", *target, "The branch, BRANCH@WHEN, or the name of a compute")->required();
  psql->add_option("ARGUMENTS", *more, "For psql, behind --");
  psql->add_option("--pg-bin", of.pg_bin,
                   "Directories of Postgres programs, separated by ':', to look in before the usual places");
  psql->add_option("--tenant", of.tenant, "The source, when there are several");
  finish_command(*psql, of,
                 "  strata psql dev\n  strata psql dev -- -c \"select 1\"\n  strata psql main@\"1 minute ago\"",
                 [&of, target, more] { open_psql(of, *target, *more); });
}

}  // namespace strata::cli
