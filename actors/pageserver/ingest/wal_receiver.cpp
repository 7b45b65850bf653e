#include "actors/pageserver/ingest/wal_receiver.hpp"

#include "actors/pageserver/ingest/receiver_machine.hpp"
#include "actors/pageserver/ingest/source_history.hpp"
#include "actors/pageserver/ingest/source_import.hpp"
#include "actors/pageserver/ingest/source_link.hpp"
#include "actors/pageserver/ingest/source_progress.hpp"
#include "actors/pageserver/ingest/wal_decoder.hpp"
#include "actors/pageserver/ingest/wal_origin.hpp"
#include "actors/runtime/actor_base.hpp"
#include "config/time_text.hpp"
#include "core/log.hpp"
#include "pg/client/conninfo.hpp"

namespace strata::actors::pageserver {
namespace {

namespace client = pg::client;
using phase = messages::source_status::phase;

struct retry_due {
  std::uint64_t attempt = 0;  ///< ignored unless it is the current one
};
struct status_due {};
struct resume_due {};
using private_wal_receiver =
    wal_receiver_actor::extend<messages::accepts<runtime::socket_ready>, messages::accepts<retry_due>,
                               messages::accepts<status_due>, messages::accepts<resume_due>>;

class wal_receiver final : public runtime::actor_base<private_wal_receiver> {
 public:
  static constexpr const char* kind = "pageserver.wal_receiver";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  wal_receiver(const runtime::actor_setup& setup, wal_receiver_options options)
      : actor_base(setup),
        options_(std::move(options)),
        origin_(options_.conninfo.empty() ? follow_safekeepers(options_.store->record())
                                          : follow_source(options_.conninfo, options_.slot, clock().monotonic())),
        link_(env().sockets()),
        counters_{.bytes = env().metrics().counter("strata_wal_received_bytes_total", "WAL received by timelines"),
                  .batches = env().metrics().counter("strata_wal_batches_total",
                                                     "Batches of WAL records handed to timelines")} {
    status_.conninfo = origin_->name();
    status_.slot = origin_->slot();
    status_.database = client::database_in_conninfo(options_.conninfo);
  }

  void on_start() {
    reported_.disk_consistent = options_.store->disk_consistent_lsn();
    if (options_.watch) {
      const auto record = options_.store->record();
      tell(options_.watch, watch_timeline{record.tenant, record.id, self()});
    }
    if (const auto source = options_.store->record().source; source && source->refusal)
      stand_still(*source->refusal);
    else
      connect();
    tell_self_after(status_interval, status_due{});
  }

 private:
  friend actor_base;
  struct counters {
    runtime::counter bytes;
    runtime::counter batches;
  };
  /// Of the present connection, and of the next attempt at one.
  struct connection {
    source_session session{{}};
    core::monotonic_time heard{};
    wal_decoder::compared compared = wal_decoder::compared::whole_trace;
    std::uint64_t attempt = 0;  ///< the attempt to connect that is due next
  };
  struct reported_positions {
    core::lsn disk_consistent;
    core::lsn confirmed;    ///< the source may remove WAL before it
    bool flushing = false;  ///< the source waits for the end of a flush
  };
  static constexpr auto status_interval = std::chrono::seconds(1);

  // -- connecting ---------------------------------------------------------------------------------------------------

  /// Precondition: no batch is in flight, so that the store shows where to continue.
  void connect() {
    const auto last = options_.store->last_record_lsn();
    const auto conninfo = origin_->next(clock().monotonic(), last);
    if (!conninfo) return try_again_after(origin_->pause());
    auto goal = origin_->goal(options_.store->record(), last);
    if (const auto received = options_.store->received()) {
      goal.read_from = connection_.compared == wal_decoder::compared::whole_trace ? received->begin : received->middle;
      goal.source_timeline = received->source_timeline;
    }
    connection_.session = source_session(std::move(goal));
    reported_.confirmed = {};
    status_.conninfo = origin_->name();
    set_phase(phase::connecting);
    machine_.connect();
    offload(
        runtime::pool_id::io, "connect to " + status_.conninfo,
        [conninfo = *conninfo] { return client::replication_connection::open(conninfo); },
        [this](core::result<client::replication_connection> opened) {
          if (!opened) return broke(opened.error());
          machine_.connected();
          link_.adopt(*std::move(opened));
          connection_.heard = clock().monotonic();
          advance();
        });
  }

