#include "actors/safekeeper/wal_acceptor.hpp"

#include <algorithm>

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/latency.hpp"
#include "actors/safekeeper/journal_maintenance.hpp"
#include "actors/safekeeper/journal_queue.hpp"
#include "actors/safekeeper/peer_recovery.hpp"
#include "actors/safekeeper/reports.hpp"
#include "actors/safekeeper/segment_archive.hpp"
#include "journal/maintenance.hpp"
#include "pg/crc32c.hpp"

namespace strata::actors::safekeeper {
namespace {

using messages::wal_timeline_info;
using runtime::pool_id;
using runtime::reply;

constexpr std::chrono::seconds reopen_pause{1};

struct reopen_due {};
using private_acceptor = acceptor_actor::extend<messages::accepts<reopen_due>>;

struct acceptor_counters {
  explicit acceptor_counters(runtime::metrics& of)
      : wal_in(of.counter("strata_safekeeper_wal_in_bytes_total", "WAL that proposers have pushed")),
        commit(of.histogram("strata_safekeeper_commit_seconds",
                            "From the arrival of a proposer's batch until it is durable", runtime::latency_buckets())),
        refused(of.counter("strata_safekeeper_refused_total", "Batches with a message that was refused")),
        offloaded(of.counter("strata_safekeeper_segments_offloaded_total", "WAL segments put into object storage")) {}
  runtime::counter wal_in;
  runtime::histogram commit;
  runtime::counter refused;
  runtime::counter offloaded;
};

/// WAL that is being fetched from a peer.
struct fetch {
  struct wanted {
    messages::wal_donor donor;
    reply<wal_timeline_info> owed;
  };
  runtime::socket_owner actor;  ///< null: no fetch
  std::string donor;
  std::optional<wanted> pull;  ///< requested by an operator
};

class wal_acceptor final : public runtime::actor_base<private_acceptor> {
 public:
  static constexpr const char* kind = "safekeeper.wal_acceptor";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  wal_acceptor(const runtime::actor_setup& setup, wal_acceptor_options options)
      : actor_base(setup), options_(std::move(options)), last_(options_.view->position()), counters_(env().metrics()) {}

  void on_start() {
    maintenance_.saved(last_.commit_lsn, clock().monotonic());
    update_activity();
    suspend_when_idle();
  }

  /// Work in progress on the disk ends first, and waiting requests are answered.
  void on_stop() {
    stopping_ = true;
    journal_.fail_all({core::errc::unavailable, "the timeline is being closed"});
    stop_children([this] {
      journal_.exclusively(
          "save positions", [](journal::timeline_journal& journal) { return journal.save_positions(); },
          [this](const core::result<void>&) { quit(); });
    });
  }

 private:
  friend actor_base;
  // -- the journal: the flusher handles proposers' messages, this actor the rest ------------------------------------

  journal_queue::context around_journal() {
    return {.moved = [this] { moved(); },
            .failed =
                [this](const char* doing, const core::error& why) {
                  last_error_ = core::to_string(why);
                  note_error(doing, why);
                },
            .reopen_later = [this] { tell_self_after(reopen_pause, reopen_due{}); }};
  }
  void on(const reopen_due&) { journal_.reopen(); }

  // -- proposers ----------------------------------------------------------------------------------------------------

  void on(const take_batch& given, reply<batch_taken> owed) {
    if (refuse_when_stopping(owed)) return;
    journal_.add({[this, arrived = arrival{runtime::stopwatch(), given.batch->wal.size(), owed}, batch = given.batch] {
                    const auto& flushers = options_.around.flushers;
                    const keep_wal work{view().key().timeline, view().journal(), batch};
                    if (auto kept = flushers.rounds->run_where_it_was_read(work))
                      return journal_.ended([&] { taken(*std::move(kept), arrived); });
                    ask(flushers.of(work.timeline), work, [this, arrived](core::result<wal_kept> kept) {
                      journal_.ended([&] {
                        if (kept)
                          taken(std::move(kept->outcome), arrived);
                        else
                          taken(kept.error(), arrived);
                      });
                    });
                  },
                  [owed](const core::error& why) { owed.fail(why); }});
  }

