#include "actors/compute/compute_agent.hpp"

#include <unistd.h>

#include "actors/compute/branch_directory.hpp"
#include "actors/compute/command_watch.hpp"
#include "actors/compute/compute_lifecycle.hpp"
#include "actors/compute/control_reports.hpp"
#include "actors/compute/lasting_keeper.hpp"
#include "actors/compute/page_supply.hpp"
#include "actors/compute/postgres_stream.hpp"
#include "actors/compute/proposer_lifecycle.hpp"
#include "actors/compute/server_options.hpp"
#include "actors/compute/server_process.hpp"
#include "actors/compute/standby_side.hpp"
#include "actors/compute/status_file.hpp"
#include "actors/compute/wal_feed.hpp"
#include "actors/compute/wal_proposer.hpp"
#include "actors/compute/watched_log.hpp"
#include "actors/compute/writer_side.hpp"
#include "actors/runtime/actor_base.hpp"
#include "host/local_position.hpp"
#include "host/postgres_process.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::actors::compute {
namespace {

using host::agent_state;
using host::branch_access;

struct look_due {};
struct retry_is_due {};
struct poll_due {};
struct filler_due {};
using private_compute_agent =
    proposer_owner_actor::extend<messages::accepts<runtime::socket_ready>, messages::accepts<look_due>,
                                 messages::accepts<retry_is_due>, messages::accepts<poll_due>,
                                 messages::accepts<filler_due>, messages::accepts<end_wanted>,
                                 messages::accepts<settings_adopted>>;

class compute_agent final : public runtime::actor_base<private_compute_agent> {
 public:
  static constexpr const char* kind = "compute.agent";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  compute_agent(const runtime::actor_setup& setup, compute_agent_options options)
      : actor_base(setup), options_(std::move(options)) {
    host::agent_status& status = reports_.file.content();
    status.pid = ::getpid();
    status.tenant_id = options_.record.tenant_id;
    status.timeline_id = options_.record.timeline_id;
    status.branch = options_.record.tenant + "/" + options_.record.branch;
    status.port = options_.record.port;
    status.control_port = options_.control_port;
    status.since = clock().now();
  }

  void on_start() {
    tell(options_.control, agent_introduced{self()});
    report(status_now());
    step(writes()    ? agent_begun{}
         : follows() ? agent_begun{.at = {}, .follows = true}
                     : agent_begun{.at = options_.record.at});
    on(look_due{});
  }
  void on_stop() { step(stop_wanted{}); }

 private:
  friend actor_base;
  static constexpr std::chrono::milliseconds look_interval{200};
  static constexpr std::chrono::milliseconds poll_interval{5};
  static constexpr std::chrono::milliseconds retry_interval{1000};

  [[nodiscard]] const std::shared_ptr<branch_access>& branch() const { return options_.branch; }
  [[nodiscard]] bool writes() const { return options_.record.mode == host::compute_mode::branch; }
  [[nodiscard]] bool follows() const { return options_.record.mode == host::compute_mode::standby; }

  // -- the machine --------------------------------------------------------------------------------------------------

  void step(const life_input& input) {
    const agent_state before = life_.state();
    const auto effects = life_.step(input, clock().monotonic());
    if (life_.state() != before) {
      host::agent_status& status = reports_.file.content();
      const auto now = clock().now();
      if (before < agent_state::running) status.steps[static_cast<std::size_t>(before)] = now - status.since;
      if (before >= agent_state::running) status.steps = {};
      status.since = now;
      describe(host::to_string(life_.state()));
      core::log_info(name() + ": " + host::to_string(life_.state()) +
                     (life_.detail().empty() ? "" : ": " + life_.detail()));
      report(status_now());
    }
    for (const auto& effect : effects) std::visit([this](const auto& each) { carry_out(each); }, effect);
    save();
  }

  void on(const proposer_elected& event) {
    branch_.lasting.fetch({}, event.in.value);
    step(won_election{event.in});
  }
  void on(const proposer_synced& event) { step(start_is_safe{event.start}); }
  void on(const proposer_superseded& event) {
    // Before anything else: no client may receive an answer from it any more.
    server_.quit_now();
    branch_.lasting.superseded();
    step(term_lost{event.by});
  }
  void on(const proposer_quorum& event) {
    writer_.quorum_is(event.reached);
    save();
  }