  void try_again_after(std::chrono::milliseconds pause) { tell_self_after(pause, retry_due{++connection_.attempt}); }

  void broke(const core::error& why) {
    // Other conflicts belong to an import, or to a safekeeper, of which there are several.
    if (why.code == core::errc::conflict && origin_->is_source() && !import_) return refuse(why);
    disconnect();
    if (compares_less(why)) return try_again_after(std::chrono::milliseconds(0));
    connection_.compared = wal_decoder::compared::whole_trace;
    note_error("follow " + status_.conninfo, why);
    status_.last_error = why.detail;
    if (import_ && import_->begun()) return quit(why);
    import_.reset();
    ++status_.reconnects;
    origin_->lost(clock().monotonic(), options_.store->last_record_lsn(), why);
    status_.gap = origin_->gap();
    set_phase(advice_for(why.code) == core::advice::retry_later ? phase::waiting_to_retry : phase::failed);
    try_again_after(origin_->pause());
  }

  /// A source that was promoted may have removed the segment in which the trace begins, although it has all WAL that is
  /// needed to continue: the newer piece, which is in the segment of its end, identifies it.
  bool compares_less(const core::error& why) {
    const auto received = options_.store->received();
    const bool can = why.code == core::errc::out_of_range &&
                     connection_.compared == wal_decoder::compared::whole_trace && received &&
                     received->middle > received->begin;
    if (can) connection_.compared = wal_decoder::compared::newer_piece;
    return can;
  }

  /// This is not the server that was followed: none of its WAL may be ingested, now or after a restart, until an
  /// operator has resumed the source.
  void refuse(const core::error& why) {
    note_error("follow " + status_.conninfo, why);
    const storage::source_refusal refusal{why.detail, options_.store->last_record_lsn(), clock().now()};
    stand_still(refusal);
    store_refusal(refusal);
  }
  void stand_still(const storage::source_refusal& refusal) {
    disconnect();
    machine_.refuse();
    ++connection_.attempt;  // none is due
    status_.last_error =
        refusal.why + " (refused at " + to_string(refusal.at) + ", " + config::utc_text(refusal.since) + ")";
    set_phase(phase::failed);
  }
  void store_refusal(const storage::source_refusal& refusal) {
    offload(
        runtime::pool_id::io, "store the refusal of the source",
        [store = options_.store, refusal] { return store->update({.refuse_source = refusal}); },
        [this](const core::result<void>& stored) {
          if (stored) return;
          note_error("store the refusal of the source", stored.error());
          quit(stored.error());
        });
  }
  void on(const source_resumed&) {
    if (!machine_.resume()) return;
    status_.last_error.clear();
    try_now();
  }

  /// WAL that was received and not handed over comes again.
  void disconnect() {
    link_.close();
    decoder_.reset();
    machine_.disconnected();
  }

  /// The stream has ended because all WAL was sent.
  void rest() {
    if (decoder_ && decoder_->has_batch() && machine_.may_hand_over()) hand_over();
    disconnect();
    origin_->caught_up(clock().monotonic());
    status_.last_error.clear();
    set_phase(phase::idle);
    try_again_after(origin_->pause());
  }

  void on(const retry_due& due) {
    if (due.attempt == connection_.attempt) try_now();
  }
  void try_now() {
    using enum receiver_machine::state;
    if (machine_.may_connect())
      connect();
    else if (machine_.now() == idle || machine_.now() == connecting)
      try_again_after(std::chrono::milliseconds(100));
  }

  // -- publications of the safekeepers ------------------------------------------------------------------------------

  void on(const safekeeper_published& news) {
    origin_->published(news.info, clock().monotonic());
    status_.source_head = std::max(status_.source_head, news.info.commit_lsn);
    if (status_.now == phase::idle) try_now();
  }
  void on(const safekeepers_changed& change) { origin_->change_members(change.to); }
  /// For WAL, or only for a report of its end.
  void on(const wal_wanted&) {
    origin_->wanted();
    if (status_.now == phase::idle) try_now();
    // The end of the received WAL may be a part of a record, which the timeline does not count.
    if (!decoder_ || !machine_.listens()) return;
    if (!follows_source()) tell(options_.timeline, status_);
    if (!progress_.may_ask(clock().monotonic())) return;
    if (auto sent = send_status(true); !sent) broke(sent.error());
  }

  // -- the session ----------------------------------------------------------------------------------------------------

  void on(const runtime::socket_ready& event) {
    if (link_.is_current(event.token)) advance();
  }
  void on(const resume_due&) { advance(); }

