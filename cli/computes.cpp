#include "cli/computes.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "cli/agents.hpp"
#include "cli/failure.hpp"
#include "cli/terminal.hpp"
#include "compute/data_directory.hpp"
#include "compute/free_port.hpp"
#include "compute/postgres_install.hpp"
#include "compute/postgres_process.hpp"
#include "config/quantity.hpp"

namespace strata::cli {
namespace {

using compute::compute_mode;
using compute::compute_record;
namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string encoded(const std::string& text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string made;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '/')
      made += c;
    else
      made += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return made;
}

/// main at 0/3B21F08 -> main-0-3B21F08
std::string default_name(const config::branch_spec& spec, const branch_entry& branch, core::lsn at) {
  if (std::holds_alternative<config::branch_head>(spec.at)) return branch.name;
  std::string position = core::to_string(at);
  std::replace(position.begin(), position.end(), '/', '-');
  return branch.name + "-" + position;
}

/// A directory of this name for everybody's data, outside the server's directory.
core::result<std::string> make_home_elsewhere() {
  std::string pattern = "/var/tmp/strata-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return core::from_errno("make " + pattern, errno);
  return pattern;
}

/// Takes away what a compute that did not come up has left.
class cleanup {
 public:
  cleanup(const compute::registry& computes, std::string name) : computes_(computes), name_(std::move(name)) {}
  ~cleanup() {
    if (!armed_) return;
    if (!home.empty()) [[maybe_unused]]
      const auto stopped = compute::stop_postgres(home + "/data");
    [[maybe_unused]] const auto removed = computes_.remove(name_, home);
  }
  cleanup(const cleanup&) = delete;
  cleanup& operator=(const cleanup&) = delete;
  void disarm() { armed_ = false; }

  std::string home;

 private:
  const compute::registry& computes_;
  std::string name_;
  bool armed_ = true;
};

/// Where the compute lives: below the server's directory, or, if Postgres's user can't get there, in /var/tmp.
std::string choose_home(const compute::registry& computes, const std::string& name,
                        const std::optional<compute::account>& account) {
  const std::string here = fs::absolute(computes.directory_of(name)).lexically_normal();
  if (account) {
    // Ours to open: the way through, not the right to look around.
    ::chmod(fs::path(here).parent_path().c_str(), 0711);
    ::chmod(here.c_str(), 0711);
  }
  if (!account || compute::can_reach(*account, here + "/data")) return here;
  auto elsewhere = need(make_home_elsewhere(), "can't make a directory for the compute", "");
  ::chmod(elsewhere.c_str(), 0711);
  say("note: user " + account->name + " can't reach " + here + "; the data go to " + elsewhere);
  return elsewhere;
}

std::string choose_socket_directory(const std::string& home, const std::optional<compute::account>& account) {
  std::string near = home + "/socket";
  if (near.size() <= compute::socket_directory_max) return near;
  auto elsewhere = need(make_home_elsewhere(), "can't make a directory for the socket", "");
  if (account) need(compute::give(*account, elsewhere), "can't hand the socket's directory over", "");
  return elsewhere;
}

void restore(const server_link& server, const branch_entry& branch, core::lsn at, const std::string& directory,
             bool quiet) {
  auto unpacker = need(compute::data_directory_unpacker::open(directory), "can't make the data directory", "");
  progress line(quiet);
  const auto done = server.api().download(
      branch.path() + "/export", {{"lsn", core::to_string(at)}}, [&](core::bytes_view part) -> core::result<void> {
        STRATA_TRY(unpacker->feed(part));
        line.show("restoring " + branch.name, config::size_text(unpacker->bytes_written()));
        return {};
      });
  line.end();
  need(done, "can't restore " + branch.name, "strata branch show " + branch.name);
  need(unpacker->finish(), "can't restore " + branch.name, "strata branch show " + branch.name);
}

std::string pg_bin_for(const context& of, const server_link& server, int major) {
  const std::string& given = of.pg_bin.empty() ? server.file().pg_bin : of.pg_bin;
  return need(compute::find_postgres(major, {given, variable("STRATA_PG_BIN"), variable("PATH")}),
              "can't find Postgres " + std::to_string(major), "sudo apt install postgresql-" + std::to_string(major));
}

compute::postgres_options options_of(const compute_record& record) {
  return {.bin_directory = record.bin_directory,
          .data_directory = record.data_directory,
          .socket_directory = record.socket_directory,
          .port = record.port,
          .log_file = record.log_file,
          .run_as = need(compute::postgres_account(), "can't start Postgres", "sudo apt install postgresql")};
}

/// Writes go into the branch if it has safekeepers to keep them, or the server has some to give. A root follows its
/// source: nobody else may write it.
compute_mode mode_of(const server_link& server, const branch_entry& branch, const config::branch_spec& spec) {
  if (!std::holds_alternative<config::branch_head>(spec.at) || branch.text("ancestor_timeline_id").empty())
    return compute_mode::copy;
  const std::string path = branch.path() + "/safekeepers";
  const bool can_assign = !server.file().broker.empty();
  const auto keepers = can_assign ? server.api().post(path, nlohmann::json::object()) : server.api().get(path);
  if (keepers) return compute_mode::branch;
  if (!can_assign && keepers.error().code == core::errc::not_found) return compute_mode::copy;
  throw failure(keepers.error(), "can't get safekeepers for " + branch.name, "strata status");
}

compute_record start_on_copy(const context& of, const server_link& server, const branch_entry& branch, core::lsn at,
                             compute_record record) {
  record.at = at;
  restore(server, branch, at, record.data_directory, of.json);
  const auto options = options_of(record);
  need(compute::write_settings(options, record.settings), "can't configure the compute", "");
  need(compute::start_postgres(options), "Postgres did not start on " + branch.name,
       "strata branch show " + branch.name);
  record.started = core::system_clock().now();
  need(compute::registry(of.directory).save(record), "can't remember the compute", "");
  return record;
}

compute_record start_on_branch(const context& of, compute_record record) {
  const compute::registry computes(of.directory);
  for (const auto& other : need(computes.list(), "can't list the computes"))
    if (other.mode == compute_mode::branch && other.timeline_id == record.timeline_id && other.name != record.name &&
        agent_of(of, other.name))
      say("note: compute " + other.name + " writes " + record.branch + " now; it is stopped as soon as " + record.name +
          " has taken over");
  record.started = core::system_clock().now();
  need(computes.save(record), "can't remember the compute", "");
  const auto status = start_agent(of, record);
  record.at = status.start_lsn;
  return record;
}

}  // namespace

