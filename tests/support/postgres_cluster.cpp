#include "tests/support/postgres_cluster.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "tests/support/free_port.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto start_limit = 60s;
constexpr auto stop_limit = 60s;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void give(const fs::path& what, const std::optional<account>& to) {
  if (!to) return;
  const auto give_one = [&](const fs::path& path) {
    if (::lchown(path.c_str(), to->user, to->group) != 0)
      throw std::system_error(errno, std::generic_category(), "give away " + path.string());
  };
  give_one(what);
  if (!fs::is_directory(what)) return;
  for (const auto& entry : fs::recursive_directory_iterator(what)) give_one(entry.path());
}

/// The fourth word of /proc/PID/stat; the name before it may hold spaces and parentheses.
pid_t parent_of(const std::string& stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return -1;
  std::istringstream rest(stat.substr(name_end + 1));
  char state = 0;
  pid_t parent = -1;
  rest >> state >> parent;
  return parent;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (parent_of(text_of(entry.path() / "stat")) == parent) children.push_back(std::stoi(name));
  }
  return children;
}

/// Kills a process that is not our child, so that it can't be waited for, and returns when it is gone.
void kill_stranger(pid_t pid) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (handle < 0) return;
  ::kill(pid, SIGKILL);
  pollfd ended{handle, POLLIN, 0};
  ::poll(&ended, 1, 10000);
  ::close(handle);
}

const postgres_install& install_for(const fs::path& data_directory) {
  const std::string version = text_of(data_directory / "PG_VERSION");
  const postgres_install* found = version.empty() ? nullptr : install_of(std::stoi(version));
  if (found == nullptr) throw std::runtime_error("no Postgres is installed for the version " + version);
  return *found;
}

}  // namespace

postgres_cluster::postgres_cluster(cluster_options options)
    : install_(options.install), data_(home_ / "data"), work_(home_ / "work"), port_(free_port()) {
  make_directories();
  initialise(options);
}

postgres_cluster::postgres_cluster(adopted, const fs::path& data_directory)
    : install_(install_for(data_directory)), data_(data_directory), work_(home_ / "work"), port_(free_port()) {
  make_directories();
}

std::unique_ptr<postgres_cluster> postgres_cluster::adopt(const fs::path& data_directory,
                                                          const std::vector<std::string>& config) {
  std::unique_ptr<postgres_cluster> cluster(new postgres_cluster(adopted{}, fs::absolute(data_directory)));
  fs::permissions(cluster->data_, fs::perms{0700});
  for (const auto& line : config) cluster->configure(line);
  give(cluster->data_, cluster->account_);
  return cluster;
}

postgres_cluster::~postgres_cluster() {
  try {
    stop(stop_mode::immediate);
  } catch (const std::exception&) {
    kill_all();
  }
}

void postgres_cluster::make_directories() {
  fs::create_directory(work_);
  fs::create_directory(home_ / "socket");
  give(home_.path(), account_);
}

void postgres_cluster::initialise(const cluster_options& options) {
  std::vector<std::string> arguments{"-D", data_,  "-U",       "postgres", "-A",        "trust",
                                     "-E", "UTF8", "--locale", "C.UTF-8",  "--no-sync", "--no-instructions"};
  if (options.data_checksums) arguments.emplace_back("--data-checksums");
  // 18 has them unless told otherwise.
  if (!options.data_checksums && install_.major >= 18) arguments.emplace_back("--no-data-checksums");
  arguments.insert(arguments.end(), options.initdb_arguments.begin(), options.initdb_arguments.end());
  const finished made = run("initdb", arguments);
  if (made.exit_code != 0) throw std::runtime_error("initdb: " + made.out + made.err);
  configure("fsync = off");
  for (const auto& line : options.config) configure(line);
}

void postgres_cluster::configure(const std::string& line) {
  const fs::path file = data_ / "postgresql.conf";
  std::ofstream out(file, std::ios::app);
  out << line << '\n';
  if (!out.flush()) throw std::runtime_error("append to " + file.string());
}

void postgres_cluster::start() {
  if (running()) throw std::runtime_error("the server runs already");
  command server =
      program("postgres", {"-D", data_, "-c", "port=" + std::to_string(port_), "-c", "listen_addresses=127.0.0.1", "-c",
                           "unix_socket_directories=" + (home_ / "socket").string(), "-c", "logging_collector=off"});
  server.log = home_ / "log";
  // An immediate shutdown, so that its children and shared memory go with it.
  server.signal_at_death = SIGQUIT;
  server_ = std::make_unique<process>(server);
  wait_until_it_answers();
}

void postgres_cluster::wait_until_it_answers() {
  const auto deadline = std::chrono::steady_clock::now() + start_limit;
  while (PQping(conninfo().c_str()) != PQPING_OK) {
    const bool ended = server_->wait_for(20ms);
    if (!ended && std::chrono::steady_clock::now() < deadline) continue;
    if (!ended) kill_all();
    server_.reset();
    throw std::runtime_error("postgres did not start in " + data_.string() + ": " + log());
  }
}

void postgres_cluster::stop(stop_mode mode) {
  if (!running()) return;
  server_->signal(mode == stop_mode::fast ? SIGINT : mode == stop_mode::immediate ? SIGQUIT : SIGTERM);
  if (!server_->wait_for(stop_limit)) throw std::runtime_error("postgres did not stop: " + log());
  server_.reset();
}

void postgres_cluster::restart(stop_mode mode) {
  stop(mode);
  start();
}

void postgres_cluster::kill_all() {
  if (!running()) return;
  // Stopped first: a postmaster that still ran would start new children in between.
  server_->signal(SIGSTOP);
  for (const pid_t child : children_of(server_->pid())) kill_stranger(child);
  server_->signal(SIGKILL);
  server_->wait_for(stop_limit);
  server_.reset();
}

bool postgres_cluster::running() { return server_ && server_->running(); }

std::string postgres_cluster::conninfo(const std::string& database) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " user=postgres dbname=" + database;
}

std::string postgres_cluster::replication_conninfo() const { return conninfo() + " replication=true"; }

std::string postgres_cluster::log() const { return text_of(home_ / "log"); }

std::vector<sql_row> postgres_cluster::query(const std::string& sql, const std::string& database) {
  return sql_session(conninfo(database)).query(sql);
}

std::string postgres_cluster::value(const std::string& sql, const std::string& database) {
  return sql_session(conninfo(database)).value(sql);
}

void postgres_cluster::execute(const std::string& sql, const std::string& database) {
  sql_session(conninfo(database)).execute(sql);
}

command postgres_cluster::program(const std::string& name, const std::vector<std::string>& arguments) const {
  command what;
  what.arguments = {program_of(install_, name)};
  what.arguments.insert(what.arguments.end(), arguments.begin(), arguments.end());
  what.environment = {{"PGHOST", "127.0.0.1"},    {"PGPORT", std::to_string(port_)}, {"PGUSER", "postgres"},
                      {"PGDATABASE", "postgres"}, {"PGDATA", data_.string()},        {"LC_ALL", "C.UTF-8"},
                      {"HOME", work_.string()}};
  what.directory = work_;
  what.run_as = account_;
  return what;
}

finished postgres_cluster::run(const std::string& name, const std::vector<std::string>& arguments,
                               std::chrono::milliseconds limit) const {
  return tests::run(program(name, arguments), limit);
}

std::unique_ptr<process> postgres_cluster::spawn(const std::string& name,
                                                 const std::vector<std::string>& arguments) const {
  return std::make_unique<process>(program(name, arguments));
}

}  // namespace strata::tests
