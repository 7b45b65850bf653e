#include "actors/pageserver/timeline.hpp"

#include <algorithm>
#include <atomic>
#include <map>

#include "actors/pageserver/history_points.hpp"
#include "actors/pageserver/ingest/first_trace.hpp"
#include "actors/pageserver/ingest/source_gauges.hpp"
#include "actors/pageserver/ingest/source_words.hpp"
#include "actors/pageserver/ingest/wal_gap.hpp"
#include "actors/pageserver/maintenance/collection.hpp"
#include "actors/pageserver/maintenance/garbage_collector.hpp"
#include "actors/pageserver/maintenance/maintenance_schedule.hpp"
#include "actors/pageserver/maintenance/retention.hpp"
#include "actors/pageserver/pages/lsn_waiters.hpp"
#include "actors/pageserver/quorum/safekeeper_assignment.hpp"
#include "actors/pageserver/quorum/safekeeper_membership.hpp"
#include "actors/pageserver/timeline_description.hpp"
#include "actors/pageserver/timeline_gauges.hpp"
#include "actors/runtime/actor_base.hpp"
#include "storage/write_batch.hpp"

namespace strata::actors::pageserver {
namespace {

struct receiver_restart_due {};
using private_timeline =
    owned_timeline_actor::extend<messages::accepts<layer_flushed>, messages::accepts<flush_failed>,
                                 messages::accepts<compaction_health>, messages::accepts<receiver_restart_due>>;

}  // namespace
}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::receiver_restart_due)

namespace strata::actors::pageserver {
namespace {

using messages::timeline_info;
using runtime::reply;

/// Frozen layers above which no batch is answered, so that memory stays bounded.
constexpr std::size_t frozen_max = 2;
/// Requests that may wait for WAL at a time.
constexpr std::size_t waiting_max = 16384;
constexpr std::chrono::seconds receiver_pause{30};

class timeline final : public runtime::actor_base<private_timeline> {
 public:
  static constexpr const char* kind = "pageserver.timeline";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  timeline(const runtime::actor_setup& setup, timeline_options options)
      : actor_base(setup), options_(std::move(options)), store_(options_.store) {
    gauges_.emplace(env().metrics(), tenant_name(), branch_name());
    for (const auto& [child, at] : options_.branch_points) retention_.restore_branch_point(child, at);
  }

  void on_start() {
    const auto record = store_->record();
    enter(record.state == storage::timeline_state::importing ? state::importing : state::active);
    if (!store_->damaged_layers().empty()) trouble_["layers"] = damage_of(*store_);
    start_children();
    if (followed()) start_receiver();
    look_up_last_commit();
    schedule_.start(options_.tenant, clock().monotonic());
    if (options_.housekeeping) tell(options_.housekeeping, runtime::tick_me{self()});
  }

  void on_stop() {
    if (state_ == state::stopping) return;
    const bool had_data = state_ == state::active && store_->record().state != storage::timeline_state::deleting;
    enter(state::stopping);
    *cancelled_ = true;
    for (auto& waiter : waiters_.all())
      waiter.waiter.fail({core::errc::unavailable, "wait for " + to_string(waiter.at) + ": the timeline is stopping"});
    points_.stop();
    // The receiver first: nothing may come in behind the last flush.
    when_receiver_ended_ = [this, had_data] { had_data ? flush_and_end() : end(); };
    if (receiver_)
      stop(receiver_);
    else
      std::exchange(when_receiver_ended_, nullptr)();
  }

 private:
  friend actor_base;
  enum class state { importing, active, stopping };

  // -- starting -----------------------------------------------------------------------------------------------------

  void enter(state to) {
    static constexpr const char* words[] = {"importing", "active", "stopping"};
    state_ = to;
    state_text_ = words[static_cast<std::size_t>(to)];
    describe(state_text_);
    gauges_->set_state(state_text_);
    gauges_->update(*store_, waiters_.size());
  }

  [[nodiscard]] std::string tenant_name() const { return name().substr(0, name().find('/')); }
  [[nodiscard]] std::string branch_name() const { return name().substr(name().find('/') + 1); }

