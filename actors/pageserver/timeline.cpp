#include "actors/pageserver/timeline.hpp"

#include <algorithm>

#include "actors/pageserver/history_points.hpp"
#include "actors/pageserver/ingest/timeline_receiver.hpp"
#include "actors/pageserver/ingest/wal_gap.hpp"
#include "actors/pageserver/maintenance/collection.hpp"
#include "actors/pageserver/maintenance/last_errors.hpp"
#include "actors/pageserver/maintenance/maintenance_actors.hpp"
#include "actors/pageserver/maintenance/maintenance_schedule.hpp"
#include "actors/pageserver/maintenance/retention.hpp"
#include "actors/pageserver/quorum/promotion.hpp"
#include "actors/pageserver/quorum/safekeeper_assignment.hpp"
#include "actors/pageserver/quorum/safekeeper_membership.hpp"
#include "actors/pageserver/timeline_description.hpp"
#include "actors/pageserver/timeline_gauges.hpp"
#include "actors/pageserver/write_path.hpp"
#include "actors/runtime/actor_base.hpp"
#include "storage/write_batch.hpp"

namespace strata::actors::pageserver {
namespace {

using runtime::reply;

class timeline final : public runtime::actor_base<owned_timeline_actor> {
 public:
  static constexpr const char* kind = "pageserver.timeline";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  timeline(const runtime::actor_setup& setup, timeline_options options)
      : actor_base(setup), options_(std::move(options)), store_(options_.store) {
    name_gauges(store_->record());
    for (const auto& [child, at] : options_.branch_points) collection_.kept().restore_branch_point(child, at);
  }

  void on_start() {
    const auto record = store_->record();
    enter(record.state == storage::timeline_state::importing ? state::importing : state::active);
    errors_.set(timeline_work::layers, damage_of(*store_));
    maintenance_ = spawn_maintenance(
        system(), {.label = child_label(name()), .store = store_, .timeline = self(), .permits = options_.permits});
    maintenance_.each([this](const auto& child) { adopt(child); });
    ask(maintenance_.collector, check_layers{},
        [this](const core::result<void>&) { errors_.set(timeline_work::layers, damage_of(*store_)); });
    if (is_followed(record)) receiver_.start();
    if (state_ == state::active) points_.look_up_last_commit();
    schedule_.start(options_.tenant, clock().monotonic());
    if (options_.housekeeping) tell(options_.housekeeping, runtime::tick_me{self()});
  }

  void on_stop() {
    if (state_ == state::stopping) return;
    const bool had_data = state_ == state::active && store_->record().state != storage::timeline_state::deleting;
    enter(state::stopping);
    *maintenance_.cancelled = true;
    writer_.stop_reads();
    points_.stop();
    // The receiver first: no batch may come after the last flush.
    const auto then = [this, had_data] {
      if (!had_data || !writer_.flush_all()) end();
    };
    if (!receiver_.actor()) return then();
    monitor(receiver_.actor(), [then](const core::error&) { then(); });
    stop(receiver_.actor());
  }

 private:
  friend actor_base;
  using state = messages::timeline_state;

  void enter(state to) {
    state_ = to;
    describe(std::string(to_string(to)));
    gauges_->set_state(to);
    update_gauges();
  }

  /// The error for operations that only an active timeline has.
  [[nodiscard]] core::error not_active(const char* doing) const {
    return {core::errc::unavailable, std::string(doing) + ": " + std::string(to_string(state_))};
  }
  void name_gauges(const storage::timeline_record& record) {
    gauges_.reset();
    gauges_.emplace(env().metrics(), runtime::metrics::labels{{"tenant", tenant_name()},
                                                              {"timeline", record.name},
                                                              {"timeline_id", core::to_string(record.id)}});
  }
  void update_gauges() { gauges_->update(*store_, writer_.waiting_reads()); }

  runtime::io_jobs named_jobs() { return jobs(runtime::pool_id::io, " of " + name()); }
  [[nodiscard]] std::string tenant_name() const { return name().substr(0, name().find('/')); }

  timeline_receiver::context around_receiver() {
    return {.spawn =
                [this](const storage::source_record& source) {
                  auto receiver = options_.receiver(system(), {.label = child_label(name()),
                                                               .conninfo = source.conninfo,
                                                               .slot = source.slot,
                                                               .store = store_,
                                                               .timeline = self(),
                                                               .watch = options_.watch});
                  adopt(receiver, [this](const core::error& why) { receiver_ended(why); });
                  return receiver;
                },
            .tell_members = [this](const safekeepers_changed& change) { tell(receiver_.actor(), change); },
            .tell_resumed = [this] { tell(receiver_.actor(), source_resumed{}); }};
  }
  void receiver_ended(const core::error& why) {
    if (state_ == state::stopping) return receiver_.gone();
    if (quorum_.from_source.awaits_receiver()) {
      receiver_.gone();
      return quorum_.from_source.receiver_ended();
    }
    if (state_ == state::importing) return quit(core::error(why).within("import"));
    note_error("follow", why);
    receiver_.failed(why, clock().monotonic());
  }

