#include "actors/compute/control_endpoint.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "actors/compute/control_state.hpp"
#include "actors/compute/postgres_stream.hpp"
#include "actors/compute/server_options.hpp"
#include "actors/compute/startup_times.hpp"
#include "actors/runtime/actor_base.hpp"
#include "host/client_activity.hpp"
#include "host/local_position.hpp"
#include "host/settings_change.hpp"
#include "host/start_lock.hpp"
#include "host/writability_probe.hpp"
#include "pg/client/conninfo.hpp"

namespace strata::actors::compute {
namespace {

using host::agent_state;
using host::writability_probe;
using messages::compute_configured;
using messages::compute_ended;
using messages::compute_status;
using messages::configuration_answer;
using messages::end_answer;
using messages::startup_metrics;
using messages::writability;
using runtime::reply;

struct look_is_late {};
using private_control_endpoint = control_endpoint_actor::extend<messages::accepts<look_is_late>>;

/// A command that starts the compute holds the lock until it has seen it run.
core::result<std::shared_ptr<host::start_lock>> take_lock(const std::string& directory) {
  constexpr std::chrono::seconds limit{2};
  constexpr std::chrono::milliseconds look_interval{10};
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto lock = host::start_lock::take(directory);
    if (lock) return std::make_shared<host::start_lock>(*std::move(lock));
    if (lock.error().code != core::errc::conflict || std::chrono::steady_clock::now() > deadline)
      return std::move(lock).error();
    std::this_thread::sleep_for(look_interval);
  }
}

/// The durations of the steps of all starts.
class step_histograms {
 public:
  explicit step_histograms(runtime::metrics& of) : metrics_(of) {}
  void observe(const startup_metrics& of) {
    observe("sync_safekeepers", of.sync_safekeepers);
    observe("pageserver", of.pageserver);
    observe("basebackup", of.basebackup);
    observe("config", of.config);
    observe("start_postgres", of.start_postgres);
    observe("total", of.total);
  }

 private:
  void observe(const char* step, startup_metrics::duration took) {
    if (!took) return;
    metrics_
        .histogram("strata_compute_startup_seconds", "Steps of the starts of Postgres",
                   {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}, {{"step", step}})
        .observe(std::chrono::duration<double>(*took).count());
  }
  runtime::metrics& metrics_;
};

class control_endpoint final : public runtime::actor_base<private_control_endpoint> {
 public:
  static constexpr const char* kind = "compute.control";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  control_endpoint(const runtime::actor_setup& setup, control_endpoint_options options)
      : actor_base(setup), options_(std::move(options)), begun_(clock().now()), histograms_(env().metrics()) {}

 private:
  friend actor_base;
  static constexpr std::chrono::seconds activity_interval{5};
  /// How long an answer waits for a look at the clients; later it has what was known before.
  static constexpr std::chrono::milliseconds activity_patience{300};
  /// For a session that Postgres does not answer.
  static constexpr std::chrono::milliseconds session_limit{2000};
  /// A new Postgres has had no clients worth a wait.
  static constexpr std::chrono::seconds activity_pause{1};

  [[nodiscard]] bool writes() const { return options_.record.mode == host::compute_mode::branch; }
  [[nodiscard]] compute_state state() const { return state_of(agent_.phase, configuration_.change.phase()); }
  [[nodiscard]] std::string conninfo() const {
    const auto& of = options_.record;
    return host::replication_conninfo(of.socket_directory, of.port, of.user) +
           " dbname=" + pg::client::conninfo_value(of.database) +
           " connect_timeout=2 application_name=" + host::control_application;
  }

  // -- the agent ----------------------------------------------------------------------------------------------------

  void on(const agent_introduced& event) {
    agent_.phase.begun = true;
    agent_.handle = event.agent;
    monitor(agent_.handle, [this](const core::error&) {
      agent_.phase.gone = true;
      agent_.handle = nullptr;
      look_at_change();
      answer_ends();
    });
  }

