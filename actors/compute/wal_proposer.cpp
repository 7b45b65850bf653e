#include "actors/compute/wal_proposer.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include "actors/compute/acceptor_link.hpp"
#include "actors/compute/catch_up.hpp"
#include "actors/compute/postgres_stream.hpp"
#include "actors/compute/proposer_lifecycle.hpp"
#include "actors/runtime/actor_base.hpp"
#include "pg/client/conninfo.hpp"

namespace strata::actors::compute {
namespace {

using consensus::node_id;
using consensus::proposer;

struct tick_due {};
struct go_on {};
struct announcement_due {};
struct farewell_over {};
using private_wal_proposer =
    wal_proposer_actor::extend<messages::accepts<runtime::socket_ready>, messages::accepts<tick_due>,
                               messages::accepts<go_on>, messages::accepts<announcement_due>,
                               messages::accepts<farewell_over>>;

struct opened_link {
  io::unique_fd socket;
  safekeeper_location at;
};

/// One acceptor: the connection to it and the data for the next one.
struct remote {
  remote(runtime::socket_watcher& sockets, const consensus::member& of) : configured(of), link(sockets, of) {}
  consensus::member configured;
  acceptor_link link;       ///< to its last known address
  bool connecting = false;  ///< from the look-up of its address until it accepts messages
  core::monotonic_time since{};
  core::monotonic_time heard{};
  std::string last_error;
  bool lacks_branch = false;
  std::unique_ptr<catch_up> catching;
  bool opening_catch_up = false;
  core::monotonic_time fed{};  ///< when its catch-up began, or last received WAL
  bool was_hurried = false;    ///< reconnected since the last tick: once is enough for one that refuses repeatedly
  std::size_t catch_up_attempts = 0;
};

/// The acceptors of one configuration.
class remote_set {
 public:
  void replace(runtime::socket_watcher& sockets, const consensus::configuration& members) {
    all_.clear();
    for (const auto& member : members.all()) all_.emplace(member.id, std::make_unique<remote>(sockets, member));
    ++epoch_;
  }
  [[nodiscard]] const std::map<node_id, std::unique_ptr<remote>>& all() const { return all_; }
  /// Null: it is no member.
  [[nodiscard]] remote* find(node_id node) const {
    const auto found = all_.find(node);
    return found == all_.end() ? nullptr : found->second.get();
  }
  /// Results of operations for the acceptors of an earlier epoch are dropped.
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] remote* find(node_id node, std::uint64_t epoch) const { return epoch == epoch_ ? find(node) : nullptr; }

 private:
  std::map<node_id, std::unique_ptr<remote>> all_;
  std::uint64_t epoch_ = 0;
};

/// The positions reported to Postgres.
struct reported_positions {
  core::lsn commit;      ///< of all terms
  core::lsn applied;     ///< by the pageserver
  bool changed = false;  ///< not reported to Postgres yet
};

struct proposer_counters {
  explicit proposer_counters(runtime::metrics& of)
      : received(of.counter("strata_wal_proposed_bytes_total", "WAL taken from the local Postgres")),
        statuses(of.counter("strata_wal_commits_reported_total", "Reports of a higher commit position to Postgres")) {}
  runtime::counter received;
  runtime::counter statuses;
};

class wal_proposer final : public runtime::actor_base<private_wal_proposer> {
 public:
  static constexpr const char* kind = "compute.wal_proposer";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  wal_proposer(const runtime::actor_setup& setup, wal_proposer_options options)
      : actor_base(setup),
        options_(within_memory(std::move(options))),
        machine_(options_.proposer),
        window_(options_.memory_bytes),
        postgres_(env().sockets(), window_),
        counters_(env().metrics()) {}

  void on_start() {
    make_remotes();
    on(tick_due{});
  }
  /// Sends the last commit position to the acceptors first: until the next election no other node could.
  void on_stop() {
    if (lifecycle_.is_superseded() || !quorum_) return quit();
    if (!lifecycle_.leave()) return;
    tell_self_after(farewell_limit, farewell_over{});
    send_all(true);
    quit_when_told();
  }