  // -- WAL ----------------------------------------------------------------------------------------------------------

  void on(const ingest_batch& request, reply<batch_ingested> owed) {
    if (state_ != state::active) return owed.fail(not_active("ingest"));
    writer_.ingest(request.batch, owed);
  }
  write_path::context around_writer() {
    return {.flush = [this](flush_due now) { tell(maintenance_.flusher, now); },
            .appended = [this](const commits_of_batch& commits) { points_.batch_in(commits); }};
  }

  void on(const messages::wait_lsn& request, reply<messages::lsn_reached> owed) {
    if (writer_.wait(request, state_, clock().monotonic(), owed)) tell(receiver_.actor(), wal_wanted{});
  }

  void on(const messages::checkpoint_timeline&, reply<messages::timeline_checkpointed> owed) {
    if (state_ != state::active) return owed.fail(not_active("checkpoint"));
    writer_.checkpoint(owed);
  }

  void on(const layer_flushed& event) {
    errors_.set(timeline_work::flush, {});
    writer_.flushed(event.disk_consistent_lsn);
    tell(receiver_.actor(), timeline_flushed{event.disk_consistent_lsn});
    if (store_->counters().l0_layers >= options_.tenant.compaction_threshold)
      tell(maintenance_.compactor, compaction_due{});
    update_gauges();
    if (state_ == state::stopping && !writer_.flushing()) end();
  }

  void on(const flush_failed& event) {
    errors_.set(timeline_work::flush, "flush: " + core::to_string(event.why));
    writer_.flush_failed(event.why);
    // The source still has the WAL of the memory layers.
    if (state_ == state::stopping) end();
  }

  void end() {
    stop_children([this] { quit(); });
  }

  // -- compaction and collection --------------------------------------------------------------------------------------

  void on(const messages::compact_timeline& request, reply<messages::timeline_compacted> owed) {
    if (state_ != state::active) return owed.fail(not_active("compact"));
    owed.pass_to(maintenance_.compactor, request);
  }
  void on(const compaction_health& health) { errors_.set(timeline_work::compaction, health.last_error); }

  void on(const messages::collect_garbage& request, reply<messages::garbage_collected> owed) {
    if (state_ != state::active) return owed.fail(not_active("collect"));
    collection_.collect(request.horizon_bytes, owed);
  }

  collection::context around_collection() {
    return {.plan =
                [this](std::optional<std::uint64_t> horizon_bytes, collection::context::planned then) {
                  ask(maintenance_.collector, plan_cutoff{receiver_.source().clock_ahead(), horizon_bytes}, then);
                },
            .collect = [this](const storage::timeline_store::retention& keep,
                              collection::done then) { ask(maintenance_.collector, collect_layers{keep}, then); },
            .ended =
                [this](const core::result<messages::garbage_collected>& done) {
                  errors_.set(timeline_work::collection, done ? "" : "collection: " + core::to_string(done.error()));
                  update_gauges();
                }};
  }

  // -- retention ------------------------------------------------------------------------------------------------------

  core::result<void> on(const add_branch_point& request) {
    if (state_ != state::active) return not_active("branch");
    return collection_.add_branch_point(request.child, request.at);
  }
  void on(const remove_branch_point& request) { collection_.kept().remove_branch_point(request.child); }

  core::result<messages::lsn_leased> on(const messages::lease_lsn& request) {
    if (state_ != state::active) return not_active("lease");
    return collection_.lease(request.at, options_.tenant.lsn_lease_length);
  }
  core::result<void> on(const messages::hold_lsn& request) {
    if (state_ != state::active) return not_active("hold");
    if (!request.holder) return core::error{core::errc::invalid_argument, "hold: the request has no holder"};
    STRATA_TRY(collection_.hold(request.at));
    monitor(request.holder, [this, at = request.at](const core::error&) { collection_.kept().release(at); });
    return {};
  }

  // -- points of the history ------------------------------------------------------------------------------------------

  history_points::context around_points() {
    return {.lease = [this](core::lsn at) { return on(messages::lease_lsn{at}); },
            .wait =
                [this](core::lsn at, std::chrono::milliseconds timeout, history_points::reached then) {
                  ask(self(), messages::wait_lsn{at, timeout}, then);
                },
            .ask_receiver = [this] { tell(receiver_.actor(), wal_wanted{}); },
            .ask_flushed = options_.ask_flushed};
  }

  void on(const messages::resolve_point& request, reply<messages::point_resolved> owed) {
    if (state_ != state::active) return owed.fail(not_active("find a point of the history"));
    points_.resolve(request, owed);
  }

  // -- the safekeepers ------------------------------------------------------------------------------------------------

