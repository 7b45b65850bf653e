#include "actors/safekeeper/wal_acceptor.hpp"

#include <algorithm>
#include <deque>

#include "actors/runtime/actor_base.hpp"
#include "actors/safekeeper/peer_recovery.hpp"
#include "journal/maintenance.hpp"
#include "pg/crc32c.hpp"

namespace strata::actors::safekeeper {
namespace {

using messages::wal_timeline_info;
using runtime::pool_id;
using runtime::reply;

/// How long positions may be in memory only: what is written again by whoever announced it.
constexpr std::chrono::seconds save_interval{300};
constexpr std::chrono::seconds reopen_pause{1};

struct reopen_due {};
using private_acceptor = acceptor_actor::extend<messages::accepts<reopen_due>>;

/// Whether the journal must be opened again: it was the disk's fault, not that of what it was told.
bool is_disk_trouble(core::errc code) {
  switch (code) {
    case core::errc::disk_full:
    case core::errc::corrupt:
    case core::errc::io_error:
    case core::errc::not_found:
    case core::errc::permission_denied: return true;
    default: return false;
  }
}

class wal_acceptor final : public runtime::actor_base<private_acceptor> {
 public:
  static constexpr const char* kind = "safekeeper.wal_acceptor";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  wal_acceptor(const runtime::actor_setup& setup, wal_acceptor_options options)
      : actor_base(setup),
        options_(std::move(options)),
        view_(options_.view),
        last_(view_->position()),
        wal_in_(env().metrics().counter("strata_safekeeper_wal_in_bytes_total", "WAL that proposers have pushed")),
        refused_(env().metrics().counter("strata_safekeeper_refused_total", "Batches with a message that was refused")),
        offloaded_(env().metrics().counter("strata_safekeeper_segments_offloaded_total",
                                           "WAL segments put into object storage")) {}

  void on_start() {
    saved_commit_ = last_.commit_lsn;
    saved_at_ = clock().monotonic();
    update_activity();
    rest_when_idle();
  }

  /// What is under way on the disk ends first; whoever waits is told.
  void on_stop() {
    stopping_ = true;
    fail_queue({core::errc::unavailable, "the timeline is being closed"});
    stop_children([this] {
      exclusively(
          "save positions", [](journal::timeline_journal& journal) { return journal.save_positions(); },
          [this](const core::result<void>&) { quit(); });
    });
  }

 private:
  friend actor_base;
  // -- the journal: one thing at a time, in order, where it may block: proposers' messages with the flusher, the rest
  // here --

  struct task {
    std::function<void()> run;
    std::function<void(const core::error&)> fail;
  };

  /// function(journal::timeline_journal&) -> core::result<T>, then(core::result<T>).
  template <class Function, class Then>
  void exclusively(std::string what, Function function, Then then) {
    using outcome = std::invoke_result_t<Function&, journal::timeline_journal&>;
    auto next_step = std::make_shared<Then>(std::move(then));
    auto run = [this, what = std::move(what), function = std::move(function), next_step] {
      offload(
          pool_id::io, what, [journal = view_->journal(), function] { return function(*journal); },
          [this, next_step](outcome done) {
            working_ = false;
            if (!done && is_disk_trouble(done.error().code)) lose_journal(done.error());
            (*next_step)(std::move(done));
            moved();
            work();
          });
    };
    queue_.push_back({std::move(run), [next_step](const core::error& why) { (*next_step)(outcome(why)); }});
    work();
  }

  void work() {
    if (working_ || lost_ || queue_.empty()) return;
    working_ = true;
    const auto run = std::move(queue_.front().run);
    queue_.pop_front();
    run();
  }

  void fail_queue(const core::error& why) {
    auto failing = std::exchange(queue_, {});
    for (const task& each : failing) each.fail(why);
  }

  void lose_journal(const core::error& why) {
    trouble_ = core::to_string(why);
    note_error("write", why);
    if (std::exchange(lost_, true)) return;
    on(reopen_due{});
  }

  void on(const reopen_due&) {
    auto* disk = options_.around.disk;
    offload(
        pool_id::io, "open the timeline again",
        [disk, where = options_.journal] { return journal::timeline_journal::open(*disk, where); },
        [this](core::result<std::unique_ptr<journal::timeline_journal>> opened) {
          if (!opened) {
            trouble_ = core::to_string(opened.error());
            note_error("open the timeline again", opened.error());
            fail_queue(opened.error());
            return tell_self_after(reopen_pause, reopen_due{});
          }
          view_->replace(*std::move(opened));
          lost_ = false;
          moved();
          work();
        });
  }