  /// Handles input until there is no more, or until this actor has to wait for another one.
  void advance() {
    if (!machine_.listens()) return;
    if (auto stepped = link_.connection().step(); !stepped) return broke(stepped.error());
    // A fast source must not keep the thread for itself.
    constexpr int events_max = 64;
    for (int handled = 0; handled < events_max; ++handled) {
      auto event = link_.connection().receive();
      if (!event) return broke(event.error());
      if (!*event) {
        if (decoder_ && decoder_->has_batch()) {
          if (!machine_.may_hand_over()) return machine_.wait_for_credit();
          hand_over();
        }
        note_handed_over();
        if (auto armed = link_.arm(self()); !armed) broke(armed.error());
        return;
      }
      connection_.heard = clock().monotonic();
      origin_->heard(connection_.heard, {}, std::nullopt);
      if (auto went = handle_event(**event); !went) return broke(went.error());
      if (!machine_.listens()) return;
    }
    tell(self(), resume_due{});
  }

  core::result<void> handle_event(const client::replication_event& event) {
    if (const auto* wal = std::get_if<client::wal_data>(&event)) return take_wal(*wal);
    if (const auto* alive = std::get_if<client::keepalive>(&event)) {
      status_.source_head = std::max(status_.source_head, alive->server_end);
      origin_->heard(connection_.heard, alive->server_end, std::nullopt);
      progress_.heard_keepalive(alive->server_end, pg::wall_time_of(alive->sent), connection_.heard, clock().now());
      return alive->reply_requested && !flush_for_source() ? send_status() : core::result<void>();
    }
    if (const auto* end = std::get_if<client::streaming_ended>(&event)) {
      if (end->next_timeline != 0 && origin_->is_source() && decoder_) return go_to_next_timeline(*end);
      if (!end->caught_up) return core::error{core::errc::unavailable, "the source has ended the stream"};
      rest();
      return {};
    }
    if (const auto* connected = std::get_if<client::connected>(&event)) {
      status_.user = connected->user;
      status_.database = connected->database;
    }
    if (import_ || std::holds_alternative<client::backup_started>(event)) take_backup(event);
    if (!machine_.listens()) return {};
    return follow(event);
  }

  /// The source has left the streamed timeline, where it was promoted.
  core::result<void> go_to_next_timeline(const client::streaming_ended& end) {
    if (decoder_->position() == end.next_timeline_start) return follow(end);
    return not_the_same_server("its timeline " + std::to_string(end.next_timeline) + " forked at " +
                               to_string(end.next_timeline_start) + ", and it was followed to " +
                               to_string(decoder_->position()));
  }

  /// The next step of the session after an event.
  core::result<void> follow(const client::replication_event& event) {
    STRATA_ASSIGN(const auto command, connection_.session.on(event));
    status_.source_head = std::max(status_.source_head, connection_.session.source_head());
    origin_->heard(connection_.heard, connection_.session.source_head(), std::nullopt);
    if (std::holds_alternative<client::streaming_started>(event)) {
      progress_.connected(connection_.session.source_head());
      if (const auto& names = connection_.session.synchronous_standby_names(); !names.empty())
        core::log_warning(status_.conninfo + ": synchronous_standby_names = '" + names +
                          "' names Strata, which is never a synchronous standby: COMMIT waits for another one there");
      if (!decoder_) open_decoder();
      if (decoder_) decoder_->set_source_timeline(connection_.session.source_timeline());
      return {};
    }
    return link_.carry_out(command, origin_->slot());
  }

  // -- WAL ----------------------------------------------------------------------------------------------------------

  void open_decoder() {
    set_phase(phase::catching_up);
    machine_.open_decoder();
    offload(
        runtime::pool_id::io, "prepare to ingest WAL",
        [store = options_.store, part = connection_.compared] { return wal_decoder::open(store, part); },
        [this](core::result<std::unique_ptr<wal_decoder>> opened) {
          machine_.job_done();
          if (!opened) return broke(opened.error());
          decoder_ = *std::move(opened);
          decoder_->set_source_timeline(connection_.session.source_timeline());
          advance();
        });
  }