  void carry_out(const retry_later&) { tell_self_after(retry_interval, retry_is_due{}); }
  void on(const retry_is_due&) { step(retry_due{}); }

  // -- the election ---------------------------------------------------------------------------------------------------

  void carry_out(const run_for_term&) {
    branch_.directory.prepare(clock().monotonic());
    writer_.run_for_term();
  }
  writer_side::context around_writer() {
    return {.branch = branch(),
            .state = [this] { return life_.state(); },
            .step = [this](const life_input& input) { step(input); },
            .start_proposer = [this](const consensus::proposer_options& machine) { start_proposer(machine); },
            .stop_proposer = [this] { stop(proposer_); },
            .ask_proposer =
                [this](std::function<void(std::optional<proposer_status>)> then) {
                  ask(proposer_, get_proposer_status{}, [then = std::move(then)](core::result<proposer_status> status) {
                    then(status ? std::optional(*std::move(status)) : std::nullopt);
                  });
                }};
  }

  void start_proposer(const consensus::proposer_options& machine) {
    proposer_ =
        spawn_wal_proposer(system(), {.label = child_label(name()),
                                      .proposer = machine,
                                      .owner = self(),
                                      .locate = [branch = branch()](const auto& of) { return branch->locate(of); }});
    adopt(proposer_, [this](const core::error& why) {
      proposer_ = nullptr;
      writer_.proposer_ended(why);
    });
  }

  // -- the branch ---------------------------------------------------------------------------------------------------

  void carry_out(const await_pageserver&) { on(poll_due{}); }
  void on(const poll_due&) {
    if (life_.state() != agent_state::waiting_for_pageserver || branch_.polling) return;
    branch_.polling = true;
    offload(
        runtime::pool_id::io, "ask the pageserver for its position",
        [branch = branch()] { return branch->last_record_lsn(); },
        [this](const core::result<core::lsn>& reached) {
          branch_.polling = false;
          if (life_.state() != agent_state::waiting_for_pageserver) return;
          if (!reached && reached.error().code == core::errc::not_found) return step(branch_deleted{});
          if (!reached) return step(step_failed{reached.error()});
          branch_.pageserver_at = *reached;
          const std::uint32_t segment_size = writer_.wal_segment_size();
          const auto ahead = pg::wal::before_header(*reached, segment_size);
          if (ahead > pg::wal::before_header(life_.start(), segment_size))
            step(pageserver_ahead{*reached});
          else if (*reached >= life_.start())
            return step(pageserver_caught_up{});
          if (life_.state() == agent_state::waiting_for_pageserver) tell_self_after(poll_interval, poll_due{});
        });
  }

  /// Commits wait: perhaps for ever, because the branch is missing on the safekeepers.
  void look_for_branch() {
    const bool serves = life_.state() == agent_state::running || life_.state() == agent_state::stopping;
    if (serves && writes() && !writer_.has_quorum()) look_at_head([](core::lsn) {});
  }
  /// Asks the server of the branch for its position, once a second. A branch that is missing there ends this agent.
  template <class Then>
  void look_at_head(Then then) {
    const auto now = clock().monotonic();
    if (branch_.polling || now < branch_.next_look) return;
    branch_.next_look = now + retry_interval;
    branch_.polling = true;
    offload(
        runtime::pool_id::io, "ask whether the branch exists",
        [branch = branch()] { return branch->last_record_lsn(); },
        [this, then = std::move(then)](const core::result<core::lsn>& reached) {
          branch_.polling = false;
          if (!reached && reached.error().code == core::errc::not_found) return step(branch_deleted{});
          if (reached) then(*reached);
          if (writes()) on(poll_due{});  // another incarnation may have begun meanwhile
        });
  }