  struct arrival {
    runtime::stopwatch since;
    std::size_t wal_size = 0;
    reply<batch_taken> owed;
  };
  void taken(core::result<flush_rounds::outcome> kept, const arrival& of) {
    if (!kept) return of.owed.fail(kept.error());
    auto& outcome = *kept;
    if (outcome.refused) {
      counters_.refused.add();
      last_error_ = core::to_string(*outcome.refused);
      if (outcome.failed) journal_.lose(*outcome.refused);
    } else {
      last_error_.clear();
      counters_.wal_in.add(static_cast<double>(of.wal_size));
      counters_.commit.observe(of.since.elapsed());
    }
    of.owed.deliver({std::move(outcome.replies), std::move(outcome.refused), reports_.feedback});
  }

  void on(const proposer_arrived& arrived) {
    ++view().proposers;
    // The elected proposer sends the WAL itself.
    if (fetch_.actor && !fetch_.pull) stop(fetch_.actor);
    monitor(arrived.who, [this](const core::error&) {
      --view().proposers;
      update_activity();
    });
    update_activity();
  }

  // -- receivers of WAL ---------------------------------------------------------------------------------------------

  void on(const receiver_arrived& arrived) {
    receivers_.push_back(arrived.who);
    monitor(arrived.who, [this, who = arrived.who.address()](const core::error&) {
      std::erase_if(receivers_, [&](const position_listener& each) { return each.address() == who; });
      suspend_when_idle();
    });
    tell(arrived.who, positions_moved{});
  }

  void moved() {
    const journal::acceptor_position now = view().position();
    const bool told = now.in != last_.in || now.flush_lsn != last_.flush_lsn || now.commit_lsn != last_.commit_lsn ||
                      now.remote_consistent != last_.remote_consistent;
    last_ = now;
    if (told)
      for (const auto& each : receivers_) tell(each, positions_moved{});
    answer_pull();
    update_activity();
  }

  void on(const pageserver_reported& said) {
    reports_.feedback = said.feedback;
    if (said.feedback.remote_consistent > last_.remote_consistent)
      learn({.remote_consistent = said.feedback.remote_consistent});
  }

  // -- reports of others --------------------------------------------------------------------------------------------

  void learn(const consensus::timeline_news& news) {
    journal_.exclusively(
        "handle a report", [news](journal::timeline_journal& journal) { return journal.tell(news); },
        [this](const core::result<void>& told) {
          if (!told) note_error("handle a report", told.error());
        });
  }

  void on(const peer_published& said) {
    const auto& info = said.info;
    reports_.received(info, clock().monotonic());
    const bool same_history = info.last_log_term == last_.last_log_term.value;
    const core::lsn commit = std::min(info.commit_lsn, last_.flush_lsn);
    if ((same_history && commit > last_.commit_lsn) || info.backup_lsn > last_.backup_lsn ||
        info.peer_horizon_lsn > last_.peer_horizon || info.remote_consistent_lsn > last_.remote_consistent)
      learn(
          {{info.last_log_term}, info.commit_lsn, info.backup_lsn, info.peer_horizon_lsn, info.remote_consistent_lsn});
    if (fetch_.actor || stopping_) return;
    if (const auto* donor = journal::peer_to_recover_from(situation())) recover_from(donor->wal_address);
  }

  void recover_from(const std::string& donor) {
    fetch_.donor = donor;
    fetch_.actor = spawn_peer_recovery(
        system(), {.label = child_label(name()), .acceptor = self(), .view = options_.view, .donor = donor});
    adopt(fetch_.actor, [this](const core::error& why) {
      fetch_.actor = nullptr;
      fetch_.donor.clear();
      answer_pull();
      if (auto pending = std::exchange(fetch_.pull, std::nullopt))
        pending->owed.fail(core::error(why).within("fetch WAL from " + pending->donor.wal_address));
    });
  }

  void on(const fetch_wal& request, reply<wal_timeline_info> owed) {
    if (fetch_.pull) return owed.fail({core::errc::busy, "the timeline is being pulled already"});
    if (refuse_when_stopping(owed)) return;
    fetch_.pull.emplace(fetch::wanted{request.from, owed});
    answer_pull();
    if (fetch_.pull && !fetch_.actor) recover_from(request.from.wal_address);
  }

  void answer_pull() {
    if (!fetch_.pull) return;
    const auto& donor = fetch_.pull->donor;
    if (last_.flush_lsn < donor.flush_lsn || last_.last_log_term < donor.state.history.last_term_at(donor.flush_lsn))
      return;
    const auto owed = std::exchange(fetch_.pull, std::nullopt)->owed;
    owed.deliver(describe_timeline());
  }

  // -- once a second while active -----------------------------------------------------------------------------------