 private:
  friend actor_base;
  static constexpr std::chrono::milliseconds announcement_delay{10};
  static constexpr std::chrono::milliseconds farewell_limit{1000};

  /// WAL that an acceptor may be sent without an answer is a part of the WAL in memory.
  static wal_proposer_options within_memory(wal_proposer_options of) {
    of.proposer.window_bytes = std::min<std::uint64_t>(of.proposer.window_bytes, of.memory_bytes / 4);
    return of;
  }

  // -- the machine --------------------------------------------------------------------------------------------------

  /// Effects may cause further inputs: those wait until the effects before them are carried out.
  void feed(consensus::proposer_input input) {
    inputs_.push_back(std::move(input));
    if (inputs_.size() > 1) return;
    while (!inputs_.empty()) {
      for (const auto& effect : machine_.step(inputs_.front()))
        std::visit([this](const auto& each) { carry_out(each); }, effect);
      inputs_.pop_front();
    }
  }

  void carry_out(const consensus::send_to& effect) {
    if (remote* to = remotes_.find(effect.node); to != nullptr && to->link.established())
      to->link.queue(effect.message);
  }
  void carry_out(const consensus::election_won& effect) {
    core::log_info(name() + ": elected in term " + to_string(effect.in) + ", own WAL begins at " +
                   to_string(effect.start));
    // The machine has checked that the log up to this start is ours; memory may have lost the middle of a long record.
    const bool goes_on = lifecycle_.streamed() && effect.start >= told_.commit && effect.start <= window_.end();
    if (lifecycle_.streamed() && !goes_on)
      return superseded({effect.in});  // another proposer's WAL is in place of ours
    if (!goes_on) window_.restart(effect.start);
    lifecycle_.won(effect.in);
    describe("elected in term " + to_string(effect.in));
    if (goes_on) feed(consensus::wal_written{window_.end()});
    if (!goes_on) tell(options_.owner, proposer_elected{effect.in, effect.start});
  }
  void carry_out(const consensus::committed& effect) {
    lifecycle_.settled(machine_.in());
    if (effect.to >= machine_.start_lsn() && lifecycle_.synced())
      tell(options_.owner, proposer_synced{machine_.start_lsn()});
    told_.commit = std::max(told_.commit, effect.to);
    told_.changed = true;
  }
  void carry_out(const consensus::superseded& effect) { superseded(effect.by); }
  void carry_out(const consensus::members_changed& effect) { reconfigure_to_ = effect.to; }
  void carry_out(const consensus::drop_connection& effect) {
    if (remote* of = remotes_.find(effect.node)) lose(*of, {core::errc::corrupt, effect.why});
  }

  void superseded(consensus::term by) {
    const bool leaves = lifecycle_.leaving();
    if (!lifecycle_.supersede()) return;
    describe("superseded by term " + to_string(by));
    core::log_warning(name() + ": superseded by term " + to_string(by));
    // Before anything is reported: from here on no status reaches Postgres.
    postgres_.close();
    tell(options_.owner, proposer_superseded{by});
    if (leaves) quit();  // there is nothing left to send to the acceptors
  }

  /// A new machine for the new members; Postgres's WAL stays in the window and continues in the new term.
  void reconfigure() {
    options_.proposer.members = *std::exchange(reconfigure_to_, std::nullopt);
    core::log_info(name() + ": members of generation " + std::to_string(options_.proposer.members.generation));
    if (lifecycle_.is_synced()) {
      options_.proposer.resumes = lifecycle_.own_terms();
      options_.proposer.written = window_.end();
    }
    machine_ = proposer(options_.proposer);
    make_remotes();
    for (auto& [node, each] : remotes_.all()) connect(*each);
  }

  // -- acceptors ----------------------------------------------------------------------------------------------------

  void make_remotes() { remotes_.replace(env().sockets(), options_.proposer.members); }