  void start_children() {
    flusher_ = spawn_flusher(system(), {.label = child_label(name()), .store = store_, .timeline = self()});
    compactor_ = spawn_compactor(system(), {.label = child_label(name()),
                                            .store = store_,
                                            .timeline = self(),
                                            .permits = options_.permits,
                                            .cancelled = cancelled_});
    collector_ = spawn_garbage_collector(system(), {.label = child_label(name()), .store = store_});
    adopt(flusher_);
    adopt(compactor_);
    adopt(collector_);
  }

  /// WAL comes in.
  [[nodiscard]] bool followed() const {
    const auto record = store_->record();
    return record.source || record.safekeepers;
  }

  void start_receiver() {
    const auto source = store_->record().source.value_or(storage::source_record{});
    receiver_ = options_.receiver(system(), {.label = child_label(name()),
                                             .conninfo = source.conninfo,
                                             .slot = source.slot,
                                             .store = store_,
                                             .timeline = self(),
                                             .watch = options_.watch});
    adopt(receiver_, [this](const core::error& why) { receiver_ended(why); });
  }

  void receiver_ended(const core::error& why) {
    receiver_ = nullptr;
    if (when_receiver_ended_) return std::exchange(when_receiver_ended_, nullptr)();
    if (state_ == state::importing) return quit(core::error(why).within("import"));
    note_error("follow", why);
    if (source_) {
      source_->now = messages::source_status::phase::failed;
      source_->last_error = why.detail;
    }
    tell_self_after(receiver_pause, receiver_restart_due{});
  }
  void on(const receiver_restart_due&) {
    if (state_ != state::stopping && !receiver_) start_receiver();
  }

  void look_up_last_commit() {
    if (state_ != state::active) return;
    offload(
        runtime::pool_id::io, "last commit of " + name(),
        [store = store_] { return store->find_time(store->last_record_lsn()); },
        [this](const core::result<std::optional<pg::timestamp>>& found) {
          if (found && *found && !last_commit_) last_commit_ = pg::wall_time_of(**found);
        });
  }

  // -- WAL ----------------------------------------------------------------------------------------------------------

  void on(const messages::ingest_batch& request, reply<messages::batch_ingested> owed) {
    if (state_ != state::active) return owed.fail({core::errc::unavailable, std::string("ingest: ") + state_text_});
    if (!request.batch || request.batch->empty()) return owed.deliver(progress());
    if (const auto last = store_->last_record_lsn(); !goes_on(*request.batch, last))
      return owed.fail({core::errc::conflict, "ingest: a batch up to " + to_string(request.batch->last_record_end()) +
                                                  " does not go on after " + to_string(last)});
    std::optional<core::wall_time> latest;
    for (const storage::commit_time& commit : request.batch->commit_times()) {
      last_commit_ = pg::wall_time_of(commit.time);
      latest = std::max(latest, last_commit_);
    }
    store_->append(std::move(*request.batch));
    answer_waiters();
    points_.handed_over(handed_over());
    if (latest) points_.committed(*latest);
    if (store_->freeze_due() || first_trace_.due(*store_)) freeze();
    if (store_->frozen_count() < frozen_max) return owed.deliver(progress());
    // No answer, no credit: the source keeps its WAL until a layer is on disk.
    withheld_.push_back(owed);
  }

  static bool goes_on(const storage::write_batch& batch, core::lsn last) {
    return batch.last_record_end() > last && (batch.entries().empty() || batch.entries().front().at > last);
  }
  [[nodiscard]] messages::batch_ingested progress() const {
    return {store_->last_record_lsn(), store_->disk_consistent_lsn()};
  }

  void answer_waiters() {
    const auto last = store_->last_record_lsn();
    for (auto& waiter : waiters_.reached(last)) waiter.waiter.deliver({last});
  }

