#include "tests/support/strata_server.hpp"

#include <httplib.h>
#include <libpq-fe.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace strata::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto ready_limit = 60s;
constexpr auto stop_limit = 60s;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::uint16_t port_in(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

std::string said(const finished& by) { return "exit code " + std::to_string(by.exit_code) + ": " + by.out + by.err; }

}  // namespace

fs::path strata_binary() {
  const char* chosen = std::getenv("STRATA_BIN");
  return chosen != nullptr && *chosen != '\0' ? chosen : STRATA_BINARY;
}

void wait_until(const std::string& what, const std::function<bool()>& happened, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!happened()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited in vain until " + what);
    std::this_thread::sleep_for(10ms);
  }
}

core::lsn before_page_header(core::lsn at, std::uint64_t segment_size) {
  if (at.value % segment_size == 40) return at - 40;
  if (at.value % 8192 == 24 && at.value % segment_size != 24) return at - 24;
  return at;
}

core::lsn lsn_from(const std::string& text) {
  auto parsed = core::parse_lsn(text);
  if (!parsed) throw std::runtime_error("'" + text + "' is no LSN");
  return *parsed;
}

strata_server::strata_server(strata_options options)
    : directory_(options.directory.empty() ? home_ / "strata" : options.directory),
      arguments_(std::move(options.arguments)) {}

strata_server::~strata_server() {
  end_processes("computes", "compute-agent.json");
  end_computes();
  try {
    if (running()) stop();
  } catch (const std::exception&) {
    server_.reset();
  }
  end_processes("safekeepers", "safekeeper.json");
}

// Those that outlive the server, by the files in which they say their process id.
void strata_server::end_processes(const std::string& folder, const std::string& file) const noexcept {
  try {
    if (!fs::exists(directory_ / folder)) return;
    for (const auto& entry : fs::directory_iterator(directory_ / folder)) {
      const auto told = nlohmann::json::parse(text_of(entry.path() / file), nullptr, false);
      const pid_t pid = told.is_object() ? told.value("pid", 0) : 0;
      // The number may be another program's by now; what has ended and was not reaped runs no program.
      const auto runs = [&] {
        std::error_code hidden;
        return fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", hidden) == fs::canonical(strata_binary());
      };
      if (pid <= 1 || !runs()) continue;
      ::kill(pid, SIGKILL);
      wait_until(
          "a process of the server's directory ends", [&] { return !runs(); }, 20s);
    }
  } catch (const std::exception&) {  // a file that was never written
  }
}

// Computes outlive their server by design, so they are ended one by one, by the pid that each has written down.
void strata_server::end_computes() noexcept {
  try {
    for (const auto& entry :
         fs::recursive_directory_iterator(directory_, fs::directory_options::skip_permission_denied)) {
      if (entry.path().filename() != "postmaster.pid") continue;
      const pid_t postmaster = std::atoi(text_of(entry.path()).c_str());
      if (postmaster <= 1 || ::kill(postmaster, SIGQUIT) != 0) continue;
      wait_until(
          "a compute ends", [&] { return ::kill(postmaster, 0) != 0; }, 20s);
    }
  } catch (const std::exception&) {  // the directory may never have come to be
  }
}

command strata_server::program(const std::vector<std::string>& arguments) const {
  command what;
  what.arguments = {strata_binary()};
  what.arguments.insert(what.arguments.end(), arguments.begin(), arguments.end());
  what.environment = {{"STRATA_DIR", directory_.string()}, {"LC_ALL", "C.UTF-8"}, {"NO_COLOR", "1"}};
  return what;
}

void strata_server::start() {
  if (running()) throw std::runtime_error("the server runs already");
  std::vector<std::string> words{"up", "--dir", directory_, "--pg-bin", pg_bin_of_all_majors()};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  command up = program(words);
  up.log = home_ / "strata.log";
  server_ = std::make_unique<process>(up);
  wait_until_ready();
}

void strata_server::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + ready_limit;
  for (;; std::this_thread::sleep_for(10ms)) {
    if (!server_->running() || std::chrono::steady_clock::now() > deadline) {
      server_.reset();
      throw std::runtime_error("strata did not get ready: " + log());
    }
    const json file = json::parse(text_of(directory_ / "server.json"), nullptr, false);
    // A file of a server that was killed names another process.
    if (!file.is_object() || file.value("pid", 0) != server_->pid()) continue;
    http_port_ = port_in(file.at("http"));
    page_port_ = port_in(file.at("page"));
    try {
      if (http("GET", "/readyz").status == 200) return;
    } catch (const std::exception&) {  // not listening yet
    }
  }
}

void strata_server::stop() {
  if (!running()) return;
  server_->signal(SIGTERM);
  if (!server_->wait_for(stop_limit)) throw std::runtime_error("strata did not stop: " + log());
  const finished ended = server_->wait();
  server_.reset();
  if (ended.exit_code != 0) throw std::runtime_error("strata stopped with " + said(ended) + log());
}

void strata_server::kill() {
  if (!running()) return;
  server_->signal(SIGKILL);
  server_->wait_for(stop_limit);
  server_.reset();
}

bool strata_server::running() { return server_ && server_->running(); }

std::string strata_server::log() const { return text_of(home_ / "strata.log"); }

finished strata_server::cli(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) const {
  return tests::run(program(arguments), limit);
}