  [[nodiscard]] journal::timeline_situation situation() const {
    return {.position = last_,
            .timeline = view().key().timeline,
            .self = options_.around.self,
            .segment_size = view().journal()->state().cluster.wal_segment_size,
            .has_backup = options_.around.backup != nullptr,
            .proposer_here = view().proposers > 0,
            .now = clock().monotonic(),
            .peers = reports_.peers};
  }

  core::result<timeline_report> on(const report_due&) {
    reports_.forget_old(clock().monotonic());
    if (!stopping_ && !journal_.lost()) {
      archive_.store_next(situation());
      remove_wal();
      archive_.trim(situation());
      save_positions_in_time();
    }
    return timeline_report{{.safekeeper = options_.around.self.value,
                            .tenant = view().key().tenant,
                            .timeline = view().key().timeline,
                            .term = last_.in.value,
                            .last_log_term = last_.last_log_term.value,
                            .generation = last_.generation,
                            .flush_lsn = last_.flush_lsn,
                            .commit_lsn = last_.commit_lsn,
                            .backup_lsn = last_.backup_lsn,
                            .remote_consistent_lsn = last_.remote_consistent,
                            .peer_horizon_lsn = last_.peer_horizon,
                            .local_start_lsn = last_.local_start,
                            .wal_address = options_.around.wal_address,
                            .http_address = options_.around.http_address}};
  }

  segment_archive::context around_archive() {
    return {.stored =
                [this](core::lsn end) {
                  counters_.offloaded.add();
                  backed_up(end);
                },
            .not_stored =
                [this](const core::error& why) {
                  last_error_ = core::to_string(why);
                  note_error("store a segment in object storage", why);
                },
            .not_removed = [this](const core::error& why) { note_error("remove segments from object storage", why); }};
  }

  /// WAL before `to` is in object storage.
  void backed_up(core::lsn to) {
    journal_.exclusively(
        "handle a report",
        [news = consensus::timeline_news{.backup_lsn = to}](journal::timeline_journal& journal) {
          return journal.tell(news);
        },
        [this](const core::result<void>& told) {
          if (!told || stopping_) return;
          // Before the next one is chosen: it would be the same one again.
          moved();
          archive_.store_next(situation());
        });
  }

  void remove_wal() {
    const auto log = view().journal()->log();
    const std::uint32_t segment_size = situation().segment_size;
    if (!log || segment_size == 0 || maintenance_.removing()) return;
    const core::lsn horizon = journal::removal_horizon(last_, options_.around.backup != nullptr);
    if (journal::segment_begin(horizon, segment_size) <= log->begin()) return;
    maintenance_.removal_began();
    journal_.exclusively(
        "remove WAL",
        [horizon](journal::timeline_journal& journal) -> core::result<void> {
          STRATA_TRY(journal.save_positions());
          return journal.remove_wal_before(horizon);
        },
        [this](const core::result<void>& removed) {
          maintenance_.removal_ended();
          if (!removed) note_error("remove WAL", removed.error());
        });
  }

  void save_positions_in_time() {
    if (maintenance_.save_due(last_.commit_lsn, situation().segment_size, clock().monotonic())) save_positions();
  }
  void save_positions() {
    maintenance_.saved(last_.commit_lsn, clock().monotonic());
    journal_.exclusively(
        "save positions", [](journal::timeline_journal& journal) { return journal.save_positions(); },
        [this](const core::result<void>& saved) {
          if (!saved) note_error("save positions", saved.error());
        });
  }

  // -- suspending -----------------------------------------------------------------------------------------------------

  void update_activity() {
    const bool active = journal::is_active(situation());
    if (active == active_) return;
    active_ = active;
    describe(active ? "" : "idle");
    tell(options_.around.exchange, set_active{view().key(), active});
    suspend_when_idle();
  }

  void suspend_when_idle() {
    if (active_ || !receivers_.empty() || fetch_.actor || stopping_) return;
    save_positions();
    archive_.trim(situation());
    journal_.exclusively(
        "rest",
        [](journal::timeline_journal& journal) -> core::result<void> {
          journal.rest();
          return {};
        },
        [](const core::result<void>&) {});
  }

  // -- management -----------------------------------------------------------------------------------------------------

