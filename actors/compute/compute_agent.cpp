#include "actors/compute/compute_agent.hpp"

#include <unistd.h>

#include "actors/compute/branch_directory.hpp"
#include "actors/compute/cancelled_waits.hpp"
#include "actors/compute/command_state.hpp"
#include "actors/compute/compute_lifecycle.hpp"
#include "actors/compute/page_supply.hpp"
#include "actors/compute/postgres_stream.hpp"
#include "actors/compute/proposer_lifecycle.hpp"
#include "actors/compute/quorum_report.hpp"
#include "actors/compute/server_process.hpp"
#include "actors/compute/standby_progress.hpp"
#include "actors/compute/status_file.hpp"
#include "actors/compute/wal_feed.hpp"
#include "actors/compute/wal_proposer.hpp"
#include "actors/runtime/actor_base.hpp"
#include "host/forced_settings.hpp"
#include "host/local_position.hpp"
#include "host/log_watch.hpp"
#include "host/postgres_process.hpp"
#include "host/quorum_settings.hpp"
#include "host/standby_settings.hpp"
#include "io/sockets.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::actors::compute {
namespace {

using host::agent_state;
using host::branch_access;
using host::branch_quorum;
using host::standby_directory;

struct look_due {};
struct retry_is_due {};
struct poll_due {};
struct filler_due {};
using private_compute_agent = proposer_owner_actor::extend<messages::accepts<runtime::socket_ready>,
                                                           messages::accepts<look_due>, messages::accepts<retry_is_due>,
                                                           messages::accepts<poll_due>, messages::accepts<filler_due>>;

/// Transactions that stopped waiting for the quorum, as Postgres's log tells; read by one job at a time.
struct watched_waits {
  std::shared_ptr<host::log_watch> log;
  bool looking = false;
  cancelled_waits waits;
};

class compute_agent final : public runtime::actor_base<private_compute_agent> {
 public:
  static constexpr const char* kind = "compute.agent";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  compute_agent(const runtime::actor_setup& setup, compute_agent_options options)
      : actor_base(setup), options_(std::move(options)) {
    host::agent_status& status = file_.content();
    status.pid = ::getpid();
    status.tenant_id = options_.record.tenant_id;
    status.timeline_id = options_.record.timeline_id;
    status.branch = options_.record.tenant + "/" + options_.record.branch;
    status.port = options_.record.port;
    status.since = clock().now();
  }

  void on_start() {
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
      host::agent_status& status = file_.content();
      const auto now = clock().now();
      if (before < agent_state::running) status.steps[static_cast<std::size_t>(before)] = now - status.since;
      if (before >= agent_state::running) status.steps = {};
      status.since = now;
      describe(host::to_string(life_.state()));
      core::log_info(name() + ": " + host::to_string(life_.state()) +
                     (life_.detail().empty() ? "" : ": " + life_.detail()));
    }
    for (const auto& effect : effects) std::visit([this](const auto& each) { carry_out(each); }, effect);
    save();
  }

  void on(const proposer_elected& event) { step(won_election{event.in}); }
  void on(const proposer_synced& event) { step(start_is_safe{event.start}); }
  void on(const proposer_superseded& event) {
    // Before anything else: no client may receive an answer from it any more.
    server_.quit_now();
    step(term_lost{event.by});
  }
  void on(const proposer_quorum& event) {
    has_quorum_ = event.reached;
    save();
  }

  void carry_out(const retry_later&) { tell_self_after(retry_interval, retry_is_due{}); }
  void on(const retry_is_due&) { step(retry_due{}); }

  // -- the election ---------------------------------------------------------------------------------------------------

  void carry_out(const run_for_term&) {
    branch_.directory.prepare(clock().monotonic());
    retire_proposer([this] { ask_for_members(); });
  }

  /// When the old proposer has ended all its messages have arrived.
  void retire_proposer(std::function<void()> then) {
    if (!proposer_) return then();
    after_proposer_ = std::move(then);
    stop(proposer_);
  }

  void ask_for_members() {
    offload(
        runtime::pool_id::io, "ask for the safekeepers", [branch = branch()] { return branch->quorum(); },
        [this](core::result<branch_quorum> answer) {
          if (life_.state() != agent_state::waiting_for_quorum || proposer_) return;
          if (!answer && answer.error().code == core::errc::not_found) return step(branch_deleted{});
          // Otherwise the members known before are used: if they have changed, they report it.
          if (answer) branch_.quorum = *std::move(answer);
          if (!branch_.quorum) return step(step_failed{answer.error()});
          start_proposer();
        });
  }