  void connect(remote& to) {
    to.connecting = true;
    to.since = clock().monotonic();
    offload(
        runtime::pool_id::io, "connect to safekeeper " + to_string(to.link.node()),
        [of = to.configured, locate = options_.locate]() -> core::result<opened_link> {
          safekeeper_location at{of.host, of.port, {.id = of.id.value}};
          if (locate) {
            STRATA_ASSIGN(at, locate(of));
          }
          STRATA_ASSIGN(auto socket, io::begin_connect(at.host, at.port));
          return opened_link{std::move(socket), std::move(at)};
        },
        [this, node = to.link.node(), epoch = remotes_.epoch()](core::result<opened_link> opened) {
          remote* to = remotes_.find(node, epoch);
          if (to == nullptr || to->link.is_open() || !to->connecting || lifecycle_.ends()) return;
          if (!opened) return lose(*to, opened.error());
          to->link.moved_to(opened->at.host, opened->at.port);
          const auto watched = to->link.open(
              std::move(opened->socket),
              push_session(options_.proposer.tenant, options_.proposer.timeline, opened->at.expected), self());
          if (!watched) lose(*to, watched.error());
        });
  }

  void lose(remote& what, const core::error& why) {
    const bool was_up = what.link.established();
    const bool was_streaming = was_up && is_streaming(what.link.node());
    what.link.close();
    what.connecting = false;
    // Perhaps for lack of WAL, which delays heartbeats: the next session reads from another acceptor.
    if (what.catching || what.opening_catch_up) ++what.catch_up_attempts;
    what.catching.reset();
    if (what.last_error != why.detail)
      note_error("safekeeper " + to_string(what.link.node()) + " at " + what.link.of().host + ":" +
                     std::to_string(what.link.of().port),
                 why);
    what.last_error = why.detail;
    what.lacks_branch = why.code == core::errc::not_found;
    if (!was_up) return;
    feed(consensus::acceptor_lost{what.link.node()});
    tell_quorum();
    if (lifecycle_.leaving() && !quorum_) return quit();  // the acceptors that it could inform are lost
    // A working acceptor that closed the connection may have installed newer members: commits wait until we know them.
    // The next tick asks the others again.
    if (was_streaming && !lifecycle_.ends() && !std::exchange(what.was_hurried, true)) connect(what);
  }

  void take_replies(remote& from) {
    if (auto received = from.link.receive(); !received) return lose(from, received.error());
    for (;;) {
      auto event = from.link.next();
      if (!event) return lose(from, event.error());
      if (!*event) break;
      from.heard = clock().monotonic();
      if (auto* reply = std::get_if<protocol::received_reply>(&**event)) {
        if (reply->feedback) told_.applied = std::max(told_.applied, reply->feedback->last_received);
        feed(consensus::acceptor_said{from.link.node(), std::move(reply->message)});
      } else {
        from.connecting = false;
        from.last_error.clear();
        from.lacks_branch = false;
        feed(consensus::acceptor_connected{from.link.node()});
      }
      if (reconfigure_to_ || lifecycle_.is_superseded() || !from.link.is_open()) return;
    }
    from.link.arm();
  }

  // -- sending ------------------------------------------------------------------------------------------------------

  /// Acceptors get a new commit position with the next WAL, or a little later if there is none: separate messages
  /// for each commit would be half of all messages.
  void send_all(bool announcements) {
    for (auto& [node, each] : remotes_.all()) {
      if (!each->link.is_open() || each->link.idle()) continue;
      if (announcements || !each->link.only_announces()) {
        send(*each);
      } else if (!std::exchange(announcing_, true)) {
        tell_self_after(announcement_delay, announcement_due{});
      }
    }
  }
  void on(const announcement_due&) {
    announcing_ = false;
    if (!lifecycle_.is_superseded()) send_all(true);
  }