  [[nodiscard]] wal_timeline_info describe_timeline() const {
    const auto journal = view().journal();
    const auto log = journal->log();
    wal_timeline_info info;
    info.state = journal->state();
    info.write_lsn = last_.write_lsn;
    info.flush_lsn = last_.flush_lsn;
    info.last_log_term = last_.last_log_term;
    info.condition = journal_.lost() ? "broken: " + last_error_ : active_ ? "active" : "idle";
    info.proposers = view().proposers;
    info.receivers = static_cast<std::uint32_t>(receivers_.size());
    info.wal_begin = log ? log->begin() : core::lsn();
    info.wal_bytes = log ? log->size_bytes() : 0;
    info.recovering_from = fetch_.donor;
    info.last_error = last_error_;
    for (const journal::peer_report& each : reports_.peers)
      if (clock().monotonic() - each.at <= journal::peer_lifetime) info.peers.push_back(each.info);
    return info;
  }
  core::result<wal_timeline_info> on(const messages::get_wal_timeline&) { return describe_timeline(); }

  template <class Reply>
  bool refuse_when_stopping(const reply<Reply>& owed) const {
    if (stopping_) owed.fail({core::errc::unavailable, "the timeline is being closed"});
    return stopping_;
  }

  template <class Function>
  void answer_after(std::string what, reply<wal_timeline_info> owed, Function function) {
    if (refuse_when_stopping(owed)) return;
    journal_.exclusively(std::move(what), std::move(function), [this, owed](const core::result<void>& done) {
      if (!done) return owed.fail(done.error());
      last_ = view().position();
      owed.deliver(describe_timeline());
    });
  }
  void on(const messages::switch_wal_members& request, reply<wal_timeline_info> owed) {
    answer_after("change members", owed, [to = request.to](journal::timeline_journal& journal) {
      return journal.tell(consensus::switch_members{to});
    });
  }
  void on(const messages::bump_wal_term& request, reply<wal_timeline_info> owed) {
    answer_after("bump the term", owed, [to = request.to](journal::timeline_journal& journal) {
      return journal.tell(consensus::bump_term{to.value_or(journal.position().in.next())});
    });
  }
  void on(const messages::checkpoint_wal_timeline&, reply<wal_timeline_info> owed) {
    answer_after(
        "checkpoint", owed,
        [has_backup = options_.around.backup != nullptr](journal::timeline_journal& journal) -> core::result<void> {
          STRATA_TRY(journal.save_positions());
          return journal.remove_wal_before(journal::removal_horizon(journal.position(), has_backup));
        });
  }

  void on(const messages::digest_wal& request, reply<messages::wal_digest> owed) {
    offload(
        pool_id::background, "digest WAL",
        [journal = view().journal(), from = request.from, to = request.to] { return digest_of(*journal, from, to); },
        [owed](core::result<messages::wal_digest> made) { owed.answer(std::move(made)); });
  }
  static core::result<messages::wal_digest> digest_of(const journal::timeline_journal& journal, core::lsn from,
                                                      core::lsn to) {
    if (to < from || to > journal.position().flush_lsn)
      return core::error{core::errc::out_of_range, "digest WAL: [" + to_string(from) + ", " + to_string(to) +
                                                       ") is not a part of WAL up to " +
                                                       to_string(journal.position().flush_lsn)};
    core::bytes buffer(256u << 10);
    std::uint32_t crc = pg::crc32c_begin;
    while (from < to) {
      const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), to - from);
      STRATA_ASSIGN(const std::size_t got,
                    journal::read_local_wal(journal, from, core::bytes_span(buffer).first(wanted)));
      crc = pg::crc32c_update(crc, core::bytes_view(buffer).first(got));
      from = from + got;
    }
    return messages::wal_digest{pg::crc32c_end(crc)};
  }

  [[nodiscard]] journal::timeline_view& view() const { return *options_.view; }

  wal_acceptor_options options_;
  journal::acceptor_position last_;  ///< sent to receivers
  acceptor_counters counters_;
  journal_queue journal_{*options_.around.disk, options_.journal, options_.view, jobs(pool_id::io), around_journal()};
  segment_archive archive_{options_.around.backup, options_.view, jobs(pool_id::background), around_archive()};
  journal_maintenance maintenance_;
  bool stopping_ = false;
  bool active_ = false;
  std::string last_error_;
  std::vector<position_listener> receivers_;
  reports reports_;
  fetch fetch_;
};

}  // namespace

acceptor_actor spawn_wal_acceptor(caf::actor_system& system, wal_acceptor_options options) {
  auto label = options.label;
  return runtime::spawn<wal_acceptor>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::reopen_due)
