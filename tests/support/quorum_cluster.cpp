#include "tests/support/quorum_cluster.hpp"

#include <httplib.h>
#include <signal.h>

#include <fstream>

namespace strata::tests {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

bool alive(pid_t process) { return ::kill(process, 0) == 0 || errno == EPERM; }

}  // namespace

quorum_cluster::quorum_cluster(quorum_options options)
    : source_({.config = std::move(options.source_config)}), strata_({.arguments = std::move(options.up_arguments)}) {
  source_.start();
  if (options.prepare) options.prepare(source_);
  strata_.start();
  strata_.add_source("s", source_.conninfo());
  strata_.ask({"branch", "create", "dev", "--from", "main"});
}

quorum_cluster::~quorum_cluster() {
  // A stopped process takes no other signal than SIGKILL and SIGCONT.
  for (int id = 1; id <= 9; ++id) try {
      signal_safekeeper(id, SIGCONT);
    } catch (const std::exception&) {  // it has none
    }
}

json quorum_cluster::start_compute(const std::string& name, const std::vector<std::string>& more) {
  std::vector<std::string> words{"compute", "start", "dev", "--name", name, "--take-over"};
  words.insert(words.end(), more.begin(), more.end());
  const json started = strata_.ask(words);
  std::lock_guard lock(mutex_);
  conninfo_ = started.at("uri");
  return started;
}

void quorum_cluster::kill_compute(const std::string& name) {
  const json record = compute(name);
  std::ifstream file(record.at("data_directory").get<std::string>() + "/postmaster.pid");
  pid_t postmaster = 0;
  file >> postmaster;
  ::kill(record.at("agent_pid").get<pid_t>(), SIGKILL);
  // Every backend is a child of the postmaster; its process group dies with it.
  if (postmaster > 0) ::kill(-postmaster, SIGKILL), ::kill(postmaster, SIGKILL);
  wait_until("the compute is gone",
             [&] { return !alive(record.at("agent_pid").get<pid_t>()) && (postmaster <= 0 || !alive(postmaster)); });
}

json quorum_cluster::compute(const std::string& name) const {
  for (const json& each : strata_.ask({"compute", "list"}))
    if (each.at("name") == name) return each;
  throw std::runtime_error("no compute " + name);
}

std::string quorum_cluster::conninfo() const {
  std::lock_guard lock(mutex_);
  return conninfo_;
}

std::filesystem::path quorum_cluster::safekeeper_directory(int id) const {
  return strata_.directory() / "safekeepers" / std::to_string(id);
}

json quorum_cluster::safekeeper_api(int id, const std::string& method, const std::string& path) const {
  std::ifstream file(safekeeper_directory(id) / "safekeeper.json");
  httplib::Client client("http://" + json::parse(file).at("http").get<std::string>());
  client.set_read_timeout(1min);
  httplib::Request asked;
  asked.method = method;
  asked.path = path;
  const auto got = client.send(asked);
  if (!got) throw std::runtime_error(method + " " + path + ": " + httplib::to_string(got.error()));
  if (got->status / 100 != 2)
    throw std::runtime_error(method + " " + path + ": " + std::to_string(got->status) + " " + got->body);
  json parsed = json::parse(got->body, nullptr, false);
  return parsed.is_discarded() ? json(got->body) : parsed;
}

pid_t quorum_cluster::safekeeper(int id) const {
  std::ifstream file(safekeeper_directory(id) / "safekeeper.json");
  if (!file) throw std::runtime_error("safekeeper " + std::to_string(id) + " is not ready");
  // Until it is ready for the first time the file has no process.
  const pid_t process = json::parse(file).at("pid");
  if (process == 0) throw std::runtime_error("safekeeper " + std::to_string(id) + " is not ready");
  return process;
}

void quorum_cluster::signal_safekeeper(int id, int signal) const { ::kill(safekeeper(id), signal); }

void quorum_cluster::wait_for_new_safekeeper(int id, pid_t before) const {
  wait_until("safekeeper " + std::to_string(id) + " is back", [&] {
    try {
      const pid_t now = safekeeper(id);
      return now != before && alive(now);
    } catch (const std::exception&) {
      return false;
    }
  });
}

}  // namespace strata::tests
