#include "control/computes.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "config/quantity.hpp"
#include "control/agents.hpp"
#include "control/branch_server.hpp"
#include "control/branch_writers.hpp"
#include "control/compute_choice.hpp"
#include "control/compute_settings.hpp"
#include "control/discard.hpp"
#include "control/failure.hpp"
#include "control/filler.hpp"
#include "core/url.hpp"
#include "host/forced_settings.hpp"
#include "host/free_port.hpp"
#include "host/postgres_install.hpp"
#include "host/postgres_process.hpp"
#include "host/quorum_settings.hpp"
#include "host/standby_settings.hpp"

namespace strata::control {
namespace {

using host::compute_mode;
using host::compute_record;
using host::page_mode;
namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A directory of this name for everybody's data, outside the server's directory.
core::result<std::string> make_home_elsewhere() {
  std::string pattern = std::string(host::elsewhere_prefix) + "XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return core::from_errno("make " + pattern, errno);
  return pattern;
}

/// Where the compute lives: below the server's directory, or, if Postgres's user can't get there, in /var/tmp.
std::string choose_home(const scope& of, const std::string& name, const std::optional<host::account>& account) {
  const host::registry computes(of.directory);
  const std::string here = fs::absolute(computes.directory_of(name)).lexically_normal();
  if (account) {
    // Ours to open: the way through, not the right to look around.
    ::chmod(fs::path(here).parent_path().c_str(), 0711);
    ::chmod(here.c_str(), 0711);
  }
  if (!account || host::can_reach(*account, here + "/data")) return here;
  auto elsewhere = need(make_home_elsewhere(), "can't make a directory for the compute", "");
  ::chmod(elsewhere.c_str(), 0711);
  of.report->warn("user " + account->name + " has no access to " + here + "; the data is stored in " + elsewhere);
  return elsewhere;
}

std::string choose_socket_directory(const std::string& home, const std::optional<host::account>& account) {
  std::string near = home + "/socket";
  if (near.size() <= host::socket_directory_max) return near;
  auto elsewhere = need(make_home_elsewhere(), "can't make a directory for the socket", "");
  if (account) need(host::give(*account, elsewhere), "can't change the owner of the socket's directory", "");
  return elsewhere;
}

void restore(const server_link& server, const branch_entry& branch, core::lsn at, const std::string& directory) {
  progress line(server.report());
  const auto done = restore_branch(server.api(), branch.path(), at, directory, [&](std::uint64_t bytes) {
    line.show("restoring " + branch.name, config::size_text(bytes));
  });
  line.end();
  need(done, "can't restore " + branch.name, "strata branch show " + branch.spec());
}

/// Directories named on this command line are not passed over in silence; those of the server are for all its sources.
std::string pg_bin_for(const scope& of, const std::string& of_server, int major) {
  const std::string& given = of.pg_bin.empty() ? of_server : of.pg_bin;
  const std::string version = "Postgres " + std::to_string(major);
  auto found = need(host::find_postgres(major, {given, variable("STRATA_PG_BIN"), variable("PATH")}),
                    "can't find " + version, "sudo apt install postgresql-" + std::to_string(major));
  const bool is_named = (":" + of.pg_bin + ":").find(":" + found + ":") != std::string::npos;
  if (!of.pg_bin.empty() && !is_named) of.report->note("no " + version + " in " + of.pg_bin + "; using " + found);
  return found;
}

host::postgres_options options_of(const compute_record& record) {
  return {.bin_directory = record.bin_directory,
          .data_directory = record.data_directory,
          .socket_directory = record.socket_directory,
          .port = record.port,
          .log_file = record.log_file,
          .run_as = need(host::postgres_account(), "can't start Postgres", "sudo apt install postgresql"),
          .armed = record.armed};
}

void warn_of_overruled(const scope& of, const compute_record& record) {
  auto options = options_of(record);
  if (record.mode == compute_mode::branch) options.forced = host::quorum_settings("strata");
  if (record.mode == compute_mode::read_only) options.forced = host::read_only_settings();
  if (record.mode == compute_mode::standby)
    options.forced = host::standby_settings(record.socket_directory, record.pg_major);
  const auto altered = !has_agent(record) ? host::altered_settings(record.data_directory) : std::vector<std::string>();
  for (const auto& each : host::overruled(record.settings, host::all_forced(options), altered))
    of.report->note("--set \"" + each.line + "\" is overridden by " + each.by);
}

/// Writes go into the branch if it has safekeepers to keep them, or the server has some to give. A root follows its
/// source: nobody else may write it.
compute_mode mode_of(const server_link& server, const branch_entry& branch, const config::branch_spec& spec) {
  if (!std::holds_alternative<config::branch_head>(spec.at) || branch.text("ancestor_timeline_id").empty())
    return compute_mode::copy;
  const std::string path = branch.path() + "/safekeepers";
  const bool can_assign = !server.file().broker.empty();
  const auto keepers = can_assign ? server.api().post(path, nlohmann::json::object()) : server.get(path);
  if (keepers) return compute_mode::branch;
  if (!can_assign && keepers.error().code == core::errc::not_found) return compute_mode::copy;
  throw failure(keepers.error(), "can't assign safekeepers to " + branch.name, "strata status");
}

/// Where the branch is not written: whether its pages may come when they are touched, because nothing is written.
bool is_read_only(const branch_entry& branch, const config::branch_spec& spec, const page_request& pages) {
  if (pages.mode) return *pages.mode != page_mode::copy;
  // The head of a branch of a server without safekeepers is for writing, though that stays in a copy.
  return !std::holds_alternative<config::branch_head>(spec.at) || branch.text("ancestor_timeline_id").empty();
}

/// A standby is of the head, of a branch from which WAL comes.
void require_followable(const server_link& server, const branch_entry& branch, const config::branch_spec& spec) {
  const std::string what = "can't start a standby of " + branch.name;
  if (!std::holds_alternative<config::branch_head>(spec.at))
    throw failure(core::errc::invalid_argument, what, "a standby follows the head of its branch, from no other point",
                  "strata compute start " + branch.name + " --standby");
  if (branch.info.contains("source") || mode_of(server, branch, spec) == compute_mode::branch) return;
  throw failure(core::errc::unsupported, what, "it follows no source and has no safekeepers, so its head does not move",
                "strata compute start " + branch.name);
}

/// Of a directory without a record: whether it is missing, or its command was killed before there was anything in it.
/// With data it is a compute that has lost its record.
bool is_empty(const host::registry& computes, const std::string& name, const core::error& no_record) {
  return no_record.code == core::errc::not_found && !fs::exists(computes.remains_of(name).data_directory);
}

/// A compute that is being made or started: whatever ends that, the compute is as it was before.
class attempt {
 public:
  /// Of a new one: takes its name.
  static std::unique_ptr<attempt> at_new(const scope& of, const std::string& name) {
    const held_signals hold;
    const host::registry computes(of.directory);
    remove_remains(of, name);
    auto lock = need(computes.claim(name), "can't start a compute",
                     "strata compute stop " + name + " --remove; or choose another --name");
    return std::make_unique<attempt>(of, computes.remains_of(name), std::move(lock), false);
  }
  static std::unique_ptr<attempt> at_stopped(const scope& of, const compute_record& record) {
    const held_signals hold;
    auto lock = need(host::start_lock::take(host::registry(of.directory).directory_of(record.name)),
                     "can't start " + record.name, "strata compute list");
    return std::make_unique<attempt>(of, record, std::move(lock), true);
  }