  void send(remote& to) {
    auto stopped = to.link.send(window_, to.catching ? &to.catching->wal() : nullptr);
    if (!stopped) return lose(to, stopped.error());
    const core::lsn next = to.link.next_wal();
    if (to.catching && (!next.valid() || next >= window_.begin())) to.catching.reset();
    if (to.catching) {
      to.catching->sent(next);
      take_in(to);
    }
    // An acceptor sends whole records only. Uncommitted WAL is also in Postgres; and a message may need both.
    if (to.catching && !to.catching->from_postgres() && postgres_keeps(to.catching->wal().end()))
      go_on_with_postgres(to);
    if (*stopped == acceptor_link::stop::wal_missing && !to.catching) open_catch_up(to, next);
    if (*stopped == acceptor_link::stop::socket_full) to.link.arm();
  }

  void on(const farewell_over&) { quit(); }
  void quit_when_told() {
    const auto told = [this](node_id node) {
      return std::ranges::any_of(machine_.peers(), [&](const proposer::peer& each) {
        return each.id == node && each.commit_lsn >= told_.commit;
      });
    };
    if (lifecycle_.leaving() && options_.proposer.members.is_quorum(told)) quit();
  }

  // -- WAL that is no longer in memory --------------------------------------------------------------------------------

  /// By the slot of our stream.
  [[nodiscard]] bool postgres_keeps(core::lsn from) const { return lifecycle_.streamed() && from >= told_.commit; }

  void open_catch_up(remote& of, core::lsn from) {
    if (of.opening_catch_up) return;
    if (postgres_keeps(from)) return open_catch_up(of, from, "Postgres", postgres_.conninfo(), std::nullopt);
    const auto source = choose_donor(machine_.peers(), of.link.node(), from, of.catch_up_attempts);
    if (!source) return;  // the next tick tries again
    const auto& at = remotes_.find(*source)->link.of();
    open_catch_up(
        of, from, "safekeeper " + to_string(*source),
        pg::client::safekeeper_conninfo(at.host, at.port, options_.proposer.tenant, options_.proposer.timeline),
        machine_.in());
  }
  void open_catch_up(remote& of, core::lsn from, const std::string& source, const std::string& conninfo,
                     std::optional<consensus::term> in) {
    of.opening_catch_up = true;
    of.fed = clock().monotonic();
    offload(
        runtime::pool_id::io, "read WAL from " + source,
        [conninfo] { return pg::client::replication_connection::open(conninfo, catch_up::name); },
        [this, node = of.link.node(), epoch = remotes_.epoch(), from,
         in](core::result<pg::client::replication_connection> opened) {
          remote* of = remotes_.find(node, epoch);
          if (of == nullptr) return;
          of->opening_catch_up = false;
          if (!opened) return catch_up_failed(*of, opened.error());
          if (of->link.next_wal() != from) return;
          of->catching = std::make_unique<catch_up>(env().sockets(), from, in);
          of->catching->adopt(*std::move(opened));
          take_in(*of);
        });
  }

  void go_on_with_postgres(remote& of) {
    if (of.opening_catch_up) return;
    of.opening_catch_up = true;
    of.fed = clock().monotonic();
    offload(
        runtime::pool_id::io, "continue reading WAL from Postgres",
        [conninfo = postgres_.conninfo()] {
          return pg::client::replication_connection::open(conninfo, catch_up::name);
        },
        [this, node = of.link.node(),
         epoch = remotes_.epoch()](core::result<pg::client::replication_connection> opened) {
          remote* of = remotes_.find(node, epoch);
          if (of == nullptr) return;
          of->opening_catch_up = false;
          if (!of->catching || of->catching->from_postgres() || !postgres_keeps(of->catching->wal().end())) return;
          if (!opened) return catch_up_failed(*of, opened.error());
          of->catching->go_on_with_postgres(*std::move(opened));
          take_in(*of);
        });
  }