  void on(const agent_report& event) {
    const bool new_incarnation = event.status.incarnations != agent_.phase.incarnations;
    agent_.status = event.status;
    agent_.phase.state = event.status.state;
    agent_.phase.ending = event.ending;
    agent_.phase.incarnations = event.status.incarnations;
    if (new_incarnation) {
      // A commit that waited there has ended with its Postgres.
      check_.probe = nullptr;
      look_.activity.new_incarnation();
      agent_.ready_at = event.at;
    }
    if (agent_.times.entered(agent_.phase.state, event.at)) histograms_.observe(startup());
    describe(std::string(to_string(state())));
    look_at_change();
  }

  // -- GET /status --------------------------------------------------------------------------------------------------

  void on(const messages::get_compute_status&, const reply<compute_status>& to) {
    *options_.asked = true;
    const auto now = clock().monotonic();
    const bool runs = agent_.phase.state == agent_state::running && !agent_.phase.ending && !agent_.phase.gone;
    const bool wants_look =
        runs && now - agent_.ready_at >= activity_pause && now - look_.ended_at >= activity_interval;
    if (!wants_look && !look_.runs) return to.deliver(status_now());
    look_.waiting.push_back(to);
    tell_self_after(activity_patience, look_is_late{});
    if (look_.runs) return;
    look_.runs = true;
    look_.activity.own_session();
    offload(
        runtime::pool_id::io, "look at the clients of Postgres",
        [conninfo = conninfo()] {
          return host::look_at_activity(conninfo, postgres_stream::standby_name, session_limit);
        },
        [this](const core::result<host::activity_sample>& seen) {
          look_.runs = false;
          look_.ended_at = clock().monotonic();
          if (seen) look_.activity.looked(*seen, clock().now());
          answer_waiting();
        });
  }
  void on(const look_is_late&) { answer_waiting(); }
  void answer_waiting() {
    for (const auto& each : std::exchange(look_.waiting, {})) each.deliver(status_now());
  }

  [[nodiscard]] compute_status status_now() const {
    const auto now = state();
    compute_status made{
        .state = now, .detail = agent_.status.detail, .last_active = look_.activity.last(), .start_time = begun_};
    if (now == compute_state::failed)
      made.error = agent_.status.detail.empty() ? "its agent ended unexpectedly; see its log" : agent_.status.detail;
    made.compute = options_.record.name;
    made.tenant = options_.record.tenant_id;
    made.timeline = options_.record.timeline_id;
    made.branch = options_.record.tenant + "/" + options_.record.branch;
    made.mode = host::to_string(options_.record.mode);
    made.agent_state = agent_.phase.begun ? host::to_string(agent_.phase.state) : "";
    made.pg_major = options_.record.pg_major;
    made.port = options_.record.port;
    made.incarnations = agent_.status.incarnations;
    made.term = agent_.status.term;
    made.start_lsn = agent_.status.start_lsn;
    made.commit_lsn = agent_.status.commit_lsn;
    made.has_quorum = agent_.status.has_quorum;
    made.settings = options_.record.settings;
    return made;
  }

  // -- the metrics --------------------------------------------------------------------------------------------------

  [[nodiscard]] startup_metrics startup() const {
    startup_metrics made;
    agent_.times.describe(made, agent_.status.config);
    made.basebackup_bytes = agent_.status.restored_bytes;
    made.pages_fetched = agent_.status.pages.work.pages_filled;
    made.incarnations = agent_.status.incarnations;
    return made;
  }
  core::result<startup_metrics> on(const messages::get_startup_metrics&) {
    *options_.asked = true;
    return startup();
  }

  // -- POST /check_writability --------------------------------------------------------------------------------------