  // -- proposers ----------------------------------------------------------------------------------------------------

  void on(const take_batch& given, reply<batch_taken> owed) {
    if (refuse_when_stopping(owed)) return;
    queue_.push_back({[this, batch = given.batch, owed] {
                        ask(options_.around.flushers.of(view_->key().timeline), keep_wal{view_->journal(), batch},
                            [this, owed, size = batch->wal.size()](core::result<wal_kept> kept) {
                              working_ = false;
                              taken(std::move(kept), size, owed);
                              moved();
                              work();
                            });
                      },
                      [owed](const core::error& why) { owed.fail(why); }});
    work();
  }

  void taken(core::result<wal_kept> kept, std::size_t wal_size, const reply<batch_taken>& owed) {
    if (!kept) return owed.fail(kept.error());
    auto& outcome = kept->outcome;
    if (outcome.refused) {
      refused_.add();
      trouble_ = core::to_string(*outcome.refused);
      if (outcome.failed) lose_journal(*outcome.refused);
    } else {
      trouble_.clear();
      wal_in_.add(static_cast<double>(wal_size));
    }
    owed.deliver({std::move(outcome.replies), std::move(outcome.refused), feedback_});
  }

  void on(const proposer_arrived& arrived) {
    ++view_->proposers;
    // Whoever was elected brings the WAL itself.
    if (recovery_ && !pull_) stop(recovery_);
    monitor(arrived.who, [this](const core::error&) {
      --view_->proposers;
      update_activity();
    });
    update_activity();
  }

  // -- receivers of WAL ---------------------------------------------------------------------------------------------

  void on(const receiver_arrived& arrived) {
    receivers_.push_back(arrived.who);
    monitor(arrived.who, [this, who = arrived.who.address()](const core::error&) {
      std::erase_if(receivers_, [&](const position_listener& each) { return each.address() == who; });
      rest_when_idle();
    });
    tell(arrived.who, positions_moved{});
  }

  void moved() {
    const journal::acceptor_position now = view_->position();
    const bool told = now.in != last_.in || now.flush_lsn != last_.flush_lsn || now.commit_lsn != last_.commit_lsn ||
                      now.remote_consistent != last_.remote_consistent;
    last_ = now;
    if (told)
      for (const auto& each : receivers_) tell(each, positions_moved{});
    answer_pull();
    update_activity();
  }

  void on(const pageserver_said& said) {
    feedback_ = said.feedback;
    if (said.feedback.remote_consistent > last_.remote_consistent)
      learn({.remote_consistent = said.feedback.remote_consistent});
  }

  // -- news of others -----------------------------------------------------------------------------------------------

  void learn(const consensus::timeline_news& news) {
    exclusively(
        "take in news", [news](journal::timeline_journal& journal) { return journal.tell(news); },
        [this](const core::result<void>& told) {
          if (!told) note_error("take in news", told.error());
        });
  }

  void on(const peer_said& said) {
    const auto& info = said.info;
    const core::monotonic_time now = clock().monotonic();
    const auto known = std::find_if(peers_.begin(), peers_.end(), [&](const journal::heard_peer& each) {
      return each.info.safekeeper == info.safekeeper;
    });
    if (known != peers_.end())
      *known = {info, now};
    else if (peers_.size() < consensus::members_max)
      peers_.push_back({info, now});
    const bool same_history = info.last_log_term == last_.last_log_term.value;
    const core::lsn commit = std::min(info.commit_lsn, last_.flush_lsn);
    if ((same_history && commit > last_.commit_lsn) || info.backup_lsn > last_.backup_lsn ||
        info.peer_horizon_lsn > last_.peer_horizon || info.remote_consistent_lsn > last_.remote_consistent)
      learn(
          {{info.last_log_term}, info.commit_lsn, info.backup_lsn, info.peer_horizon_lsn, info.remote_consistent_lsn});
    if (recovery_ || stopping_) return;
    if (const auto* donor = journal::peer_to_recover_from(situation())) recover_from(donor->wal_address);
  }