  void start_proposer() {
    consensus::proposer_options machine;
    machine.tenant = options_.record.tenant_id;
    machine.timeline = options_.record.timeline_id;
    machine.cluster = branch_.quorum->cluster;
    machine.members = branch_.quorum->members;
    machine.timeline_start = branch_.quorum->timeline_start;
    has_quorum_ = false;
    status_.reset();
    proposer_ =
        spawn_wal_proposer(system(), {.label = child_label(name()),
                                      .proposer = machine,
                                      .owner = self(),
                                      .locate = [branch = branch()](const auto& of) { return branch->locate(of); }});
    adopt(proposer_, [this](const core::error& why) {
      proposer_ = nullptr;
      if (auto then = std::exchange(after_proposer_, nullptr)) return then();
      step(step_failed{core::error{core::errc::io_error, "the proposer ended: " + why.detail}});
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
          const std::uint32_t segment_size = branch_.quorum->cluster.wal_segment_size;
          const auto ahead = pg::wal::before_header(*reached, segment_size);
          if (ahead > pg::wal::before_header(life_.start(), segment_size))
            step(pageserver_ahead{*reached});
          else if (*reached >= life_.start())
            return step(pageserver_caught_up{});
          if (life_.state() == agent_state::waiting_for_pageserver) tell_self_after(poll_interval, poll_due{});
        });
  }

  /// A temporary compute is its command's, and a new one until the command has seen it run. That may be killed.
  void look_for_command() {
    if ((!options_.record.temporary && options_.record.ready) || branch_.looks_for_command) return;
    branch_.looks_for_command = true;
    offload(
        runtime::pool_id::io, "look for the command",
        [here = options_.status_directory, name = options_.record.name]() -> core::result<command_state> {
          return look_at_command(here, name);
        },
        [this](const core::result<command_state>& now) {
          branch_.looks_for_command = false;
          if (!now) return;
          options_.record.ready = now->compute_is_ready;
          if (!now->runs && (options_.record.temporary || !now->compute_is_ready)) step(stop_wanted{});
        });
  }

  /// Commits wait: perhaps for ever, because the branch is missing on the safekeepers.
  void look_for_branch() {
    const auto now = clock().monotonic();
    const bool serves = life_.state() == agent_state::running || life_.state() == agent_state::stopping;
    if (!serves || !writes() || has_quorum_ || branch_.polling || now < branch_.next_look) return;
    branch_.next_look = now + retry_interval;
    branch_.polling = true;
    offload(
        runtime::pool_id::io, "ask whether the branch exists",
        [branch = branch()] { return branch->last_record_lsn(); },
        [this](const core::result<core::lsn>& reached) {
          branch_.polling = false;
          if (!reached && reached.error().code == core::errc::not_found) return step(branch_deleted{});
          on(poll_due{});  // another incarnation may have begun meanwhile
        });
  }