  void on(const messages::check_writability& request, const reply<writability>& to) {
    *options_.asked = true;
    if (auto refused = refusal_of(control_request::check_writability, state(), writes()))
      return to.deliver(*std::move(refused));
    if (!check_.probe) check_.probe = std::make_shared<writability_probe>(conninfo(), postgres_stream::standby_name);
    // Its commit would hold a session until there is one.
    if (!agent_.status.has_quorum && !check_.runs && !check_.probe->waits())
      return to.deliver(messages::not_writable{"quorum", agent_.status.detail});
    check_.waiting.push_back(to);
    if (check_.runs) return;
    check_.runs = true;
    if (!check_.probe->waits()) look_.activity.own_session();
    offload(
        runtime::pool_id::io, "commit to the quorum",
        [probe = check_.probe, limit = request.limit]() -> core::result<writability_probe::outcome> {
          return probe->commit(limit);
        },
        [this](const core::result<writability_probe::outcome>& ended) {
          check_.runs = false;
          const auto answer = ended ? answer_of(*ended) : core::result<writability>(ended.error());
          for (const auto& each : std::exchange(check_.waiting, {})) each.answer(answer);
        });
  }

  [[nodiscard]] core::result<writability> answer_of(const writability_probe::outcome& ended) const {
    if (ended.durable) return writability(messages::writable{*ended.durable});
    const bool quorum = ended.failed == writability_probe::component::quorum;
    std::string why = ended.durable.error().detail;
    if (quorum && !agent_.status.has_quorum && !agent_.status.detail.empty()) why += "; " + agent_.status.detail;
    return writability(messages::not_writable{quorum ? "quorum" : "postgres", std::move(why)});
  }

  // -- POST /configure ----------------------------------------------------------------------------------------------

  void on(const messages::configure_compute& request, const reply<configuration_answer>& to) {
    *options_.asked = true;
    if (auto refused = refusal_of(control_request::configure, state(), writes()))
      return to.deliver(*std::move(refused));
    if (const auto checked = host::check_settings(request.settings, options_.record.armed); !checked)
      return to.fail(checked.error());
    configuration_.asked = {
        .settings = request.settings, .before = options_.record.settings, .answer = {}, .to = to, .lock = nullptr};
    carry_out(configuration_.change.begin());
  }

  void look_at_change() { carry_out(configuration_.change.reported(agent_.phase, agent_.status.detail)); }

  void carry_out(settings_change::effect next) {
    using enum settings_change::effect;
    switch (next) {
      case none: return;
      case check: return check_settings();
      case apply: return apply_settings();
      case adopt: adopt_settings(configuration_.asked.settings, false); return store_settings();
      case restart: return adopt_settings(configuration_.asked.settings, true);
      case store: return store_settings();
      case revert: return adopt_settings(configuration_.asked.before, false);
      case succeed: return end_change([this] { configuration_.asked.to.deliver(configuration_.asked.answer); });
      case refuse: return end_change([this] { configuration_.asked.to.fail(configuration_.change.error()); });
    }
  }
  void end_change(const std::function<void()>& answer) {
    answer();
    configuration_.asked = {};
  }

  void check_settings() {
    offload(
        runtime::pool_id::io, "try settings",
        [server = server_options(options_.record, options_.run_as, agent_.status.logical_wal),
         lines = configuration_.asked.settings,
         directory = host::registry(options_.server_directory).directory_of(options_.record.name)]()
            -> core::result<std::shared_ptr<host::start_lock>> {
          STRATA_ASSIGN(auto lock, take_lock(directory));
          STRATA_TRY(host::try_settings(server, lines));
          return lock;
        },
        [this](const core::result<std::shared_ptr<host::start_lock>>& tried) {
          if (tried) configuration_.asked.lock = *tried;
          carry_out(configuration_.change.checked(tried ? core::result<void>() : core::result<void>(tried.error())));
        });
  }