  void carry_out(const restore_branch& effect) {
    if (!writes()) branch_.lasting.fetch(follows() ? std::nullopt : std::optional(effect.start), 0);
    branch_.lasting.when_fetched([this, effect](const core::result<void>& fetched) {
      if (life_.state() != agent_state::restoring) return;
      if (!fetched) return step(step_failed{fetched.error()});
      restore(effect);
    });
  }
  void restore(const restore_branch& effect) {
    if (follows()) return standby_.restore(branch_.directory);
    branch_.directory.create(effect.start, clock().monotonic(),
                             [this, at = effect.start](const core::result<branch_directory::directory>& done) {
                               if (life_.state() != agent_state::restoring) return;
                               if (!done) return step(step_failed{done.error()});
                               pages_.begin(*done, at);
                             });
  }
  branch_directory::context around_directory() {
    return {
        .pages = options_.record.pages,
        .path = options_.record.data_directory,
        .last_record_lsn = [of = branch()] { return of->last_record_lsn(); },
        .lease = [of = branch()](core::lsn at) { return of->lease(at); },
        .restore = [of = branch()](auto at, const auto& into,
                                   const auto& progress) { return of->restore(at, into, progress); },
        .restore_guarded = [of = branch()](auto at, const auto& into,
                                           const auto& progress) { return of->restore_guarded(at, into, progress); },
        .remove_mount = [of = branch()](const auto& directory) { return of->remove_mount(directory); },
        .before_removal = branch_.lasting.before_removal()};
  }

  // -- what outlives an incarnation ---------------------------------------------------------------------------------

  lasting_keeper::context around_lasting() {
    const auto& of = options_.record;
    return {.branch = branch(),
            .host = {.armed = of.armed,
                     .writes = writes(),
                     .data_directory = of.data_directory,
                     .settings = of.settings,
                     .has_library =
                         [bin = of.bin_directory](const std::string& each) { return host::has_library(bin, each); }},
            .note = [this](const char* doing, const core::error& why) { note_error(doing, why); },
            .log = [this](const std::string& text) { core::log_info(name() + ": " + text); }};
  }
  /// What changes now holds from here on.
  [[nodiscard]] core::lsn position() const {
    return std::max(writer_.commit_lsn().value_or(core::lsn()), life_.start());
  }

  // -- a standby ----------------------------------------------------------------------------------------------------

  void carry_out(const choose_start&) { standby_.choose_start(); }
  standby_side::context around_standby() {
    return {.branch = branch(),
            .socket_directory = options_.record.socket_directory,
            .state = [this] { return life_.state(); },
            .step = [this](const life_input& input) { step(input); },
            .now = [this] { return clock().monotonic(); },
            .start_feed = [this](io::unique_fd listener) { start_feed(std::move(listener)); },
            .follow = [this](follow_from from) { tell(feed_, std::move(from)); },
            .ask_feed =
                [this](std::function<void(feed_status)> then) {
                  ask(feed_, get_feed_status{}, [then = std::move(then)](core::result<feed_status> status) {
                    if (status) then(*std::move(status));
                  });
                },
            .report_head = [this](core::lsn head) { tell(feed_, head_reported{head}); },
            .restored = [this](const branch_directory::directory& made, core::lsn at) { pages_.begin(made, at); }};
  }

  void start_feed(io::unique_fd listener) {
    feed_ = spawn_wal_feed(
        system(), {.label = child_label(name()),
                   .owner = self(),
                   .listener = std::move(listener),
                   .find_upstream = [of = branch()](std::uint32_t attempt) { return of->find_upstream(attempt); }});
    adopt(feed_, [this](const core::error& why) {
      feed_ = nullptr;
      standby_.forget_feed();
      step(following_lost{"its WAL feed ended: " + why.detail});
    });
  }
  void on(const feed_lost& event) {
    // One that has not come up would be waited for.
    if (life_.state() == agent_state::starting)
      offload(
          runtime::pool_id::io, "kill Postgres",
          [directory = options_.record.data_directory] { return host::abandon_postgres(directory); },
          [](const core::result<void>&) {});
    step(following_lost{event.why, event.before});
  }

  void look_at_standby() {
    const bool serves = life_.state() == agent_state::starting || life_.state() == agent_state::running;
    if (!follows() || !serves || !feed_) return;
    standby_.look();
    look_at_head([this](core::lsn reached) { standby_.head_is(reached); });
  }

  // -- the pages ----------------------------------------------------------------------------------------------------

