#include "control/interrupted_compute.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "control/agents.hpp"
#include "control/filler.hpp"
#include "host/postgres_process.hpp"
#include "host/program.hpp"

namespace strata::control {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds child_limit{5};
constexpr std::chrono::seconds agent_limit{10};

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

void end_agent(const scope& of, const std::string& name) {
  const auto agent = agent_of(of, name);
  if (!agent || *agent <= 0) return;
  ::kill(*agent, SIGTERM);
  // Its Postgres ends with it, however it ends.
  if (wait_for_agent(of, name, *agent, agent_limit)) return;
  ::kill(*agent, SIGKILL);
  wait_for_agent(of, name, *agent, agent_limit);
}

bool discard(const scope& of, const std::string& name, bool keep) {
  const host::registry computes(of.directory);
  std::error_code failure;
  if (!fs::exists(computes.directory_of(name), failure)) return true;
  // The command that this process was has let go of it. If somebody else has it, it is not that compute any more.
  const auto lock = host::start_lock::take(computes.directory_of(name));
  if (!lock) return false;
  const auto found = computes.find(name);
  const auto record = found ? *found : computes.remains_of(name);
  end_agent(of, name);
  const auto ended = keep ? host::stop_postgres(record.data_directory) : host::abandon_postgres(record.data_directory);
  if (!ended || keep) return ended.has_value();
  return remove_files(of, record).has_value();
}

}  // namespace

bool discard_interrupted(const scope& of, const std::string& compute, bool keep) {
  end_children();
  return discard(of, compute, keep);
}

}  // namespace strata::control