  void apply_settings() {
    look_.activity.own_session();
    offload(
        runtime::pool_id::io, "apply settings",
        [server = server_options(options_.record, options_.run_as, agent_.status.logical_wal), conninfo = conninfo(),
         before = configuration_.asked.before, lines = configuration_.asked.settings] {
          return host::apply_settings(server, conninfo, before, lines, session_limit);
        },
        [this](const core::result<host::applied_settings>& applied) {
          if (!applied) return carry_out(configuration_.change.applied(applied.error(), agent_.phase));
          configuration_.asked.answer = {.restarted = !applied->need_restart.empty(),
                                         .needed_restart = applied->need_restart};
          for (const auto& each : applied->overridden)
            configuration_.asked.answer.overridden.push_back({each.line, each.by});
          carry_out(configuration_.change.applied(configuration_.asked.answer.restarted, agent_.phase));
        });
  }

  void adopt_settings(const std::vector<std::string>& lines, bool restart) {
    options_.record.settings = lines;
    if (agent_.handle) tell(agent_.handle, settings_adopted{lines, restart});
  }

  void store_settings() {
    offload(
        runtime::pool_id::io, "store settings",
        [computes = host::registry(options_.server_directory), name = options_.record.name,
         lines = configuration_.asked.settings]() -> core::result<void> {
          STRATA_ASSIGN(auto record, computes.load(name));
          record.settings = lines;
          return computes.save(record);
        },
        [this](const core::result<void>& stored) { carry_out(configuration_.change.stored(stored)); });
  }

  // -- POST /terminate ----------------------------------------------------------------------------------------------

  void on(const messages::end_compute& request, const reply<end_answer>& to) {
    *options_.asked = true;
    const auto what = request.immediate ? control_request::end_immediate : control_request::end_fast;
    if (auto refused = refusal_of(what, state(), writes())) return to.deliver(*std::move(refused));
    ends_.push_back(to);
    tell(agent_.handle, end_wanted{request.immediate});
  }

  void answer_ends() {
    core::lsn durable = writes() ? agent_.status.commit_lsn : agent_.status.start_lsn;
    if (agent_.status.standby) durable = std::max(durable, agent_.status.standby->replayed_lsn);
    for (const auto& each : std::exchange(ends_, {})) {
      if (state() == compute_state::terminated)
        each.deliver(compute_ended{durable});
      else
        each.fail({core::errc::io_error, "the compute ended otherwise: " + status_now().error});
    }
  }

  /// A change of settings that is under way.
  struct asked_change {
    std::vector<std::string> settings;
    std::vector<std::string> before;
    compute_configured answer;
    reply<configuration_answer> to;
    std::shared_ptr<host::start_lock> lock;  ///< no command changes the record meanwhile
  };

  /// The agent, as it last reported.
  struct reported_agent {
    agent_phase phase;
    controlled_agent_actor handle;  ///< null: it has not begun, or has ended
    host::agent_status status;
    startup_times times;
    core::monotonic_time ready_at{};
  };
  /// The look at the clients, and the requests that wait for it.
  struct activity_look {
    host::client_activity activity;
    core::monotonic_time ended_at{};
    bool runs = false;
    std::vector<reply<compute_status>> waiting;
  };
  struct writability_check {
    std::shared_ptr<writability_probe> probe;
    bool runs = false;
    std::vector<reply<writability>> waiting;
  };
  struct configuration {
    settings_change change;
    asked_change asked;
  };

  control_endpoint_options options_;
  const core::wall_time begun_;
  step_histograms histograms_;
  reported_agent agent_;
  activity_look look_;
  writability_check check_;
  configuration configuration_;
  std::vector<reply<end_answer>> ends_;
};

}  // namespace

control_endpoint_actor spawn_control_endpoint(caf::actor_system& system, control_endpoint_options options) {
  runtime::actor_label label{options.record.name, 0};
  return runtime::spawn<control_endpoint>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::compute

STRATA_LOCAL_MESSAGE(strata::actors::compute::look_is_late)