  void on(const messages::wait_lsn& request, reply<messages::lsn_reached> owed) {
    const auto last = store_->last_record_lsn();
    if (request.at <= last && state_ != state::importing) return owed.deliver({last});
    if (state_ == state::stopping)
      return owed.fail({core::errc::unavailable, "wait for an LSN: the timeline is stopping"});
    if (!followed())
      return owed.fail({core::errc::out_of_range, "wait for " + to_string(request.at) + ": the branch ends at " +
                                                      to_string(last) + " and nobody writes to it"});
    if (waiters_.size() >= waiting_max) return owed.fail({core::errc::busy, "wait for an LSN: too many wait already"});
    waiters_.add(request.at, clock().monotonic() + request.timeout, owed);
    if (receiver_) tell(receiver_, wal_wanted{});
  }

  // -- flushing -----------------------------------------------------------------------------------------------------

  void freeze() {
    if (store_->freeze()) tell(flusher_, flush_due{});
  }

  void on(const messages::checkpoint_timeline&, reply<messages::timeline_checkpointed> owed) {
    if (state_ != state::active) return owed.fail({core::errc::unavailable, std::string("checkpoint: ") + state_text_});
    const auto target = store_->last_record_lsn();
    store_->freeze();
    if (target <= store_->disk_consistent_lsn()) return owed.deliver({store_->disk_consistent_lsn()});
    checkpoints_.emplace_back(target, owed);
    tell(flusher_, flush_due{.now = true});
  }

  void on(const layer_flushed& event) {
    trouble_.erase("flush");
    std::erase_if(checkpoints_, [&](const auto& waiting) {
      if (waiting.first > event.disk_consistent_lsn) return false;
      waiting.second.deliver({event.disk_consistent_lsn});
      return true;
    });
    if (store_->frozen_count() < frozen_max)
      for (const auto& owed : std::exchange(withheld_, {})) owed.deliver(progress());
    if (receiver_) tell(receiver_, timeline_flushed{event.disk_consistent_lsn});
    if (store_->counters().l0_layers >= options_.tenant.compaction_threshold) tell(compactor_, compaction_due{});
    gauges_->update(*store_, waiters_.size());
    if (state_ == state::stopping && store_->frozen_count() == 0) end();
  }

  void on(const flush_failed& event) {
    trouble_["flush"] = "flush: " + core::to_string(event.why);
    for (const auto& [target, owed] : std::exchange(checkpoints_, {})) owed.fail(event.why);
    // What is in memory can be had from the source again.
    if (state_ == state::stopping) end();
  }

  void flush_and_end() {
    store_->freeze();
    if (store_->frozen_count() == 0) return end();
    tell(flusher_, flush_due{.now = true});
  }
  void end() {
    stop_children([this] { quit(); });
  }

  // -- compaction and collection --------------------------------------------------------------------------------------

  void on(const messages::compact_timeline& request, reply<messages::timeline_compacted> owed) {
    if (state_ != state::active) return owed.fail({core::errc::unavailable, std::string("compact: ") + state_text_});
    owed.pass_to(compactor_, request);
  }
  void on(const compaction_health& health) {
    if (health.trouble.empty())
      trouble_.erase("compaction");
    else
      trouble_["compaction"] = health.trouble;
  }

  void on(const messages::collect_garbage& request, reply<messages::garbage_collected> owed) {
    if (state_ != state::active) return owed.fail({core::errc::unavailable, std::string("collect: ") + state_text_});
    if (collection_.running()) return owed.fail({core::errc::busy, "collect: a collection is running"});
    collection_.start(request.horizon_bytes,
                      [owed](const core::result<messages::garbage_collected>& done) { owed.answer(done); });
  }

  collection::context around_collection() {
    return {.plan =
                [this](std::optional<std::uint64_t> horizon_bytes, collection::context::planned then) {
                  ask(collector_, plan_cutoff{source_ ? source_->clock_ahead : std::nullopt, horizon_bytes},
                      [then = std::move(then)](const core::result<cutoff_planned>& planned) {
                        planned ? then(planned->cutoff) : then(planned.error());
                      });
                },
            .applied_cutoff = [this] { return store_->gc_cutoff(); },
            .now = [this] { return clock().monotonic(); },
            .collect = [this](const storage::timeline_store::retention& keep,
                              collection::done then) { ask(collector_, collect_layers{keep}, std::move(then)); },
            .ended =
                [this](const core::result<messages::garbage_collected>& done) {
                  if (done)
                    trouble_.erase("collection");
                  else
                    trouble_["collection"] = "collection: " + core::to_string(done.error());
                  gauges_->update(*store_, waiters_.size());
                }};
  }