  void take_in(remote& of) {
    const core::lsn before = of.catching->wal().end();
    if (auto took = of.catching->take_in(self()); !took) return catch_up_failed(of, took.error());
    if (of.catching->wal().end() > before || !of.catching->waits_for_wal()) of.fed = clock().monotonic();
  }
  /// A safekeeper that is frozen, or cut off, keeps its connection and sends nothing.
  void end_silent_catch_up(remote& of) {
    if (!of.catching || !of.catching->waits_for_wal() || clock().monotonic() - of.fed <= options_.catch_up_silence_max)
      return;
    catch_up_failed(of, {core::errc::timeout, "no data for too long"});
  }

  void catch_up_failed(remote& of, const core::error& why) {
    note_error("read WAL for safekeeper " + to_string(of.link.node()), why);
    of.catching.reset();
    ++of.catch_up_attempts;  // the next tick tries another one
  }

  // -- Postgres -----------------------------------------------------------------------------------------------------

  void on(const stream_postgres& request) {
    postgres_.follow(request.conninfo);
    lifecycle_.streams();
    open_stream();
  }

  void open_stream() {
    if (lifecycle_.is_superseded() || !postgres_.is_known() || postgres_.is_open() || postgres_.is_connecting()) return;
    postgres_.connect();
    // A Unix socket: libpq still reads its password and service files.
    offload(
        runtime::pool_id::io, "connect to Postgres",
        [conninfo = postgres_.conninfo()] {
          return pg::client::replication_connection::open(conninfo, postgres_stream::standby_name);
        },
        [this](core::result<pg::client::replication_connection> opened) {
          postgres_.connect_failed();
          if (lifecycle_.is_superseded()) return;
          if (!opened) return note_error("connect to Postgres", opened.error());
          postgres_.adopt(*std::move(opened));
          take_wal();
          settle();
        });
  }

  void take_wal() {
    make_room();
    const core::lsn before = window_.end();
    auto stopped = postgres_.take_in(self());
    if (window_.end() > before) {
      counters_.received.add(static_cast<double>(window_.end() - before));
      // Between two terms it waits in the window.
      if (machine_.now() == proposer::phase::leading) feed(consensus::wal_written{window_.end()});
    }
    if (!stopped) {
      postgres_.close();
      return note_error("stream from Postgres", stopped.error());
    }
    if (*stopped == postgres_stream::stop::turn_over) tell(self(), go_on{});
  }

  void make_room() {
    const auto is_short = [this] { return window_.room() < 2 * window_.block_size(); };
    if (!is_short()) return;
    memory_use use{.end = window_.end(),
                   .commit = told_.commit,
                   .sent_to_quorum = {},
                   .window_bytes = options_.proposer.window_bytes,
                   .memory_bytes = options_.memory_bytes};
    window_.release(committed_to_forget(use));
    if (!is_short()) return;
    use.sent_to_quorum =
        options_.proposer.members.quorum_position([this](node_id node) { return taken_by_socket_of(node); });
    window_.release(uncommitted_to_forget(use));
  }
  [[nodiscard]] core::lsn taken_by_socket_of(node_id node) {
    const remote* of = remotes_.find(node);
    if (of == nullptr || !is_streaming(node)) return {};
    const core::lsn next = of->link.next_wal();
    return next.valid() ? next : std::ranges::find(machine_.peers(), node, &proposer::peer::id)->sent;
  }

  void report() {
    if (!std::exchange(told_.changed, false) || !postgres_.is_open() || lifecycle_.is_superseded()) return;
    counters_.statuses.add();
    if (auto sent = postgres_.report(told_.commit, std::min(told_.applied, told_.commit)); !sent) {
      postgres_.close();
      note_error("report to Postgres", sent.error());
    }
  }

  // -- events -------------------------------------------------------------------------------------------------------