  page_supply::context around_pages() {
    return {.owner = [this] { return self(); },
            .note = [this](const char* doing, const core::error& why) { note_error(doing, why); },
            .retry_after = [this](std::chrono::milliseconds pause) { tell_self_after(pause, filler_due{}); },
            .lost = [this] { step(directory_lost{}); },
            .all_present =
                [this] {
                  core::log_info(name() + ": all pages are in the data directory");
                  save();
                },
            .begun =
                [this](const core::result<void>& begun) {
                  if (life_.state() != agent_state::restoring) return pages_.end([] {});
                  if (!begun) return step(step_failed{begun.error()});
                  step(branch_restored{});
                },
            .start_filler = [of = branch()](const auto& directory,
                                            core::lsn at) { return of->start_filler(directory, at); },
            .lease = [of = branch()](core::lsn at) { return of->lease(at); },
            .remove_mount = [of = branch(), from = options_.record.data_directory] { return of->remove_mount(from); },
            .starts_at_same_lsn = !writes()};
  }
  void on(const filler_due&) { pages_.retry(); }

  // -- Postgres -----------------------------------------------------------------------------------------------------

  void carry_out(const start_server&) {
    host::postgres_options server = server_options(options_.record, options_.run_as, branch_.lasting.logical_wal());
    server.inherited = pages_.inherited();
    // The threads of the pool live as long as the process: Postgres ends with them.
    server_.start([server = std::move(server), write = branch_.lasting.write_files(),
                   took = reports_.control.config_time()]() mutable -> core::result<pid_t> {
      const auto begun = std::chrono::steady_clock::now();
      STRATA_TRY(write(server));
      *took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun);
      return host::start_postgres(server);
    });
  }
  server_process::context around_server() {
    return {.owner = [this] { return self(); },
            .started =
                [this](const core::result<void>& started) {
                  if (started && follows()) log_.begin_standby(options_.record.log_file);
                  if (started) {
                    branch_.lasting.started(life_.start());
                    return step(postgres_ready{});
                  }
                  const bool has_others = branch_.lasting.fall_back(started.error());
                  pages_.end([this, why = started.error(), has_others] {
                    step(has_others ? life_input(settings_refused{why}) : life_input(step_failed{why}));
                  });
                },
            .ended =
                [this] {
                  log_.end();
                  branch_.lasting.server_ended(position(), [this] { pages_.end([this] { step(postgres_ended{}); }); });
                },
            .note = [this](const char* doing, const core::error& why) { note_error(doing, why); }};
  }

  void carry_out(const stream_wal&) {
    log_.begin_writer(options_.record.log_file);
    tell(proposer_, stream_postgres{conninfo()});
  }

  [[nodiscard]] std::string conninfo() const {
    return host::replication_conninfo(options_.record.socket_directory, options_.record.port, options_.record.user);
  }

  void carry_out(const stop_server&) {
    server_.end("stop Postgres", [directory = options_.record.data_directory, limit = options_.stop_limit] {
      return host::stop_postgres(directory, limit);
    });
  }
  void carry_out(const abandon_server&) {
    server_.abandon([directory = options_.record.data_directory] { return host::abandon_postgres(directory); });
  }
  void on(const runtime::socket_ready& event) {
    server_.on_ready(event.token);
    pages_.on_ready(event.token);
  }

  // -- the control endpoints ------------------------------------------------------------------------------------------

  void on(const end_wanted& event) {
    if (event.immediate) return step(end_at_once{});
    step(stop_wanted{});
  }
  void on(const settings_adopted& event) {
    options_.record.settings = event.settings;
    branch_.lasting.adopt(event.settings);
    if (event.restart) step(restart_wanted{});
  }
  void report(const host::agent_status& now) { reports_.control.report(now, life_.ending(), clock().monotonic()); }

  // -- Postgres's log -----------------------------------------------------------------------------------------------

  watched_log::context around_log() {
    return {
        .serves = [this] { return life_.state() == agent_state::running; },
        .now = [this] { return clock().monotonic(); },
        .flushed_position = [conninfo = conninfo(),
                             limit = options_.cancelled_wait_limit] { return host::flushed_position(conninfo, limit); },
        .wait_cancelled = [this] { core::log_warning(name() + ": a transaction cancelled its wait for the quorum"); },
        .wait_overdue = [this] { step(commit_wait_cancelled{}); },
        .settings_outgrown = [this] { step(settings_outgrown{}); }};
  }

  // -- the status file ------------------------------------------------------------------------------------------------