  // -- what must stay -------------------------------------------------------------------------------------------------

  [[nodiscard]] readable_window window() const {
    return {std::max(store_->record().readable_from, store_->gc_cutoff()), store_->last_record_lsn()};
  }

  core::result<void> on(const messages::add_branch_point& request) {
    if (state_ != state::active) return core::error{core::errc::unavailable, std::string("branch: ") + state_text_};
    return retention_.add_branch_point(request.child, request.at, window());
  }
  void on(const messages::remove_branch_point& request) { retention_.remove_branch_point(request.child); }

  core::result<messages::lsn_leased> on(const messages::lease_lsn& request) {
    if (state_ != state::active) return core::error{core::errc::unavailable, std::string("lease: ") + state_text_};
    retention_.expire_leases(clock().monotonic());
    STRATA_ASSIGN(const auto left,
                  retention_.lease(request.at, window(), clock().monotonic(), options_.tenant.lsn_lease_length));
    return messages::lsn_leased{clock().now() + left};
  }
  core::result<void> on(const messages::hold_lsn& request) {
    if (state_ != state::active) return core::error{core::errc::unavailable, std::string("hold: ") + state_text_};
    if (!request.holder) return core::error{core::errc::invalid_argument, "hold: nobody holds it"};
    STRATA_TRY(retention_.hold(request.at, window()));
    monitor(request.holder, [this, at = request.at](const core::error&) { retention_.release(at); });
    return {};
  }

  // -- points of the history ------------------------------------------------------------------------------------------

  using point_reply = reply<messages::point_resolved>;

  history_points::surroundings around_points() {
    return {.find =
                [this](core::wall_time time, history_points::found then) {
                  offload(
                      runtime::pool_id::io, "look up a point in time",
                      [store = store_, time] { return store->find_lsn(pg::timestamp_of(time)); }, std::move(then));
                },
            .keep = [this](core::lsn at, const point_reply& owed) { keep_point(at, owed); },
            .known = [this] { return known(); },
            .ask_for_word = [this] { ask_for_word(); },
            .state = [this] { return source_ ? receiver_state(*source_) : std::string("nothing is received"); },
            .now = [this] { return clock().monotonic(); },
            .last_record = [this] { return store_->last_record_lsn(); },
            .handed_over = [this] { return handed_over(); },
            .committed = [this] { return source_ ? source_->source_head : core::lsn(); }};
  }

  void on(const messages::resolve_point& request, point_reply owed) {
    if (state_ != state::active)
      return owed.fail({core::errc::unavailable, std::string("find a point of the history: ") + state_text_});
    if (const auto* time = std::get_if<core::wall_time>(&request.at))
      return points_.find({*time, clock().monotonic() + request.timeout, owed});
    const auto* given = std::get_if<core::lsn>(&request.at);
    if (given == nullptr && store_->record().safekeepers) return points_.find_head(request.timeout, owed);
    resolve_lsn(given != nullptr ? *given : store_->last_record_lsn(), request.timeout, owed);
  }

  void resolve_lsn(core::lsn at, std::chrono::milliseconds timeout, const point_reply& owed) {
    const core::lsn last = store_->last_record_lsn();
    // Where no record ends, the last one before it does.
    if (at > last && at <= handed_over()) at = last;
    if (at <= last || !followed() || timeout.count() <= 0) return keep_point(at, owed);
    // The source may have written it since its last word, which is here at once then.
    const bool announced = !source_ || at <= source_->source_head || store_->record().safekeepers;
    const auto patience = announced ? timeout : std::min<std::chrono::milliseconds>(timeout, std::chrono::seconds(1));
    ask(self(), messages::wait_lsn{at, patience},
        [this, at, left = timeout - patience, owed](const core::result<messages::lsn_reached>& reached) {
          if (reached || (source_ && at <= source_->source_head)) return resolve_lsn(at, left, owed);
          keep_point(at, owed);
        });
  }