json strata_server::ask(std::vector<std::string> arguments) const {
  std::string line = "strata";
  for (const auto& word : arguments) line += ' ' + word;
  arguments.emplace_back("--json");
  const finished got = cli(arguments);
  if (got.exit_code != 0) throw std::runtime_error(line + ": " + said(got));
  const json parsed = json::parse(got.out, nullptr, false);
  if (parsed.is_discarded()) throw std::runtime_error(line + " did not answer in JSON: " + said(got));
  return parsed;
}

http_reply strata_server::http(const std::string& method, const std::string& path, const std::string& body) const {
  httplib::Client client("127.0.0.1", http_port_);
  client.set_connection_timeout(5s);
  client.set_read_timeout(180s);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  if (!body.empty()) request.set_header("Content-Type", "application/json");
  const auto got = client.send(request);
  if (!got) throw std::runtime_error(method + " " + path + ": " + httplib::to_string(got.error()));
  return {got->status, got->body, got->get_header_value("Content-Type")};
}

json strata_server::api(const std::string& method, const std::string& path, const json& body) const {
  const http_reply got = http(method, path, body.is_null() ? std::string() : body.dump());
  if (got.status / 100 != 2)
    throw std::runtime_error(method + " " + path + ": " + std::to_string(got.status) + " " + got.body);
  return got.body.empty() ? json() : got.json();
}

std::string strata_server::tenant_id(const std::string& source) const {
  for (const json& tenant : api("GET", "/v1/tenant"))
    if (tenant.at("name") == source) return tenant.at("id");
  throw std::runtime_error("no tenant " + source);
}

json strata_server::timeline(const std::string& source, const std::string& branch) const {
  for (const json& timeline : api("GET", "/v1/tenant/" + tenant_id(source) + "/timeline"))
    if (timeline.at("name") == branch) return timeline;
  throw std::runtime_error("no branch " + branch + " of " + source);
}

std::string strata_server::timeline_path(const std::string& source, const std::string& branch) const {
  const json found = timeline(source, branch);
  return "/v1/tenant/" + found.at("tenant_id").get<std::string>() + "/timeline/" +
         found.at("timeline_id").get<std::string>();
}

core::lsn strata_server::lsn_of(const std::string& source, const std::string& field) const {
  return lsn_from(timeline(source).at(field));
}

void strata_server::add_source(const std::string& name, const std::string& conninfo) {
  ask({"source", "add", name, "--conninfo", conninfo});
  wait_until_readable(name);
}

void strata_server::wait_until_readable(const std::string& source, std::chrono::milliseconds limit) const {
  wait_until(
      source + " can be read",
      [&] {
        const json now = timeline(source);
        if (now.contains("source") && now.at("source").at("phase") == "failed")
          throw std::runtime_error("strata can't follow " + source + ": " + now.dump());
        return now.at("state") == "Active" && now.contains("source") && now.at("source").at("phase") == "streaming";
      },
      limit);
}

void strata_server::wait_for_lsn(const std::string& source, core::lsn at, std::chrono::milliseconds limit) const {
  const core::lsn wanted = before_page_header(at);
  wait_until(
      source + " has WAL up to " + core::to_string(wanted), [&] { return lsn_of(source, "last_record_lsn") >= wanted; },
      limit);
}

void strata_server::set_options(const std::string& source, json options) const {
  options["tenant_id"] = tenant_id(source);
  api("PATCH", "/v1/tenant/config", options);
}

branch_compute::branch_compute(const strata_server& strata, std::string branch)
    : strata_(strata), branch_(std::move(branch)) {
  strata_.ask({"compute", "start", branch_, "--set", "autovacuum = off", "--set", "fsync = off"});
  const finished url = strata_.cli({"url", branch_});
  if (url.exit_code != 0) throw std::runtime_error("strata url " + branch_ + ": " + said(url));
  const std::string uri = url.out.substr(0, url.out.find('\n'));
  char* problem = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> words(PQconninfoParse(uri.c_str(), &problem),
                                                                             PQconninfoFree);
  if (!words) throw std::runtime_error("strata url gave '" + uri + "': " + (problem ? problem : ""));
  for (const PQconninfoOption* word = words.get(); word->keyword != nullptr; ++word) {
    if (word->val == nullptr) continue;
    const std::string name = word->keyword;
    if (name == "host") host_ = word->val;
    if (name == "port") port_ = word->val;
    if (name == "user") user_ = word->val;
  }
}

branch_compute::~branch_compute() {
  try {
    strata_.cli({"compute", "stop", branch_.substr(branch_.find('/') + 1), "--remove"});
  } catch (const std::exception&) {  // the server's destructor ends what still runs
  }
}

std::string branch_compute::conninfo(const std::string& database) const {
  return "host='" + host_ + "' port=" + port_ + " user=" + user_ + " dbname='" + database + "'";
}

std::string branch_compute::value(const std::string& sql, const std::string& database) const {
  return sql_session(conninfo(database)).value(sql);
}

void branch_compute::execute(const std::string& sql, const std::string& database) const {
  sql_session(conninfo(database)).execute(sql);
}

finished branch_compute::run(const std::string& program, const std::vector<std::string>& arguments) const {
  command what;
  what.arguments = {program_of(postgres_installs().front(), program)};
  what.arguments.insert(what.arguments.end(), arguments.begin(), arguments.end());
  what.environment = {{"PGHOST", host_}, {"PGPORT", port_}, {"PGUSER", user_}, {"PGDATABASE", "postgres"}};
  return tests::run(what, 5min);
}

}  // namespace strata::tests