  core::result<void> take_wal(const client::wal_data& wal) {
    counters_.bytes.add(static_cast<double>(wal.bytes.size()));
    status_.source_head = std::max(status_.source_head, wal.server_end);
    if (wal.start != decoder_->position())
      return core::error{core::errc::corrupt, "WAL at " + to_string(wal.start) + " came where " +
                                                  to_string(decoder_->position()) + " was expected"};
    STRATA_TRY(decoder_->feed(wal.bytes));
    status_.received = wal.start + wal.bytes.size();
    origin_->heard(connection_.heard, wal.server_end, status_.received);
    progress_.heard_wal(wal.server_end, connection_.heard);
    return work_off();
  }

  /// Decodes the fed bytes; pauses when it needs credit or the disk, or must wait until all batches are visible.
  core::result<void> work_off() {
    for (;;) {
      if (!machine_.may_hand_over()) break;
      STRATA_ASSIGN(const auto progress, decoder_->work());
      if (progress == wal_decoder::progress::used_up) return {};
      if (progress == wal_decoder::progress::needs_disk) {
        go_to_disk();
        return {};
      }
      if (decoder_->has_batch()) hand_over();
      if (progress != wal_decoder::progress::barrier) continue;
      if (machine_.in_flight() > 0) break;
      decoder_->passed_barrier();
    }
    machine_.wait_for_credit();
    return {};
  }

  void go_to_disk() {
    machine_.go_to_disk();
    offload(runtime::pool_id::io, "ingest a record that needs the disk", decoder_->take_disk_step(),
            [this](const core::result<void>& done) {
              machine_.job_done();
              if (!done) return broke(done.error());
              if (auto went = work_off(); !went) return broke(went.error());
              advance();
            });
  }

  /// All received WAL was handed over, or is not a whole record yet. Later reports are sent after the batches.
  void note_handed_over() {
    if (!decoder_ || decoder_->has_batch()) return;
    status_.handed_over = decoder_->position();
    if (progress_.handed_over(status_.handed_over) && follows_source()) {
      take_words();
      tell(options_.timeline, status_);
    }
  }
  /// One safekeeper does not have the others' positions: its report is not that of the branch.
  [[nodiscard]] bool follows_source() const { return !options_.conninfo.empty(); }
  void take_words() {
    status_.last_message = progress_.last_message();
    if (!follows_source()) return;
    status_.known_until = progress_.known_until();
    status_.clock_ahead = progress_.clock_ahead();
  }

  void hand_over() {
    counters_.batches.add();
    machine_.handed_over();
    ask(options_.timeline, ingest_batch{decoder_->take_batch()}, [this](const core::result<batch_ingested>& taken) {
      const bool goes_on = machine_.answered();
      if (!taken) return quit(taken.error());
      reported_.disk_consistent = std::max(reported_.disk_consistent, taken->disk_consistent_lsn);
      origin_->progressed();
      status_.gap = origin_->gap();
      if (!goes_on) return;
      if (auto went = work_off(); !went) return broke(went.error());
      advance();
    });
  }

  // -- the base backup ------------------------------------------------------------------------------------------------

  void take_backup(const client::replication_event& event) {
    if (const auto* started = std::get_if<client::backup_started>(&event)) {
      set_phase(phase::backing_up);
      status_.backup_bytes_expected = started->size_estimate;
      import_ = std::make_unique<source_import>(options_.store, started->start, link_.connection().major());
      return;
    }
    if (const auto* archive = std::get_if<client::archive_data>(&event)) status_.backup_bytes += archive->bytes.size();
    auto job = import_->on(event);
    if (!job) return;
    machine_.import_piece();
    offload(runtime::pool_id::background, "import a base backup", std::move(job),
            [this, event = import_->finished() ? event : client::replication_event()](const core::result<void>& done) {
              machine_.job_done();
              if (!done) return broke(done.error());
              if (import_->finished()) {
                import_.reset();
                tell(options_.timeline, import_finished{});
                reported_.disk_consistent = options_.store->disk_consistent_lsn();
                if (auto went = follow(event); !went) return broke(went.error());
              }
              advance();
            });
  }

  // -- reporting positions

  /// A walsender that gets messages from its receiver sends none by itself unless it is asked.
  core::result<void> send_status(bool request_reply = false) {
    if (!link_.open() || !link_.connection().streaming()) return {};
    const core::lsn received = decoder_ ? decoder_->position() : options_.store->last_record_lsn();
    const auto more = origin_->feedback(received, reported_.disk_consistent, clock().now());
    // A safekeeper may remove WAL that was reported as applied.
    const core::lsn applied = more.empty() ? options_.store->last_record_lsn() : reported_.disk_consistent;
    auto sent = origin_->is_source()
                    ? tell_source(received, applied, request_reply)
                    : link_.connection().send_status(received, reported_.disk_consistent, applied, request_reply);
    if (sent && request_reply) progress_.asked(clock().monotonic());
    if (sent && !more.empty()) sent = link_.connection().send_message(more);
    if (!sent && sent.error().code == core::errc::busy) return {};  // the next report includes it
    return sent;
  }

