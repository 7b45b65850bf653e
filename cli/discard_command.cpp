#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "cli/agents.hpp"
#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/discard.hpp"
#include "cli/terminal.hpp"
#include "host/postgres_process.hpp"
#include "host/program.hpp"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds child_limit{5};
constexpr std::chrono::seconds agent_limit{10};

struct discard_request {
  std::string name;
  bool keep = false;
  int signal = SIGTERM;
};

/// By /proc: this program was another one when it started them.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator("/proc", failure)) {
    const std::string number = entry.path().filename();
    if (number.empty() || std::isdigit(static_cast<unsigned char>(number[0])) == 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    // "pid (name) state parent ...", and a name may hold what it likes.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos || name_end + 4 >= line.size()) continue;
    if (std::atoi(line.c_str() + name_end + 4) == ::getpid()) found.push_back(std::atoi(number.c_str()));
  }
  return found;
}

/// A Postgres or an agent that is so young that no file tells of it, and a psql.
void end_children() {
  const auto all = children();
  for (const pid_t each : all) ::kill(each, SIGTERM);
  for (const pid_t each : all) {
    if (!host::wait_for_end(each, child_limit)) ::kill(each, SIGKILL);
    ::waitpid(each, nullptr, 0);
  }
}

void end_agent(const context& of, const std::string& name) {
  const auto agent = agent_of(of, name);
  if (!agent || *agent <= 0) return;
  ::kill(*agent, SIGTERM);
  // Its Postgres ends with it, however it ends.
  if (!host::wait_for_end(*agent, agent_limit)) ::kill(*agent, SIGKILL);
  host::wait_for_end(*agent, agent_limit);
}

/// Whether nothing runs any more, and nothing is left that should not be.
bool discard(const context& of, const discard_request& asked) {
  const host::registry computes(of.directory);
  std::error_code failure;
  if (!fs::exists(computes.directory_of(asked.name), failure)) return true;
  // The command that this process was has let go of it. If somebody else has it, it is not that compute any more.
  const auto lock = host::start_lock::take(computes.directory_of(asked.name));
  if (!lock) return false;
  const auto found = computes.find(asked.name);
  const auto record = found ? *found : computes.remains_of(asked.name);
  end_agent(of, asked.name);
  const auto ended =
      asked.keep ? host::stop_postgres(record.data_directory) : host::abandon_postgres(record.data_directory);
  if (!ended || asked.keep) return ended.has_value();
  return computes.remove(record).has_value();
}

void run_discard(const context& of, const discard_request& asked) {
  for (const int each : end_of_command) ::signal(each, SIG_IGN);
  end_children();
  const bool done = discard(of, asked);
  if (!done)
    say("interrupted; compute " + asked.name + " could not be ended\nnext: strata compute list; strata compute stop " +
        asked.name + (asked.keep ? "" : " --remove"));
  else
    say(asked.keep ? "interrupted; compute " + asked.name + " is stopped again, with its data"
                   : "interrupted; nothing of compute " + asked.name + " is left");
  ::signal(asked.signal, SIG_DFL);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, asked.signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(asked.signal);
}

}  // namespace

void add_discard_command(CLI::App& app, context& of) {
  // Not for people: a command that a signal ends becomes it.
  auto* command = app.add_subcommand("compute-discard", "End what an interrupted command has begun")->group("");
  auto asked = std::make_shared<discard_request>();
  command->add_option("--name", asked->name, "The compute")->required();
  command->add_flag("--keep", asked->keep, "It was there before: stop it, and keep its data");
  command->add_option("--signal", asked->signal, "To die of in the end")->required();
  finish_command(*command, of, "  strata compute-discard --dir DIR --name dev --signal 2",
                 [&of, asked] { run_discard(of, *asked); });
}

}  // namespace strata::cli