  void on(const runtime::socket_ready& event) {
    if (lifecycle_.is_superseded()) return;
    if (postgres_.is_current(event.token)) {
      take_wal();
    } else {
      for (auto& [node, each] : remotes_.all()) {
        if (each->link.is_current(event.token)) {
          take_replies(*each);
          break;
        }
        if (each->catching && each->catching->is_current(event.token)) {
          take_in(*each);
          break;
        }
      }
    }
    settle();
  }
  void on(const go_on&) {
    if (lifecycle_.is_superseded() || !postgres_.is_open()) return;
    take_wal();
    settle();
  }

  /// The end of every event: first reports to Postgres, then sends to the acceptors.
  void settle() {
    if (lifecycle_.is_superseded()) return;
    report();
    if (reconfigure_to_) reconfigure();
    send_all(lifecycle_.leaving());
    if (!quorum_) tell_quorum();
    quit_when_told();
    if (!postgres_.waits_for_room()) return;
    make_room();
    if (window_.room() < window_.block_size()) return;
    postgres_.room_is_made();
    tell(self(), go_on{});
  }

  void on(const tick_due&) {
    tell_self_after(options_.tick, tick_due{});
    if (lifecycle_.is_superseded()) return;
    const auto now = clock().monotonic();
    for (auto& [node, each] : remotes_.all()) {
      each->was_hurried = false;
      if (each->link.established()) {
        if (now - each->heard > options_.silence_max)
          lose(*each, {core::errc::timeout, "no message for too long"});
        else
          end_silent_catch_up(*each);
      } else if (each->connecting) {
        if (now - each->since > options_.connect_limit) lose(*each, {core::errc::timeout, "it does not answer"});
      } else if (!lifecycle_.leaving()) {
        connect(*each);
      }
    }
    feed(consensus::heartbeat_due{});
    open_stream();
    told_.changed = true;  // a restarted walsender has no positions, and apply moves without commits
    settle();
    tell_quorum();
  }

  [[nodiscard]] bool is_streaming(node_id node) const {
    return std::ranges::any_of(machine_.peers(), [node](const proposer::peer& each) {
      return each.id == node && each.now == proposer::peer::state::streaming;
    });
  }

  void tell_quorum() {
    const bool reached = machine_.now() == proposer::phase::leading &&
                         options_.proposer.members.is_quorum([this](node_id node) { return is_streaming(node); });
    if (std::exchange(quorum_, reached) != reached) tell(options_.owner, proposer_quorum{reached});
  }

  core::result<proposer_status> on(const get_proposer_status&) {
    proposer_status made;
    made.now = lifecycle_.is_superseded() ? proposer::phase::superseded : machine_.now();
    made.in = machine_.in();
    made.generation = options_.proposer.members.generation;
    made.start = machine_.start_lsn();
    made.written = window_.end();
    made.commit = told_.commit;
    made.applied = told_.applied;
    made.streaming = postgres_.is_open() && postgres_.streaming();
    for (const auto& peer : machine_.peers()) {
      const remote* of = remotes_.find(peer.id);
      if (of == nullptr) continue;
      made.acceptors.push_back({of->link.of(), peer.now, peer.flush_lsn, of->last_error, of->lacks_branch});
    }
    return made;
  }

  wal_proposer_options options_;
  proposer machine_;
  std::deque<consensus::proposer_input> inputs_;
  std::optional<consensus::configuration> reconfigure_to_;
  remote_set remotes_;
  wal::window window_;
  postgres_stream postgres_;
  reported_positions told_;
  proposer_lifecycle lifecycle_;
  bool quorum_ = false;
  bool announcing_ = false;  ///< announcement_due is in flight
  proposer_counters counters_;
};

}  // namespace

wal_proposer_actor spawn_wal_proposer(caf::actor_system& system, wal_proposer_options options) {
  auto label = options.label;
  return runtime::spawn<wal_proposer>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::compute

STRATA_LOCAL_MESSAGE(strata::actors::compute::tick_due)
STRATA_LOCAL_MESSAGE(strata::actors::compute::go_on)
STRATA_LOCAL_MESSAGE(strata::actors::compute::announcement_due)
STRATA_LOCAL_MESSAGE(strata::actors::compute::farewell_over)