  void carry_out(const restore_branch& effect) {
    if (follows()) return restore_standby();
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
        .remove_mount = [of = branch()](const auto& directory) { return of->remove_mount(directory); }};
  }

  // -- a standby ----------------------------------------------------------------------------------------------------

  void carry_out(const choose_start&) {
    offload(
        runtime::pool_id::io, "ask where a standby begins", [branch = branch()] { return branch->standby_start(); },
        [this](const core::result<host::standby_place>& found) {
          if (life_.state() != agent_state::waiting_for_pageserver) return;
          if (!found && found.error().code == core::errc::not_found) return step(branch_deleted{});
          if (!found) return step(step_failed{found.error()});
          branch_.standby.place = *found;
          step(start_chosen{found->at});
        });
  }

  struct standby_parts {
    standby_directory directory;
    io::unique_fd listener;  ///< none: there is a feed already
  };
  void restore_standby() {
    const auto made = std::make_shared<standby_parts>();
    branch_.directory.create_by(
        [made, of = branch(), from = branch_.standby.place, sockets = options_.record.socket_directory,
         needs_listener = !branch_.standby.feed](const std::string& into, const branch_directory::progress& progress)
            -> core::result<branch_directory::directory> {
          STRATA_ASSIGN(made->directory, of->restore_standby(from, into, progress));
          STRATA_TRY(of->lease(from.at));
          if (needs_listener) {
            STRATA_ASSIGN(made->listener, host::listen_for_standby(sockets));
          }
          return made->directory.pages;
        },
        [this, made, at = branch_.standby.place.at](const core::result<branch_directory::directory>& done) {
          if (life_.state() != agent_state::restoring) return;
          if (!done) return step(step_failed{done.error()});
          if (made->listener) start_feed(std::move(made->listener));
          branch_.standby.progress.begin();
          const auto& of = made->directory;
          tell(branch_.standby.feed, follow_from{of.view, of.system_id, of.timeline, of.major});
          pages_.begin(*done, at);
        });
  }

  void start_feed(io::unique_fd listener) {
    branch_.standby.feed = spawn_wal_feed(
        system(), {.label = child_label(name()),
                   .owner = self(),
                   .listener = std::move(listener),
                   .find_upstream = [of = branch()](std::uint32_t attempt) { return of->find_upstream(attempt); }});
    adopt(branch_.standby.feed, [this](const core::error& why) {
      branch_.standby.feed = nullptr;
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
    if (!follows() || !serves || !branch_.standby.feed) return;
    ask(branch_.standby.feed, get_feed_status{}, [this](core::result<feed_status> status) {
      if (status) branch_.standby.progress.told_by_feed(*std::move(status));
    });
    const auto now = clock().monotonic();
    if (branch_.polling || now < branch_.next_look) return;
    branch_.next_look = now + retry_interval;
    branch_.polling = true;
    offload(
        runtime::pool_id::io, "ask the pageserver for its position",
        [branch = branch()] { return branch->last_record_lsn(); },
        [this](const core::result<core::lsn>& reached) {
          branch_.polling = false;
          if (!reached && reached.error().code == core::errc::not_found) return step(branch_deleted{});
          if (!reached || !branch_.standby.feed) return;
          branch_.standby.progress.told_by_server(*reached, clock().monotonic());
          tell(branch_.standby.feed, head_reported{*reached});
        });
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
    const auto& of = options_.record;
    host::postgres_options server{.bin_directory = of.bin_directory,
                                  .data_directory = of.data_directory,
                                  .socket_directory = of.socket_directory,
                                  .port = of.port,
                                  .log_file = of.log_file,
                                  .run_as = options_.run_as,
                                  .owns_directory = of.pages != host::page_mode::copy,
                                  .forced = writes()    ? host::quorum_settings(postgres_stream::standby_name)
                                            : follows() ? host::standby_settings(of.socket_directory, of.pg_major)
                                                        : host::read_only_settings(),
                                  .replication_user = writes() ? of.user : "",
                                  .ends_with_starter = true,
                                  .armed = of.armed,
                                  .inherited = pages_.inherited()};
    // The threads of the pool live as long as the process: Postgres ends with them.
    server_.start([server = std::move(server), settings = of.settings]() -> core::result<pid_t> {
      // New segments cost less than old ones in a directory that need not last.
      std::vector<std::string> lines{"wal_init_zero = off", "wal_recycle = off"};
      lines.insert(lines.end(), settings.begin(), settings.end());
      STRATA_TRY(host::write_settings(server, lines));
      return host::start_postgres(server);
    });
  }
  server_process::context around_server() {
    return {.owner = [this] { return self(); },
            .started =
                [this](const core::result<void>& started) {
                  if (started && follows())
                    waits_.log =
                        std::make_shared<host::log_watch>(options_.record.log_file, host::tells_of_outgrown_settings);
                  if (started) return step(postgres_ready{});
                  pages_.end([this, why = started.error()] { step(step_failed{why}); });
                },
            .ended =
                [this] {
                  waits_.waits.forget();
                  pages_.end([this] { step(postgres_ended{}); });
                },
            .note = [this](const char* doing, const core::error& why) { note_error(doing, why); }};
  }

  void carry_out(const stream_wal&) {
    waits_.log = std::make_shared<host::log_watch>(options_.record.log_file);
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

  // -- cancelled waits

  void look_at_log() {
    if (!waits_.log || life_.state() != agent_state::running || waits_.looking || !waits_.log->has_changed()) return;
    waits_.looking = true;
    offload(
        runtime::pool_id::io, "read Postgres's log", [log = waits_.log]() -> core::result<bool> { return log->look(); },
        [this](const core::result<bool>& told) {
          waits_.looking = false;
          if (!told || !*told) return;
          if (follows()) return step(settings_outgrown{});
          wait_cancelled();
        });
  }

  void wait_cancelled() {
    if (life_.state() != agent_state::running) return;
    core::log_warning(name() + ": a transaction cancelled its wait for the quorum");
    if (!waits_.waits.cancelled(clock().monotonic())) return;
    offload(
        runtime::pool_id::io, "ask Postgres for its position",
        [conninfo = conninfo(), limit = options_.cancelled_wait_limit] {
          return host::flushed_position(conninfo, limit);
        },
        [this](const core::result<core::lsn>& at) {
          if (at) waits_.waits.flushed_to(*at);
        });
  }

  void judge_cancelled_wait() {
    if (!status_) return;
    switch (waits_.waits.judge(status_->commit, clock().monotonic())) {
      case cancelled_waits::verdict::none: return;
      case cancelled_waits::verdict::again: return wait_cancelled();
      case cancelled_waits::verdict::overdue: return step(commit_wait_cancelled{});
    }
  }

  // -- the status file ------------------------------------------------------------------------------------------------

  void on(const look_due&) {
    tell_self_after(look_interval, look_due{});
    pages_.look(clock().monotonic());
    look_at_log();
    look_for_branch();
    look_for_command();
    look_at_standby();
    const bool settled = life_.state() == agent_state::running && has_quorum_ && !waits_.waits.any();
    if (!proposer_ || !file_.wants_positions(settled)) return save();
    ask(proposer_, get_proposer_status{}, [this](core::result<proposer_status> status) {
      if (!status) return;
      status_ = *std::move(status);
      judge_cancelled_wait();
      save();
    });
  }

  [[nodiscard]] std::string detail() const {
    if (!life_.detail().empty()) return life_.detail();
    switch (life_.state()) {
      case agent_state::waiting_for_quorum:
        return "no majority of the safekeepers has answered yet" + missing_on_safekeepers("; ");
      case agent_state::waiting_for_pageserver:
        if (follows()) return "looking for the newest position from which the branch can be followed";
        return (branch_.pageserver_at.valid() ? "the pageserver is at " + to_string(branch_.pageserver_at)
                                              : std::string("asking the pageserver for its position")) +
               ", required: " + to_string(life_.start());
      case agent_state::starting: return pages_.waits();
      case agent_state::running:
        if (!pages_.waits().empty()) return pages_.waits();
        if (follows()) return branch_.standby.progress.waits();
        if (!writes()) return "";
        if (has_quorum_) return missing_on_safekeepers("");
        return "no majority of the safekeepers answers: commits wait" + missing_on_safekeepers("; ");
      case agent_state::stopping: return "waiting for acknowledgements";
      default: return "";
    }
  }

  [[nodiscard]] host::agent_status status_now() const {
    host::agent_status made = file_.content();
    made.state = life_.state();
    made.detail = detail();
    made.term = life_.in().value;
    made.start_lsn = life_.start();
    made.has_quorum = has_quorum_;
    made.restored_bytes = branch_.directory.bytes();
    made.incarnations = life_.incarnations();
    pages_.describe(made);
    if (follows()) {
      branch_.standby.progress.describe(made, clock().monotonic());
      made.lag_as_of = std::chrono::floor<std::chrono::seconds>(clock().now());
    }
    if (status_) describe_quorum(*status_, made);
    made.applied_lsn = std::max(made.applied_lsn, branch_.pageserver_at);
    return made;
  }
  [[nodiscard]] std::string missing_on_safekeepers(const std::string& before) const {
    const std::string text = status_ ? missing_branches_text(*status_, options_.record.branch) : "";
    return text.empty() ? text : before + text;
  }

  void save() {
    if (!file_.save(status_now()) && finished_ && !file_.saving()) quit();
  }
  status_file::context around_file() {
    return {.failed = [this](const core::error& why) { note_error("write compute-agent.json", why); },
            .written = [this] { save(); }};
  }

  void carry_out(const finish&) {
    if (!proposer_) return retire();
    // The last acknowledgement is included: its status was requested before that.
    ask(proposer_, get_proposer_status{}, [this](core::result<proposer_status> status) {
      if (status) status_ = *std::move(status);
      retire();
    });
  }
  void retire() {
    pages_.end([this] {
      retire_proposer([this] {
        finished_ = true;
        save();
      });
    });
  }

  struct followed {
    host::standby_place place;
    wal_feed_actor feed;
    standby_progress progress;
  };

  /// What the agent has read and restored of its branch.
  struct branch_view {
    std::optional<branch_quorum> quorum;
    core::lsn pageserver_at;
    core::monotonic_time next_look{};
    bool polling = false;
    bool looks_for_command = false;
    branch_directory directory;
    followed standby;
  };

  compute_agent_options options_;
  compute_lifecycle life_;
  branch_view branch_{.directory = {jobs(), around_directory()}};
  wal_proposer_actor proposer_;
  std::function<void()> after_proposer_;
  std::optional<proposer_status> status_;
  bool has_quorum_ = false;
  bool finished_ = false;
  server_process server_{env().sockets(), jobs(), around_server()};
  page_supply pages_{env().sockets(), jobs(), around_pages()};
  watched_waits waits_{.log = nullptr, .looking = false, .waits = cancelled_waits(options_.cancelled_wait_limit)};
  status_file file_{options_.status_directory, jobs(), around_file()};
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