  void on(const look_due&) {
    tell_self_after(look_interval, look_due{});
    pages_.look(clock().monotonic());
    log_.look();
    branch_.lasting.look(position(), clock().monotonic());
    look_for_branch();
    command_.look([this] { step(stop_wanted{}); });
    look_at_standby();
    const bool settled = life_.state() == agent_state::running && writer_.has_quorum() && !log_.has_waits();
    if (!writer_.has_proposer() || !reports_.file.wants_positions(settled)) return save();
    writer_.look([this] {
      if (const auto commit = writer_.commit_lsn()) log_.judge(*commit);
      save();
    });
  }

  [[nodiscard]] std::string detail() const {
    if (!life_.detail().empty()) return life_.detail();
    switch (life_.state()) {
      case agent_state::waiting_for_quorum: return writer_.awaits_term();
      case agent_state::waiting_for_pageserver:
        if (follows()) return "looking for the newest position from which the branch can be followed";
        return (branch_.pageserver_at.valid() ? "the pageserver is at " + to_string(branch_.pageserver_at)
                                              : std::string("asking the pageserver for its position")) +
               ", required: " + to_string(life_.start());
      case agent_state::starting: return pages_.waits();
      case agent_state::running:
        if (!pages_.waits().empty()) return pages_.waits();
        if (follows()) return standby_.waits();
        return writes() ? writer_.waits() : "";
      case agent_state::stopping: return "waiting for acknowledgements";
      default: return "";
    }
  }

  [[nodiscard]] host::agent_status status_now() const {
    host::agent_status made = reports_.file.content();
    made.state = life_.state();
    made.detail = detail();
    made.term = life_.in().value;
    made.start_lsn = life_.start();
    made.restored_bytes = branch_.directory.bytes();
    made.incarnations = life_.incarnations();
    made.config = *reports_.control.config_time();
    made.notes = branch_.lasting.notes();
    made.logical_wal = branch_.lasting.logical_wal();
    pages_.describe(made);
    if (follows()) {
      standby_.describe(made);
      made.lag_as_of = std::chrono::floor<std::chrono::seconds>(clock().now());
    }
    writer_.describe(made);
    made.applied_lsn = std::max(made.applied_lsn, branch_.pageserver_at);
    return made;
  }
  void save() {
    const auto now = status_now();
    report(now);
    if (!reports_.file.save(now) && finished_ && !reports_.file.saving()) quit();
  }
  status_file::context around_file() {
    return {.failed = [this](const core::error& why) { note_error("write compute-agent.json", why); },
            .written = [this] { save(); }};
  }

  void carry_out(const finish&) {
    // The last acknowledgement is included: its status is requested after that.
    writer_.look([this] { retire(); });
  }
  void retire() {
    pages_.end([this] {
      writer_.retire([this] {
        finished_ = true;
        save();
      });
    });
  }

  /// What the agent has read and restored of its branch.
  struct branch_view {
    core::lsn pageserver_at;
    core::monotonic_time next_look{};
    bool polling = false;
    lasting_keeper lasting;
    branch_directory directory;
  };

  /// What the agent says of itself.
  struct reports {
    status_file file;
    control_reports control;
  };

  compute_agent_options options_;
  compute_lifecycle life_;
  command_watch command_{options_.record, options_.status_directory, jobs()};
  branch_view branch_{.lasting = {jobs(), around_lasting()}, .directory = {jobs(), around_directory()}};
  wal_proposer_actor proposer_;
  writer_side writer_{options_.record, jobs(), around_writer()};
  wal_feed_actor feed_;
  standby_side standby_{jobs(), around_standby()};
  bool finished_ = false;
  server_process server_{env().sockets(), jobs(), around_server()};
  page_supply pages_{env().sockets(), jobs(), around_pages()};
  watched_log log_{options_.cancelled_wait_limit, jobs(), around_log()};
  reports reports_{.file = {options_.status_directory, jobs(), around_file()},
                   .control = control_reports([this](agent_report now) { tell(options_.control, std::move(now)); })};
};

}  // namespace

proposer_owner_actor spawn_compute_agent(caf::actor_system& system, compute_agent_options options) {
  runtime::actor_label label{options.record.name, 0};
  return runtime::spawn<compute_agent>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::compute

STRATA_LOCAL_MESSAGE(strata::actors::compute::look_due)
STRATA_LOCAL_MESSAGE(strata::actors::compute::retry_is_due)
STRATA_LOCAL_MESSAGE(strata::actors::compute::poll_due)
STRATA_LOCAL_MESSAGE(strata::actors::compute::filler_due)