compute_record start_compute(const context& of, const compute_request& wanted) {
  const auto spec = parse_spec(wanted.spec);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  const resolved_point point = resolve(server, branch, spec.at);

  compute_record record;
  record.mode = mode_of(server, branch, spec);
  record.tenant = branch.source.name;
  record.branch = branch.name;
  record.tenant_id = need(core::parse_id<core::tenant_id>(branch.source.id), "the server's answer makes no sense");
  record.timeline_id = need(core::parse_id<core::timeline_id>(branch.id), "the server's answer makes no sense");
  record.pg_major = branch.info.value("pg_version", 0);
  record.user = user_of(server, branch);
  record.database = database_of(server, branch);
  record.name = wanted.name.empty() ? default_name(spec, branch, point.at) : wanted.name;
  record.settings = wanted.settings;
  need(config::check_name("compute", record.name), "can't start a compute", "strata compute start --help");
  record.bin_directory = pg_bin_for(of, server, record.pg_major);
  const auto account = need(compute::postgres_account(), "can't start Postgres", "sudo apt install postgresql");
  if (wanted.port != 0)
    need(compute::check_port(wanted.port), "can't start a compute", "leave --port out to get a free one");

  const compute::registry computes(of.directory);
  need(computes.claim(record.name), "can't start a compute",
       "strata compute list; strata compute stop " + record.name + "; or choose another --name");
  cleanup leftovers(computes, record.name);
  record.home = choose_home(computes, record.name, account);
  leftovers.home = record.home;
  record.data_directory = record.home + "/data";
  record.socket_directory = choose_socket_directory(record.home, account);
  record.log_file = record.home + "/postgres.log";
  record.port = wanted.port != 0 ? wanted.port : need(compute::free_port(), "can't start a compute", "");
  if (!of.json) say("starting Postgres " + std::to_string(record.pg_major) + " on " + describe(branch, point));
  record = record.mode == compute_mode::branch ? start_on_branch(of, std::move(record))
                                               : start_on_copy(of, server, branch, point.at, std::move(record));
  leftovers.disarm();
  return record;
}

compute_record restart_compute(const context& of, compute_record record, const compute_request& wanted) {
  const std::uint16_t port = wanted.port != 0 ? wanted.port : record.port;
  const bool port_is_free = compute::check_port(port).has_value();
  if (!port_is_free && wanted.port != 0)
    need(compute::check_port(port), "can't start " + record.name, "leave --port out to get a free one");
  const bool moves = !port_is_free || port != record.port;
  record.port = port_is_free ? port : need(compute::free_port(), "can't start " + record.name, "");
  if (record.mode == compute_mode::branch) {
    if (!wanted.settings.empty()) record.settings = wanted.settings;
    return start_on_branch(of, std::move(record));
  }
  const auto options = options_of(record);
  if (moves || !wanted.settings.empty())
    need(compute::write_settings(options, wanted.settings), "can't configure " + record.name, "");
  need(compute::start_postgres(options), "Postgres did not start again", "its log is " + record.log_file);
  record.started = core::system_clock().now();
  need(compute::registry(of.directory).save(record), "can't remember the compute", "");
  return record;
}

void stop_compute(const context& of, const compute_record& record, bool remove, std::chrono::milliseconds limit) {
  if (record.mode == compute_mode::branch) stop_agent(of, record, limit);
  need(compute::stop_postgres(record.data_directory), "can't stop " + record.name, "its log is " + record.log_file);
  if (!remove) return;
  const compute::registry computes(of.directory);
  std::error_code ignored;
  fs::remove_all(record.socket_directory, ignored);
  need(computes.remove(record.name, record.home), "can't remove " + record.name, "");
}

std::vector<compute_record> computes_of(const context& of, const branch_entry& branch) {
  std::vector<compute_record> found;
  for (auto& each : need(compute::registry(of.directory).list(), "can't list the computes"))
    if (core::to_string(each.timeline_id) == branch.id && is_up(each)) found.push_back(std::move(each));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.started < b.started; });
  return found;
}

bool is_up(const compute_record& record) { return compute::running_postgres(record.data_directory).has_value(); }

bool is_busy(const context& of, const compute_record& record) {
  return is_up(record) || (record.mode == compute_mode::branch && agent_of(of, record.name));
}

std::string socket_uri(const compute_record& of) {
  return "postgresql://" + encoded(of.user) + "@/" + encoded(of.database) + "?host=" + encoded(of.socket_directory) +
         "&port=" + std::to_string(of.port);
}

std::string tcp_uri(const compute_record& of) {
  return "postgresql://" + encoded(of.user) + "@127.0.0.1:" + std::to_string(of.port) + "/" + encoded(of.database);
}

}  // namespace strata::cli