  attempt(const scope& of, compute_record record, host::start_lock lock, bool keep)
      : of_(of),
        record_(std::move(record)),
        keep_(keep),
        lock_(std::move(lock)),
        on_signal_(discard_words(of.directory, record_.name, keep)) {}
  ~attempt() {
    if (done_) return;
    [[maybe_unused]] const auto stopped = host::stop_postgres(record_.data_directory);
    [[maybe_unused]] const auto removed = keep_ ? remove_mount(record_.data_directory) : remove_files(of_, record_);
  }
  attempt(const attempt&) = delete;
  attempt& operator=(const attempt&) = delete;

  /// From now on found by others, if this process dies.
  void remember(const compute_record& record) {
    record_ = record;
    save();
  }
  compute_record& record() { return record_; }
  /// Nobody else is given it while the compute starts.
  std::uint16_t choose_port() {
    port_.emplace(need(host::claimed_port::choose(), "can't start a compute", ""));
    return port_->number();
  }
  void keep(std::optional<writer_lock> lock) { no_other_starts_ = std::move(lock); }
  void save() { need(host::registry(of_.directory).save(record_), "can't store the compute's record"); }
  void succeed() {
    record_.ready = true;
    save();
    done_ = true;
  }

 private:
  /// What a start that was killed has left under this name, or a psql of which it was the temporary one.
  static void remove_remains(const scope& of, const std::string& name) {
    const host::registry computes(of.directory);
    std::error_code failed;
    if (!fs::exists(computes.directory_of(name), failed)) return;
    const auto lock = host::start_lock::take(computes.directory_of(name));
    if (!lock) return;
    // Nobody is at work on it but we, and perhaps an agent that is about to notice that its command is gone.
    const auto found = computes.load(name);
    if (found ? found->ready && !found->temporary : agent_of(of, name) || !is_empty(computes, name, found.error()))
      return;
    const auto record = found ? *found : computes.remains_of(name);
    of.report->note("removing compute " + name + ", left by an interrupted command");
    stop_agent(of, record);
    need(host::abandon_postgres(record.data_directory), "can't stop interrupted compute " + name,
         "strata compute list");
    need(remove_files(of, record), "can't remove interrupted compute " + name, "strata compute list");
  }