  /// The source keeps WAL from the start of the trace on, for comparison. It counts the standby with the last report of
  /// a flush position as a synchronous one; so the position is only reported when it moves, and withdrawn at once
  /// (docs/decisions/0036). While it shuts down and waits until the WAL it sent is durable, no more is reported.
  core::result<void> tell_source(core::lsn received, core::lsn applied, bool request_reply) {
    const auto source = options_.store->record().source;
    const auto keep = source && source->received ? source->received->begin : reported_.disk_consistent;
    if (keep > reported_.confirmed) {
      STRATA_TRY(link_.connection().send_status(received, keep, applied, false));
      reported_.confirmed = keep;
    }
    return link_.connection().send_status(reported_.flushing ? reported_.disk_consistent : received, {}, applied,
                                          request_reply);
  }

  /// We report every second, so a source that asks for more wants to shut down: it waits until all WAL that it sent is
  /// durable here, and asks again after every answer until then. True: the answer is sent when that is so.
  bool flush_for_source() {
    if (!origin_->is_source()) return false;
    if (reported_.flushing) return true;
    if (decoder_ && decoder_->has_batch() && machine_.may_hand_over()) hand_over();
    if (machine_.in_flight() == 0 && reported_.disk_consistent >= options_.store->last_record_lsn()) return false;
    reported_.flushing = true;
    ask(options_.timeline, messages::checkpoint_timeline{},
        [this](const core::result<messages::timeline_checkpointed>& made) {
          reported_.flushing = false;
          if (made) reported_.disk_consistent = std::max(reported_.disk_consistent, made->disk_consistent_lsn);
          // While a job has it the connection is not closed: the job will report the error itself.
          if (auto sent = send_status(); !sent && !machine_.job_runs()) broke(sent.error());
        });
    return true;
  }

  void on(const timeline_flushed& event) {
    reported_.disk_consistent = std::max(reported_.disk_consistent, event.disk_consistent_lsn);
    // While a job has it the connection is not closed: the job will report the error itself.
    if (auto sent = send_status(); !sent && !machine_.job_runs()) broke(sent.error());
  }

  void on(const status_due&) {
    tell_self_after(status_interval, status_due{});
    if (machine_.listens()) {
      if (const auto why = origin_->reason_to_leave(clock().monotonic())) return broke(*why);
    } else if (!machine_.is_idle()) {
      origin_->not_listening(clock().monotonic());
    }
    if (decoder_ && !decoder_->comparing()) {
      const auto last = options_.store->last_record_lsn();
      const bool readable = last >= options_.store->record().readable_from;
      const bool near = status_.source_head <= last + near_bytes;
      set_phase(readable && near ? phase::streaming : phase::catching_up);
      if (readable && near) status_.last_error.clear();
    }
    // Not requested while we don't read: the answer would be old when it is read.
    const bool asks = follows_source() && machine_.listens() && progress_.may_ask(clock().monotonic());
    if (auto sent = send_status(asks); !sent && !machine_.job_runs()) return broke(sent.error());
    take_words();
    tell(options_.timeline, status_);
  }

  void set_phase(phase now) {
    static constexpr const char* words[] = {"connecting",       "backing up", "catching up", "streaming",
                                            "waiting to retry", "failed",     "idle"};
    describe(words[static_cast<std::size_t>(now)]);
    if (std::exchange(status_.now, now) != now) tell(options_.timeline, status_);
  }

  /// Closer to the source's head than this counts as following it.
  static constexpr std::uint64_t near_bytes = 1u << 20;

  wal_receiver_options options_;
  std::unique_ptr<wal_origin> origin_;
  source_link link_;
  connection connection_;
  counters counters_;
  messages::source_status status_;
  source_progress progress_;

  std::unique_ptr<source_import> import_;
  std::unique_ptr<wal_decoder> decoder_;
  receiver_machine machine_;
  reported_positions reported_;
};

}  // namespace

wal_receiver_actor spawn_wal_receiver(caf::actor_system& system, wal_receiver_options options) {
  auto label = options.label;
  return runtime::spawn<wal_receiver>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::retry_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::status_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::resume_due)
