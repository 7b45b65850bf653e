#include "control/psql.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "control/compute_choice.hpp"
#include "control/compute_start.hpp"
#include "control/discard.hpp"
#include "control/failure.hpp"
#include "control/psql_arguments.hpp"
#include "host/libpq_environment.hpp"

namespace strata::control {
namespace {

using host::compute_record;

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

psql_call call_of(const scope& of, const compute_record& record, const connect_request& asked) {
  const login as = login_to(record, asked.as);
  psql_call made{{psql_of(record)},
                 host::client_environment({record.socket_directory, record.port, as.user, as.database}, environ)};
  const bool is_script = !asked.commands.empty() || read_psql_arguments(asked.words).is_script;
  if (!is_script && asked.interactive) {
    of.report->tell(where_text(record, core::system_clock().now()));
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
int run_psql(const psql_call& call, reporter& report) {
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
      report.failed(e);
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

/// On a compute that is thrown away afterwards.
void open_temporary(const scope& of, const connect_request& asked) {
  temporary_compute made(of, {.spec = asked.branch});
  const int code = run_psql(call_of(of, made.record(), asked), *of.report);
  made.remove();
  if (code != 0)
    throw failure(core::errc::io_error, "psql ended with exit code " + std::to_string(code), "", "", "failed");
}

}  // namespace

std::string age_note(const compute_record& record) {
  return "compute " + record.name + (has_agent(record) ? " reads an older state of " : " is an older copy of ") +
         record.branch + ", " + age_of(record, core::system_clock().now()) + " old";
}

void check_target(const connect_request& asked, const std::string& command) {
  if (asked.branch.empty() != asked.compute.empty()) return;
  throw failure(
      core::errc::invalid_argument, "invalid command line",
      asked.branch.empty() ? "neither a branch nor a compute is named" : "both a branch and a compute are named",
      command + " BRANCH; or " + command + " --compute NAME; a database is named with --database");
}

reached_compute reach_compute(const scope& of, const connect_request& asked) {
  if (!asked.compute.empty()) return {named_compute(of, asked.compute)};
  const auto found = look_up(of, asked.branch);
  if (found.running) return {*found.running};
  if (!found.older.empty()) return {found.older.back(), false};
  if (found.in_doubt)
    throw failure(core::errc::conflict, "can't determine how to reach " + asked.branch,
                  "compute " + found.in_doubt->name +
                      " may write it, and its record is damaged: " + why_in_doubt(*found.in_doubt),
                  "strata compute stop " + found.in_doubt->name + "; then strata compute start " + asked.branch);
  throw failure(core::errc::not_found, "no Postgres runs on " + asked.branch, "a URL requires a running server",
                "strata compute start " + asked.branch);
}

void open_psql(const scope& of, connect_request asked) {
  // With --compute the first of psql's options stands where a branch would.
  if (!asked.compute.empty() && asked.branch.starts_with('-'))
    asked.words.insert(asked.words.begin(), std::exchange(asked.branch, ""));
  check_target(asked, "strata psql");
  const auto theirs = read_psql_arguments(asked.words);
  if (theirs.leads_elsewhere)
    throw failure(core::errc::invalid_argument, "can't pass " + *theirs.leads_elsewhere + " to psql", theirs.why,
                  "choose a database and a role with strata psql BRANCH --database NAME --user NAME");
  if (!asked.compute.empty()) become_psql(call_of(of, named_compute(of, asked.compute), asked));
  const auto spec = parse_spec(asked.branch);
  if (!std::holds_alternative<config::branch_head>(spec.at)) return open_temporary(of, asked);
  const auto found = look_up(of, asked.branch);
  if (found.running) become_psql(call_of(of, *found.running, asked));
  if (!found.follows_source) become_psql(call_of(of, start_compute(of, {.spec = asked.branch}), asked));
  for (const auto& each : found.older)
    of.report->note(age_note(each) + "; strata psql --compute " + each.name + " opens it");
  of.report->note(asked.branch +
                  " follows its source: psql opens a temporary Postgres at its head, which is removed when psql ends");
  open_temporary(of, asked);
}

}  // namespace strata::control