  const scope& of_;
  compute_record record_;
  bool keep_;
  bool done_ = false;
  host::start_lock lock_;
  std::optional<host::claimed_port> port_;
  std::optional<writer_lock> no_other_starts_;
  discard_on_signal on_signal_;
};

void start_on_copy(const server_link& server, const branch_entry& branch, const scope& of, compute_record& record) {
  restore(server, branch, record.at, record.data_directory);
  const auto options = options_of(record);
  need(host::write_settings(options, record.settings), "can't configure the compute", "");
  warn_of_overruled(of, record);
  need(host::start_postgres(options), "Postgres did not start on " + branch.name,
       next_after_failed_start(record, "strata branch show " + branch.spec()));
  record.started = core::system_clock().now();
}

/// Before its record is saved: each time costs two waits for the disk.
void begin_with_agent(compute_record& record) {
  record.started = core::system_clock().now();
  if (record.mode == compute_mode::branch || record.mode == compute_mode::standby) record.as_of = record.started;
}

void start_with_agent(const scope& of, attempt& made) {
  auto& record = made.record();
  warn_of_overruled(of, record);
  record.at = start_agent(of, record).start_lsn;
}

std::string name_for(const scope& of, const compute_request& wanted, const std::vector<std::string>& choices) {
  if (!wanted.name.empty()) return wanted.name;
  const host::registry computes(of.directory);
  for (const auto& each : choices) {
    const auto found = computes.find(each);
    if (!found && is_empty(computes, each, found.error()) && !agent_of(of, each)) return each;
    if (found && state_of(of, *found) == "interrupted") return each;
  }
  return choices.front();
}

/// The stopped compute of a branch's head that is started again, and not one that only has its name.
std::optional<compute_record> stopped_before(const scope& of, const compute_request& wanted, const branch_entry& branch,
                                             const config::branch_spec& spec) {
  if (!std::holds_alternative<config::branch_head>(spec.at)) return std::nullopt;
  const auto names = wanted.name.empty() ? default_names(branch.source.name, branch.name, {}, wanted.standby)
                                         : std::vector<std::string>{wanted.name};
  const core::lsn head = need(core::parse_lsn(branch.text("last_record_lsn")), "the server's answer is invalid");
  const bool follows_source = branch.text("ancestor_timeline_id").empty();
  for (auto& each : computes_of(of, branch.source.id, branch.id)) {
    if (std::find(names.begin(), names.end(), each.name) == names.end() || state_of(of, each) == "interrupted")
      continue;
    const bool is_standby = each.mode == compute_mode::standby;
    if (wanted.standby != is_standby && (wanted.standby || wanted.name.empty()))
      throw failure(core::errc::conflict, "can't start a compute as " + each.name,
                    is_standby ? "there is a standby of that name" : "there is a compute of that name, and no standby",
                    "choose another --name; or strata compute stop " + each.name + " --remove");
    // One that shows an older state is reached by its own name only.
    if (wanted.name.empty() && !follows_source && !is_standby && !shows_present(each, head)) continue;
    // Another copy does no harm; another writer ends this one.
    // What a killed agent has left is ended by the next one.
    if (has_agent(each) ? agent_of(of, each.name).has_value() : is_busy(of, each))
      throw failure(core::errc::conflict, "compute " + each.name + " is already running",
                    "it is " + state_of(of, each) + " at " + socket_uri(each),
                    "strata psql --compute " + each.name +
                        (each.mode != compute_mode::branch ? "; or start another one with --name" : ""));
    return std::move(each);
  }
  return std::nullopt;
}

/// While the server is away: a copy needs nothing of it.
std::optional<compute_record> stopped_copy(const scope& of, const compute_request& wanted,
                                           const config::branch_spec& spec) {
  const auto found = host::registry(of.directory).find(wanted.name.empty() ? spec.branch : wanted.name);
  const std::string& source = spec.tenant.empty() ? of.tenant : spec.tenant;
  if (!found || found->mode != compute_mode::copy || found->branch != spec.branch || !found->ready ||
      !std::holds_alternative<config::branch_head>(spec.at) || (!source.empty() && found->tenant != source) ||
      is_up(*found))
    return std::nullopt;
  return *found;
}

/// A reader begins where it was, which the server may have collected since: it was not leased while it was stopped.
void require_history_of(const scope& of, const compute_record& record) {
  if (record.mode != compute_mode::read_only) return;
  const auto leased = branch_server(of, record).lease(record.at);
  if (leased || core::advice_for(leased.error().code) == core::advice::retry_later) return;
  throw failure(
      leased.error(),
      "can't start " + record.name + ", which reads " + record.branch + " as of " + core::to_string(record.at),
      "strata compute stop " + record.name + " --remove; then start one at another point");
}

compute_record restart(const scope& of, const compute_record& old, const compute_request& wanted) {
  const auto made = attempt::at_stopped(of, old);
  auto& record = made->record();
  const std::string what = "can't start " + record.name;
  of.report->tell("resuming compute " + record.name + ", " +
                  (record.mode == compute_mode::branch    ? "with all commits of the branch"
                   : record.mode == compute_mode::standby ? "which follows the branch"
                   : has_agent(record)
                       ? "which reads the branch as of " + to_string(record.at)
                       : "a copy " + age_of(record, core::system_clock().now()) + " old, with its changes"));
  const auto no_other_starts = check_take_over(of, record, wanted.take_over);
  require_history_of(of, record);
  // A killed agent's ends a moment after it, or not at all, and has the port so long.
  if (has_agent(record)) need(host::abandon_postgres(record.data_directory), what, "");
  const std::uint16_t port = wanted.port != 0 ? wanted.port : record.port;
  const bool port_is_free = host::check_port(port).has_value();
  if (!port_is_free && wanted.port != 0) need(host::check_port(port), what, "omit --port to use a free one");
  record.port = port_is_free ? port : made->choose_port();
  record.armed = wanted.armed;
  if (!has_agent(record) && wanted.pages.mode.value_or(page_mode::copy) != page_mode::copy)
    throw failure(core::errc::conflict, what, "it is a stopped copy, which has its pages",
                  "omit --pages; or use another --name; or strata compute stop " + record.name + " --remove");
  if (has_agent(record)) choose_pages(of, wanted.pages, record);
  if (!of.pg_bin.empty()) record.bin_directory = pg_bin_for(of, "", record.pg_major);
  if (!wanted.settings.empty()) {
    for (const auto& line : record.settings)
      if (std::find(wanted.settings.begin(), wanted.settings.end(), line) == wanted.settings.end())
        of.report->note("the earlier --set \"" + line + "\" is replaced");
    record.settings = wanted.settings;
  }
  if (record.socket_directory.empty())
    record.socket_directory = choose_socket_directory(record.home, options_of(record).run_as);
  if (has_agent(record)) {
    begin_with_agent(record);
    made->save();
    start_with_agent(of, *made);
  } else {
    if (!fs::exists(record.data_directory + "/PG_VERSION"))
      throw failure(core::errc::not_found, what, "its data is missing from " + record.data_directory,
                    "strata compute stop " + record.name + " --remove");
    const auto options = options_of(record);
    need(host::replace_settings(options, record.settings), "can't configure " + record.name, "");
    warn_of_overruled(of, record);
    need(host::start_postgres(options), "Postgres did not start again",
         next_after_failed_start(record, "its log is " + record.log_file));
    record.started = core::system_clock().now();
  }
  made->succeed();
  return record;
}

struct target {
  config::branch_spec spec;
  branch_entry branch;
  compute_mode mode = compute_mode::copy;
  resolved_point point;  ///< of a copy: where a writer begins the safekeepers decide
};

std::unique_ptr<attempt> start_new(const scope& of, const server_link& server, const target& on,
                                   const compute_request& wanted, bool temporary) {
  const auto& [spec, branch, mode, point] = on;
  const bool head = std::holds_alternative<config::branch_head>(spec.at);
  compute_record record;
  record.mode = mode;
  record.tenant = branch.source.name;
  record.branch = branch.name;
  record.tenant_id = need(core::parse_id<core::tenant_id>(branch.source.id), "the server's answer is invalid");
  record.timeline_id = need(core::parse_id<core::timeline_id>(branch.id), "the server's answer is invalid");
  record.pg_major = branch.info.value("pg_version", 0);
  const auto [user, database] = source_login_of(server, branch);
  record.user = user;
  record.database = database;
  record.name = name_for(of, wanted,
                         default_names(branch.source.name, branch.name, head ? core::lsn() : point.at, wanted.standby));
  record.settings = wanted.settings;
  record.armed = wanted.armed;
  record.temporary = temporary;
  record.ready = false;
  record.as_of = head || !point.time ? known_at(branch) : *point.time;
  if (record.mode != compute_mode::branch) record.at = point.at;
  need(config::check_name("compute", record.name), "can't start a compute", "strata compute start --help");
  record.bin_directory = pg_bin_for(of, server.file().pg_bin, record.pg_major);
  const auto account = need(host::postgres_account(), "can't start Postgres", "sudo apt install postgresql");
  if (wanted.port != 0) need(host::check_port(wanted.port), "can't start a compute", "omit --port to use a free one");
  auto no_other_starts = check_take_over(of, record, wanted.take_over);

  auto made = attempt::at_new(of, record.name);
  made->keep(std::move(no_other_starts));
  const held_signals hold;
  record.home = choose_home(of, record.name, account);
  made->record().home = record.home;
  if (has_agent(record)) choose_pages(of, wanted.pages, record);
  // With every page in its directory it can be written, too.
  if (record.mode == compute_mode::read_only && record.pages == page_mode::copy) record.mode = compute_mode::copy;
  record.data_directory = record.home + "/data";
  record.socket_directory = choose_socket_directory(record.home, account);
  record.log_file = record.home + "/postgres.log";
  record.port = wanted.port != 0 ? wanted.port : made->choose_port();
  if (has_agent(record)) begin_with_agent(record);
  made->remember(record);
  return made;
}

std::unique_ptr<attempt> start_at(const scope& of, const server_link& server, const target& on,
                                  const compute_request& wanted, bool temporary) {
  auto made = start_new(of, server, on, wanted, temporary);
  auto& record = made->record();
  of.report->tell("starting Postgres " + std::to_string(record.pg_major) + " on " +
                  (on.mode == compute_mode::branch    ? on.branch.name
                   : on.mode == compute_mode::standby ? on.branch.name + ", as a standby"
                                                      : describe(on.branch, on.point)) +
                  (record.armed ? ", armed" : ", without logical replication workers"));
  if (has_agent(record))
    start_with_agent(of, *made);
  else
    start_on_copy(server, on.branch, of, record);
  return made;
}

/// A compute's name where a branch's belongs is told from an unknown one.
branch_entry branch_to_start(const server_link& server, const scope& of, const config::branch_spec& spec) {
  try {
    return find_branch(server, of, spec);
  } catch (const failure& e) {
    const auto compute = host::registry(of.directory).find(spec.branch);
    if (e.code() != core::errc::not_found || !compute) throw;
    throw failure(e.code(), e.what(), "\"" + spec.branch + "\" is a compute on " + compute->branch,
                  "strata compute start " + compute->tenant + "/" + compute->branch + " --name " + compute->name);
  }
}

}  // namespace

compute_record start_compute(const scope& of, const compute_request& wanted) {
  const auto spec = parse_spec(wanted.spec);
  check_settings(wanted.settings, wanted.armed);
  std::optional<server_link> server;
  try {
    server.emplace(of);
  } catch (const failure&) {
    const auto copy = stopped_copy(of, wanted, spec);
    if (!copy) throw;
    return restart(of, *copy, wanted);
  }
  const branch_entry branch = branch_to_start(*server, of, spec);
  if (const auto old = stopped_before(of, wanted, branch, spec)) return restart(of, *old, wanted);
  if (wanted.standby) require_followable(*server, branch, spec);
  compute_mode mode = wanted.standby ? compute_mode::standby : mode_of(*server, branch, spec);
  if (mode == compute_mode::copy && is_read_only(branch, spec, wanted.pages)) mode = compute_mode::read_only;
  // Where a writer or a standby begins is decided when it does.
  const bool has_point = mode == compute_mode::copy || mode == compute_mode::read_only;
  const resolved_point point = has_point ? resolve(*server, branch, spec.at) : resolved_point();
  const auto made = start_at(of, *server, {spec, branch, mode, point}, wanted, false);
  made->succeed();
  return made->record();
}

struct temporary_compute::parts {
  std::unique_ptr<attempt> made;
};

temporary_compute::temporary_compute(const scope& of, const std::string& spec_text)
    : of_(of), parts_(std::make_unique<parts>()) {
  const auto spec = parse_spec(spec_text);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  const resolved_point point = resolve(server, branch, spec.at);
  parts_->made = start_at(of, server, {spec, branch, compute_mode::read_only, point},
                          {.spec = spec_text, .name = "psql-" + std::to_string(::getpid())}, true);
  parts_->made->record().ready = true;
  parts_->made->save();
}
temporary_compute::~temporary_compute() = default;
const compute_record& temporary_compute::record() const { return parts_->made->record(); }
void temporary_compute::remove() {
  stop_compute(of_, record(), true);
  parts_.reset();
}

void stop_compute(const scope& of, const compute_record& record, bool remove, std::chrono::milliseconds limit) {
  if (agent_of(of, record.name)) stop_agent(of, record, limit);
  need(host::stop_postgres(record.data_directory), "can't stop " + record.name, "its log is " + record.log_file);
  if (remove) need(remove_files(of, record), "can't remove " + record.name, "");
}

std::vector<compute_record> list_computes(const scope& of) {
  auto found = need(host::registry(of.directory).list(), "can't list the computes");
  // A command looks more than once, and tells it once.
  static std::set<std::string> told;
  for (const auto& each : found.damaged) {
    if (!told.insert(each.name).second) continue;
    const bool is_writing = agent_of(of, each.name).has_value();
    of.report->warn("compute " + each.name + " is skipped: " + each.why.detail +
                    (is_writing
                         ? "; its agent is running and writes a branch; strata compute stop " + each.name + " stops it"
                         : "; strata compute stop " + each.name + " --remove removes it"));
  }
  return std::move(found.computes);
}

std::vector<compute_record> computes_of(const scope& of, const std::string& tenant, const std::string& timeline) {
  auto found = list_computes(of);
  std::erase_if(found, [&](const auto& each) {
    return core::to_string(each.tenant_id) != tenant ||
           (!timeline.empty() && core::to_string(each.timeline_id) != timeline);
  });
  return found;
}

std::vector<compute_record> running_computes_of(const scope& of, const branch_entry& branch) {
  auto found = computes_of(of, branch.source.id, branch.id);
  std::erase_if(found, [](const auto& each) { return !is_up(each) || each.temporary; });
  return found;
}

std::string state_of(const scope& of, const compute_record& record) {
  const bool has_command = host::start_lock::is_held(host::registry(of.directory).directory_of(record.name));
  // An agent whose command was killed before it was done ends, a Postgres on a copy does not.
  if (!has_command && (record.temporary || !record.ready)) return "interrupted";
  if (has_agent(record)) {
    if (has_agent_status(of, record.name)) return host::to_string(status_of(of, record).state);
    return has_command || agent_of(of, record.name) ? "starting" : "stopped";
  }
  if (!record.ready) return "starting";
  return is_up(record) ? "running" : "stopped";
}

void require_no_computes(const std::vector<compute_record>& computes, const scope& of, const std::string& doing,
                         bool force) {
  if (force) return;
  std::string names;
  for (const auto& each : computes) {
    const bool busy = is_busy(of, each);
    // What goes without loss is no reason: the directory of one that wrote the branch, and what was never finished.
    if (!busy && (has_agent(each) || state_of(of, each) == "interrupted")) continue;
    names += (names.empty() ? "" : ", ") + each.name + " (" +
             (busy ? state_of(of, each) : "a stopped copy, with its changes") + ")";
  }
  if (names.empty()) return;
  throw failure(core::errc::conflict, doing, "it has computes: " + names,
                "strata compute stop NAME --remove; or add --force to stop them and remove their data");
}

void remove_computes(const scope& of, const std::vector<compute_record>& computes) {
  for (const auto& each : computes) {
    try {
      // Its branch is gone, and so are those who could acknowledge anything.
      stop_compute(of, each, true, std::chrono::seconds(5));
      of.report->tell("removed compute " + each.name +
                      (each.mode == compute_mode::branch    ? ", the writer of the branch"
                       : each.mode == compute_mode::standby ? ", a standby of the branch"
                       : has_agent(each)                    ? ", a reader of the branch"
                                                            : ", a copy of the branch"));
    } catch (const failure& e) {
      if (!is_busy(of, each) && remove_files(of, each)) continue;
      of.report->failed(e);
    }
  }
}

bool is_up(const compute_record& record) { return host::running_postgres(record.data_directory).has_value(); }

bool is_busy(const scope& of, const compute_record& record) { return is_up(record) || agent_of(of, record.name); }

login login_to(const compute_record& of, const login& wanted) {
  return {wanted.user.empty() ? of.user : wanted.user, wanted.database.empty() ? of.database : wanted.database};
}

std::string socket_uri(const compute_record& of, const login& as) {
  const login to = login_to(of, as);
  return "postgresql://" + core::url_encoded(to.user) + "@/" + core::url_encoded(to.database) +
         "?host=" + core::url_encoded(of.socket_directory, "/") + "&port=" + std::to_string(of.port);
}

std::string tcp_uri(const compute_record& of, const login& as) {
  const login to = login_to(of, as);
  return "postgresql://" + core::url_encoded(to.user) + "@127.0.0.1:" + std::to_string(of.port) + "/" +
         core::url_encoded(to.database);
}

}  // namespace strata::control