  safekeeper_membership::context around_membership() {
    return {
        .check_active = [this] { return state_ == state::active ? core::result<void>() : not_active("safekeepers"); },
        .create_on_safekeepers =
            [this](std::function<void()> then) {
              if (!options_.reconciler) return then();
              const auto record = store_->record();
              ask(options_.reconciler, create_wal{record.tenant, record.id},
                  [then = std::move(then)](const core::result<void>&) { then(); });
            },
        .changed = [this] { tell(options_.reconciler, operations_changed{}); },
        .follow =
            [this] {
              if (state_ == state::active) receiver_.follow_safekeepers();
            }};
  }

  promotion::context around_promotion() {
    return {.ask_source = [this] { tell(receiver_.actor(), wal_wanted{}); },
            .end_receiver =
                [this] {
                  if (!receiver_.actor()) return quorum_.from_source.receiver_ended();
                  stop(receiver_.actor());
                },
            .flush =
                [this](promotion::outcome then) {
                  ask(self(), messages::checkpoint_timeline{},
                      [then = std::move(then)](const core::result<messages::timeline_checkpointed>& flushed) {
                        then(flushed ? core::result<void>() : flushed.error());
                      });
                },
            .create_on_safekeepers = around_membership().create_on_safekeepers,
            .follow = [this] { receiver_.follow_anew(); }};
  }
  void on(const end_source& request, reply<source_ended> owed) {
    quorum_.from_source.start(request, state_, clock().monotonic(), owed);
  }

  core::result<messages::timeline_safekeepers> on(const messages::get_safekeepers&) {
    return safekeepers_of(store_->record());
  }
  void on(const messages::assign_safekeepers& request, safekeeper_membership::reply owed) {
    quorum_.membership.assign(request, owed);
  }
  void on(const messages::change_safekeepers& request, safekeeper_membership::reply owed) {
    quorum_.membership.change(request, owed);
  }

  // -- the source, the options, the clock -----------------------------------------------------------------------------

  void on(const messages::source_status& status) {
    receiver_.source().reported(status, store_->last_record_lsn());
    errors_.set(timeline_work::gap, status.gap ? gap_error(*status.gap, store_->record().name) : "");
    points_.progressed();
    quorum_.from_source.reported(receiver_.source());
    if (status.known_until) points_.source_reported(*status.known_until);
  }

  void on(const messages::resume_source&, reply<> owed) { receiver_.resume(name(), owed); }

  void on(const import_finished&) {
    if (state_ != state::importing) return;
    enter(state::active);
    core::log_info("timeline " + name() + ": import finished at " + to_string(store_->last_record_lsn()));
    writer_.answer_reads();
    tell(receiver_.actor(), timeline_flushed{store_->disk_consistent_lsn()});
  }

  void on(const options_changed& change) {
    options_.tenant = change.options;
    store_->set_options(change.options);
    schedule_.change(change.options, clock().monotonic());
  }

  void on(const runtime::housekeeping_tick&) {
    const auto now = clock().monotonic();
    writer_.expire_reads(now, [this](core::lsn at) { return receiver_.why_late(at); });
    points_.tick();
    if (state_ != state::active) return;
    receiver_.tick(now);
    quorum_.from_source.tick(now, receiver_.source());
    writer_.freeze_if_due();
    if (schedule_.compaction_due(options_.tenant, now)) tell(maintenance_.compactor, compaction_due{});
    if (schedule_.collection_due(options_.tenant, now)) collection_.collect(std::nullopt, {});
    if (!schedule_.metrics_due()) return;
    if (const auto record = store_->record(); record.name != gauges_->branch()) {
      name_gauges(record);
      gauges_->set_state(state_);
    }
    update_gauges();
    gauges_->update_source(*store_, receiver_.source().status(), lag());
  }

  [[nodiscard]] messages::source_lag lag() const {
    return receiver_.source().lag(clock().monotonic(), errors_.has(timeline_work::flush));
  }

  core::result<messages::timeline_info> on(const messages::get_timeline_info&) {
    auto info = describe_timeline(*store_);
    info.state = state_;
    info.readable_from = window_of(*store_).first;
    info.last_commit = points_.last_commit();
    info.source = receiver_.source().status();
    info.lag = lag();
    info.known_until = points_.known().until;
    info.last_error = errors_.text();
    return info;
  }

  timeline_options options_;
  std::shared_ptr<storage::timeline_store> store_;
  std::optional<timeline_gauges> gauges_;
  state state_ = state::active;
  maintenance_actors maintenance_;
  maintenance_schedule schedule_;
  last_errors errors_;
  collection collection_{store_, clock(), around_collection()};
  write_path writer_{store_, around_writer()};
  /// How the branch gets safekeepers: with them it is written, and a source is left for them.
  struct quorum_parts {
    safekeeper_membership membership;
    promotion from_source;
  };
  quorum_parts quorum_{{store_, named_jobs(), around_membership()}, {store_, named_jobs(), around_promotion()}};
  timeline_receiver receiver_{store_, named_jobs(), around_receiver()};
  history_points points_{store_, receiver_.source(), clock(), named_jobs(), around_points()};
};

}  // namespace

owned_timeline_actor spawn_timeline(caf::actor_system& system, timeline_options options) {
  auto label = options.label;
  return runtime::spawn<timeline>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