  void keep_point(core::lsn at, const point_reply& owed) {
    const auto leased = on(messages::lease_lsn{at});
    if (!leased) return owed.fail(leased.error());
    owed.deliver({.at = at, .kept_until = leased->valid_until, .known_until = known().until, .why = {}});
  }

  [[nodiscard]] known_history known() const {
    const auto record = store_->record();
    known_history now{.until = std::max({points_.word(), last_commit_, known_by_birth(record)}),
                      .since = record.source ? points_.first_word() : std::optional(record.created),
                      .window = window()};
    if (!followed()) now.until = clock().now();  // nobody writes it
    return now;
  }

  void ask_for_word() {
    if (receiver_) tell(receiver_, wal_wanted{});
    const auto record = store_->record();
    if (!record.safekeepers || !points_.begin_asking_quorum()) return;
    offload(
        runtime::pool_id::io, "ask safekeepers for their WAL's end",
        [question = options_.ask_flushed, members = *record.safekeepers, tenant = record.tenant, id = record.id] {
          const auto flushed = question(members, tenant, id);
          return flushed ? acknowledged_at_most(members, *flushed) : core::result<core::lsn>(flushed.error());
        },
        [this, asked = clock().now()](const core::result<core::lsn>& head) {
          points_.quorum_answered(head, asked);
          points_.handed_over(handed_over());
        });
  }
  [[nodiscard]] core::lsn handed_over() const {
    return std::max(store_->last_record_lsn(), source_ ? source_->handed_over : core::lsn());
  }

  // -- the safekeepers ------------------------------------------------------------------------------------------------

  safekeeper_membership::context around_membership() {
    return {.record = [this] { return store_->record(); },
            .check_active = [this]() -> core::result<void> {
              if (state_ == state::active) return {};
              return core::error{core::errc::unavailable, std::string("safekeepers: ") + state_text_};
            },
            .store =
                [this](const consensus::configuration& to, safekeeper_membership::stored then) {
                  offload(
                      runtime::pool_id::io, "store the safekeepers of " + name(),
                      [store = store_, to] { return store->update({.safekeepers = to}); }, std::move(then));
                },
            .create_on_safekeepers =
                [this](std::function<void()> then) {
                  if (!options_.errands) return then();
                  const auto record = store_->record();
                  ask(options_.errands, begin_wal{record.tenant, record.id},
                      [then = std::move(then)](const core::result<void>&) { then(); });
                },
            .changed = [this] { tell(options_.errands, look_for_errands{}); },
            .follow = [this] { follow_safekeepers(); }};
  }

  core::result<messages::timeline_safekeepers> on(const messages::get_safekeepers&) {
    return safekeepers_of(store_->record());
  }
  void on(const messages::assign_safekeepers& request, safekeeper_membership::reply owed) {
    membership_.assign(request, owed);
  }
  void on(const messages::change_safekeepers& request, safekeeper_membership::reply owed) {
    membership_.change(request, owed);
  }
  void follow_safekeepers() {
    if (state_ != state::active) return;
    if (receiver_)
      tell(receiver_, safekeepers_changed{*store_->record().safekeepers});
    else
      start_receiver();
  }

  // -- the source, the options, the clock -----------------------------------------------------------------------------

  void on(const messages::source_status& status) {
    source_ = status;
    // A receiver that has just started has received nothing itself; its predecessors have.
    source_->received = std::max(source_->received, store_->last_record_lsn());
    trouble_.erase("gap");
    if (status.gap) trouble_["gap"] = gap_trouble(*status.gap, branch_name());
    points_.handed_over(handed_over());
    if (status.known_until) points_.word_came(*status.known_until);
  }

  void update_source_gauges() {
    const auto record = store_->record();
    if (!source_ || !record.source) return;
    if (!source_gauges_) source_gauges_.emplace(env().metrics(), tenant_name(), branch_name());
    const auto& trace = record.source->received;
    source_gauges_->update(*source_, lag(), trace ? trace->begin : store_->disk_consistent_lsn());
  }