  void recover_from(const std::string& donor) {
    recovering_from_ = donor;
    recovery_ = spawn_peer_recovery(system(),
                                    {.label = child_label(name()), .acceptor = self(), .view = view_, .donor = donor});
    adopt(recovery_, [this](const core::error& why) {
      recovery_ = nullptr;
      recovering_from_.clear();
      answer_pull();
      if (auto pending = std::exchange(pull_, std::nullopt))
        pending->owed.fail(core::error(why).within("fetch WAL from " + pending->request.wal_address));
    });
  }

  void on(const messages::pull_wal_timeline& request, reply<wal_timeline_info> owed) {
    if (pull_) return owed.fail({core::errc::busy, "the timeline is being pulled already"});
    if (refuse_when_stopping(owed)) return;
    pull_.emplace(pending_pull{request, owed});
    answer_pull();
    if (pull_ && !recovery_) recover_from(request.wal_address);
  }

  void answer_pull() {
    if (!pull_ || last_.flush_lsn < pull_->request.flush_lsn ||
        last_.last_log_term < pull_->request.state.history.last_term_at(pull_->request.flush_lsn))
      return;
    const auto owed = std::exchange(pull_, std::nullopt)->owed;
    owed.deliver(describe_timeline());
  }

  // -- once a second while active -----------------------------------------------------------------------------------

  [[nodiscard]] journal::timeline_situation situation() const {
    return {.position = last_,
            .timeline = view_->key().timeline,
            .self = options_.around.self,
            .segment_size = view_->journal()->state().cluster.wal_segment_size,
            .has_backup = options_.around.backup != nullptr,
            .proposer_here = view_->proposers > 0,
            .now = clock().monotonic(),
            .peers = peers_};
  }

