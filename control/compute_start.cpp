#include "control/compute_start.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "config/quantity.hpp"
#include "control/agents.hpp"
#include "control/branch_server.hpp"
#include "control/branch_writers.hpp"
#include "control/compute_attempt.hpp"
#include "control/compute_choice.hpp"
#include "control/compute_places.hpp"
#include "control/compute_settings.hpp"
#include "control/computes.hpp"
#include "control/copy_start.hpp"
#include "control/failure.hpp"
#include "host/forced_settings.hpp"
#include "host/quorum_settings.hpp"
#include "host/standby_settings.hpp"

namespace strata::control {
namespace {

using host::compute_mode;
using host::compute_record;
using host::page_mode;
namespace fs = std::filesystem;

void restore(const server_link& server, const branch_entry& branch, core::lsn at, const std::string& directory) {
  progress line(server.report());
  const auto done =
      restore_branch(server.api(server_link::silence_limit), branch.path(), at, directory,
                     [&](std::uint64_t bytes) { line.show("restoring " + branch.name, config::size_text(bytes)); });
  line.end();
  need(done, "can't restore " + branch.name, "strata branch show " + branch.spec());
}

void warn_of_overruled(const scope& of, const compute_record& record) {
  auto options = options_of(record);
  if (record.mode == compute_mode::branch) options.forced = host::quorum_settings("strata");
  if (record.mode == compute_mode::read_only) options.forced = host::read_only_settings();
  if (record.mode == compute_mode::standby)
    options.forced = host::standby_settings(record.socket_directory, record.pg_major);
  const auto altered = !has_agent(record) ? host::altered_settings(record.data_directory) : std::vector<std::string>();
  auto forced = host::all_forced(options);
  // Which of the two the branch decides.
  std::erase_if(forced, [](const auto& each) { return each.starts_with("wal_level="); });
  for (const auto& line : record.settings)
    if (const auto set = host::parse_setting(line); set && set->name == "wal_level" && has_agent(record))
      of.report->note("--set \"" + line + "\" is overridden by the branch: strata branch wal-level");
  for (const auto& each : host::overruled(record.settings, forced, altered))
    of.report->note("--set \"" + each.line + "\" is overridden by " + each.by);
}

/// Writes go into the branch if it has safekeepers to keep them, or the server has some to give. A root follows its
/// source: nobody else may write it.
compute_mode mode_of(const server_link& server, const branch_entry& branch, const config::branch_spec& spec) {
  if (!std::holds_alternative<config::branch_head>(spec.at) || branch.follows_source()) return compute_mode::copy;
  const std::string path = branch.path() + "/safekeepers";
  const bool can_assign = !server.file().broker.empty();
  const auto keepers =
      can_assign ? server.api(server_link::short_limit).post(path, nlohmann::json::object()) : server.get(path);
  if (keepers) return compute_mode::branch;
  if (!can_assign && keepers.error().code == core::errc::not_found) return compute_mode::copy;
  throw failure(keepers.error(), "can't assign safekeepers to " + branch.name, "strata status");
}

/// Where the branch is not written: whether its pages may come when they are touched, because nothing is written.
bool is_read_only(const branch_entry& branch, const config::branch_spec& spec, const page_request& pages) {
  if (pages.mode) return *pages.mode != page_mode::copy;
  // The head of a branch of a server without safekeepers is for writing, though that stays in a copy.
  return !std::holds_alternative<config::branch_head>(spec.at) || branch.follows_source();
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

void start_on_copy(const server_link& server, const branch_entry& branch, const scope& of, compute_record& record) {
  restore(server, branch, record.at, record.data_directory);
  const auto options = options_of(record);
  start_copy(of, record, options);
  warn_of_overruled(of, record);
  record.started = core::system_clock().now();
}

/// Before its record is saved: each time costs two waits for the disk.
void begin_with_agent(compute_record& record) {
  record.started = core::system_clock().now();
  if (record.mode == compute_mode::branch || record.mode == compute_mode::standby) record.as_of = record.started;
}

void start_with_agent(const scope& of, compute_attempt& made) {
  auto& record = made.record();
  warn_of_overruled(of, record);
  const auto status = start_agent(of, record);
  record.at = status.start_lsn;
  for (const auto& each : status.notes) of.report->note(each);
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
  const bool follows_source = branch.follows_source();
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

void choose_control_port(compute_record& record, const compute_request& wanted) {
  if (wanted.control_port == 0) return;
  if (!has_agent(record))
    throw failure(core::errc::unsupported, "can't open a control port for " + record.name,
                  "a copy has no agent, and so no control endpoints", "omit --control-port");
  record.control_port = wanted.control_port;
}

compute_record restart(const scope& of, const compute_record& old, const compute_request& wanted) {
  const auto made = compute_attempt::at_stopped(of, old);
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
  const auto claimed = made->claim_port(port, wanted.port != 0, what);
  record.port = claimed ? *claimed : made->choose_port();
  record.armed = wanted.armed;
  choose_control_port(record, wanted);
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
  // Those of an earlier start, which may have been armed.
  check_settings(record.settings, record.armed);
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

std::unique_ptr<compute_attempt> start_new(const scope& of, const server_link& server, const target& on,
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
  auto no_other_starts = check_take_over(of, record, wanted.take_over);

  auto made = compute_attempt::at_new(of, record.name);
  made->keep(std::move(no_other_starts));
  const held_signals hold;
  record.home = choose_home(of, record.name, account);
  made->record().home = record.home;
  if (has_agent(record)) choose_pages(of, wanted.pages, record);
  // With every page in its directory it can be written, too.
  if (record.mode == compute_mode::read_only && record.pages == page_mode::copy) record.mode = compute_mode::copy;
  choose_control_port(record, wanted);
  record.data_directory = record.home + "/data";
  record.socket_directory = choose_socket_directory(record.home, account);
  record.log_file = record.home + "/postgres.log";
  record.port = wanted.port != 0 ? *made->claim_port(wanted.port, true, "can't start a compute") : made->choose_port();
  if (has_agent(record)) begin_with_agent(record);
  made->remember(record);
  return made;
}

std::unique_ptr<compute_attempt> start_at(const scope& of, const server_link& server, const target& on,
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

compute_record start_compute(const scope& of, compute_request wanted) {
  const auto spec = parse_spec(wanted.spec);
  check_settings(wanted.settings, true);
  std::optional<server_link> server;
  try {
    server.emplace(of);
  } catch (const failure&) {
    const auto copy = stopped_copy(of, wanted, spec);
    if (!copy) throw;
    check_settings(wanted.settings, wanted.armed);
    return restart(of, *copy, wanted);
  }
  const branch_entry branch = branch_to_start(*server, of, spec);
  // It is a database of its own, and a branch of none.
  if (branch.is_own_root() && !wanted.standby && std::holds_alternative<config::branch_head>(spec.at))
    wanted.armed = true;
  check_settings(wanted.settings, wanted.armed);
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
  std::unique_ptr<compute_attempt> made;
};

temporary_compute::temporary_compute(const scope& of, compute_request wanted)
    : of_(of), parts_(std::make_unique<parts>()) {
  const auto spec = parse_spec(wanted.spec);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  const resolved_point point = resolve(server, branch, spec.at);
  if (wanted.name.empty()) wanted.name = "psql-" + std::to_string(::getpid());
  parts_->made = start_at(of, server, {spec, branch, compute_mode::read_only, point}, wanted, true);
  parts_->made->record().ready = true;
  parts_->made->save();
}
temporary_compute::~temporary_compute() = default;
const compute_record& temporary_compute::record() const { return parts_->made->record(); }
void temporary_compute::remove() {
  stop_compute(of_, record(), true);
  parts_.reset();
}

}  // namespace strata::control