  void on(const messages::resume_source&, reply<> owed) {
    const auto source = store_->record().source;
    if (!source) return owed.fail({core::errc::invalid_argument, "resume source: branch " + name() + " follows none"});
    if (!source->refusal) return owed.deliver();
    offload(
        runtime::pool_id::io, "resume the source of " + name(),
        [store = store_] { return store->update({.resume_source = true}); },
        [this, owed](const core::result<void>& stored) {
          if (!stored) return owed.fail(stored.error());
          // The receiver's word of before must not pass for that of the new attempt.
          if (source_) {
            source_->now = messages::source_status::phase::connecting;
            source_->last_error.clear();
          }
          if (receiver_) tell(receiver_, source_resumed{});
          owed.deliver();
        });
  }

  void on(const import_finished&) {
    if (state_ != state::importing) return;
    enter(state::active);
    core::log_info("timeline " + name() + ": import finished at " + to_string(store_->last_record_lsn()));
    answer_waiters();
    if (receiver_) tell(receiver_, timeline_flushed{store_->disk_consistent_lsn()});
  }

  void on(const options_changed& change) {
    options_.tenant = change.options;
    store_->set_options(change.options);
    schedule_.change(change.options, clock().monotonic());
  }

  void on(const runtime::housekeeping_tick&) {
    const auto now = clock().monotonic();
    for (auto& waiter : waiters_.expired(now)) waiter.waiter.fail({core::errc::timeout, why_late(waiter.at)});
    points_.tick();
    if (state_ != state::active) return;
    if (store_->freeze_due()) freeze();
    if (schedule_.compaction_due(options_.tenant, now)) tell(compactor_, compaction_due{});
    if (schedule_.collection_due(options_.tenant, now) && !collection_.running())
      collection_.start(std::nullopt, [](const auto&) {});
    if (++ticks_ % 4 != 0) return;
    gauges_->update(*store_, waiters_.size());
    update_source_gauges();
  }

  [[nodiscard]] std::string why_late(core::lsn at) const {
    std::string why = "wait for " + to_string(at) + ": the timeline is at " + to_string(store_->last_record_lsn());
    return source_ ? why + ", " + receiver_state(*source_) : why;
  }

  [[nodiscard]] messages::source_lag lag() const {
    if (!source_) return {};
    return lag_of(*source_, clock().monotonic(), trouble_.contains("flush"));
  }

  core::result<timeline_info> on(const messages::get_timeline_info&) {
    timeline_info info = describe_timeline(*store_);
    info.state = state_text_;
    info.readable_from = window().first;
    info.last_commit = last_commit_;
    info.source = source_;
    info.lag = lag();
    info.known_until = known().until;
    for (const auto& [work, what] : trouble_) info.trouble += (info.trouble.empty() ? "" : "; ") + what;
    return info;
  }

  timeline_options options_;
  std::shared_ptr<storage::timeline_store> store_;
  std::optional<timeline_gauges> gauges_;
  std::optional<source_gauges> source_gauges_;  ///< of what has a source
  state state_ = state::active;
  const char* state_text_ = "";

  flusher_actor flusher_;
  compactor_actor compactor_;
  garbage_collector_actor collector_;
  wal_receiver_actor receiver_;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::function<void()> when_receiver_ended_;

  lsn_waiters<reply<messages::lsn_reached>> waiters_;
  std::vector<reply<messages::batch_ingested>> withheld_;
  std::vector<std::pair<core::lsn, reply<messages::timeline_checkpointed>>> checkpoints_;
  retention retention_;
  collection collection_{retention_, around_collection()};
  first_trace first_trace_;
  safekeeper_membership membership_{around_membership()};

  std::optional<messages::source_status> source_;
  std::optional<core::wall_time> last_commit_;
  history_points points_{around_points()};
  std::map<std::string, std::string> trouble_;  ///< by kind of work
  maintenance_schedule schedule_;
  std::uint64_t ticks_ = 0;
};

}  // namespace

owned_timeline_actor spawn_timeline(caf::actor_system& system, timeline_options options) {
  auto label = options.label;
  return runtime::spawn<timeline>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