  core::result<timeline_report> on(const report_due&) {
    std::erase_if(peers_, [now = clock().monotonic()](const journal::heard_peer& each) {
      return now - each.at > journal::peer_lifetime;
    });
    if (!stopping_ && !lost_) {
      offload_segment();
      remove_wal();
      trim_backup();
      save_positions_in_time();
    }
    return timeline_report{{.safekeeper = options_.around.self.value,
                            .tenant = view_->key().tenant,
                            .timeline = view_->key().timeline,
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

  void offload_segment() {
    if (offloading_ || trimming_) return;
    const auto begin = journal::segment_to_offload(situation());
    if (!begin) return;
    offloading_ = true;
    offload(
        pool_id::background, "put a segment into object storage",
        [backup = options_.around.backup, view = view_, begin = *begin] { return backup->store(*view, begin); },
        [this, end = *begin + situation().segment_size](const core::result<void>& stored) {
          offloading_ = false;
          if (!stored) {
            trouble_ = core::to_string(stored.error());
            return note_error("put a segment into object storage", stored.error());
          }
          offloaded_.add();
          on(wal_backed_up{end});
        });
  }

  void trim_backup() {
    const std::uint32_t segment_size = situation().segment_size;
    if (!options_.around.backup || segment_size == 0 || trimming_ || offloading_ || stopping_) return;
    const core::lsn before = journal::segment_begin(journal::backup_removal_horizon(last_), segment_size);
    if (before <= trimmed_) return;
    trimming_ = true;
    offload(
        pool_id::background, "remove segments from object storage",
        [backup = options_.around.backup, view = view_, before] { return backup->remove_before(*view, before); },
        [this, before](const core::result<void>& removed) {
          trimming_ = false;
          if (!removed) return note_error("remove segments from object storage", removed.error());
          trimmed_ = before;
        });
  }

  void on(const wal_backed_up& said) {
    exclusively(
        "take in news",
        [news = consensus::timeline_news{.backup_lsn = said.to}](journal::timeline_journal& journal) {
          return journal.tell(news);
        },
        [this](const core::result<void>& told) {
          if (!told || stopping_) return;
          // Before the next one is looked for: it would be the same one again.
          moved();
          offload_segment();
        });
  }

  void remove_wal() {
    const auto log = view_->journal()->log();
    const std::uint32_t segment_size = situation().segment_size;
    if (!log || segment_size == 0 || removing_) return;
    const core::lsn horizon = journal::removal_horizon(last_, options_.around.backup != nullptr);
    if (journal::segment_begin(horizon, segment_size) <= log->begin()) return;
    removing_ = true;
    exclusively(
        "remove WAL",
        [horizon](journal::timeline_journal& journal) -> core::result<void> {
          STRATA_TRY(journal.save_positions());
          return journal.remove_wal_before(horizon);
        },
        [this](const core::result<void>& removed) {
          removing_ = false;
          if (!removed) note_error("remove WAL", removed.error());
        });
  }

  void save_positions_in_time() {
    const core::monotonic_time now = clock().monotonic();
    const bool far = last_.commit_lsn - saved_commit_ > situation().segment_size;
    if (!far && (now - saved_at_ < save_interval || last_.commit_lsn == saved_commit_)) return;
    save_positions();
  }
  void save_positions() {
    saved_commit_ = last_.commit_lsn;
    saved_at_ = clock().monotonic();
    exclusively(
        "save positions", [](journal::timeline_journal& journal) { return journal.save_positions(); },
        [this](const core::result<void>& saved) {
          if (!saved) note_error("save positions", saved.error());
        });
  }

  // -- rest -----------------------------------------------------------------------------------------------------------

  void update_activity() {
    const bool active = journal::is_active(situation());
    if (active == active_) return;
    active_ = active;
    describe(active ? "" : "idle");
    tell(options_.around.exchange, set_active{view_->key(), active});
    rest_when_idle();
  }

  void rest_when_idle() {
    if (active_ || !receivers_.empty() || recovery_ || stopping_) return;
    save_positions();
    trim_backup();
    exclusively(
        "rest",
        [](journal::timeline_journal& journal) -> core::result<void> {
          journal.rest();
          return {};
        },
        [](const core::result<void>&) {});
  }

  // -- management -----------------------------------------------------------------------------------------------------

  [[nodiscard]] wal_timeline_info describe_timeline() const {
    const auto journal = view_->journal();
    const auto log = journal->log();
    wal_timeline_info info;
    info.state = journal->state();
    info.write_lsn = last_.write_lsn;
    info.flush_lsn = last_.flush_lsn;
    info.last_log_term = last_.last_log_term;
    info.condition = lost_ ? "broken: " + trouble_ : active_ ? "active" : "idle";
    info.proposers = view_->proposers;
    info.receivers = static_cast<std::uint32_t>(receivers_.size());
    info.wal_begin = log ? log->begin() : core::lsn();
    info.wal_bytes = log ? log->size_bytes() : 0;
    info.recovering_from = recovering_from_;
    info.trouble = trouble_;
    for (const journal::heard_peer& each : peers_)
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
    exclusively(std::move(what), std::move(function), [this, owed](const core::result<void>& done) {
      if (!done) return owed.fail(done.error());
      last_ = view_->position();
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
        pool_id::background, "make a digest of WAL",
        [journal = view_->journal(), from = request.from, to = request.to] { return digest_of(*journal, from, to); },
        [owed](core::result<messages::wal_digest> made) { owed.answer(std::move(made)); });
  }
  static core::result<messages::wal_digest> digest_of(const journal::timeline_journal& journal, core::lsn from,
                                                      core::lsn to) {
    if (to < from || to > journal.position().flush_lsn)
      return core::error{core::errc::out_of_range, "make a digest: [" + to_string(from) + ", " + to_string(to) +
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

  struct pending_pull {
    messages::pull_wal_timeline request;
    reply<wal_timeline_info> owed;
  };

  wal_acceptor_options options_;
  std::shared_ptr<journal::timeline_view> view_;
  journal::acceptor_position last_;  ///< what receivers were told of
  runtime::counter wal_in_;
  runtime::counter refused_;
  runtime::counter offloaded_;

  std::deque<task> queue_;
  bool working_ = false;
  bool lost_ = false;  ///< the journal is being opened again
  bool stopping_ = false;
  bool active_ = false;
  bool offloading_ = false;
  bool removing_ = false;
  bool trimming_ = false;
  core::lsn trimmed_;  ///< nothing before it is in object storage
  std::string trouble_;

  std::vector<position_listener> receivers_;
  std::vector<journal::heard_peer> peers_;
  std::optional<protocol::pageserver_feedback> feedback_;
  runtime::socket_owner recovery_;
  std::string recovering_from_;
  std::optional<pending_pull> pull_;
  core::lsn saved_commit_;
  core::monotonic_time saved_at_;
};

}  // namespace

acceptor_actor spawn_wal_acceptor(caf::actor_system& system, wal_acceptor_options options) {
  auto label = options.label;
  return runtime::spawn<wal_acceptor>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::reopen_due)
