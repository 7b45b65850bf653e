#include "actors/safekeeper/peer_recovery.hpp"

#include <algorithm>

#include "actors/net/replication_link.hpp"
#include "actors/runtime/actor_base.hpp"
#include "core/address.hpp"
#include "pg/client/conninfo.hpp"
#include "protocol/acceptor_summary.hpp"

namespace strata::actors::safekeeper {
namespace {

namespace client = pg::client;

/// A donor that is silent for so long is lost.
constexpr std::chrono::seconds peer_silence_max{10};

struct recovery_look_due {};
using private_recovery = runtime::socket_owner::extend<messages::accepts<recovery_look_due>>;

class peer_recovery final : public runtime::actor_base<private_recovery> {
 public:
  static constexpr const char* kind = "safekeeper.peer_recovery";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  peer_recovery(const runtime::actor_setup& setup, peer_recovery_options options)
      : actor_base(setup), options_(std::move(options)), link_(env().sockets()) {}

  void on_start() {
    alive_ = self();
    describe("from " + options_.donor);
    heard_at_ = clock().monotonic();
    tell_self_after(peer_silence_max, recovery_look_due{});
    connect();
  }

 private:
  friend actor_base;
  void connect() {
    const auto donor = core::parse_address(options_.donor);
    if (!donor) return fail(donor.error());
    const auto& key = options_.view->key();
    offload(
        runtime::pool_id::io, "connect to " + options_.donor,
        [conninfo = client::safekeeper_conninfo(donor->host, donor->port, key.tenant, key.timeline)] {
          return client::replication_connection::open(conninfo, "strata_peer");
        },
        [this](core::result<client::replication_connection> opened) {
          if (!opened) return fail(opened.error());
          link_.adopt(*std::move(opened));
          if (auto armed = link_.arm(self()); !armed) fail(armed.error());
        });
  }

  void on(const runtime::socket_ready& event) {
    if (link_.is_current(event.token)) advance();
  }
  void on(const recovery_look_due&) {
    if (clock().monotonic() - heard_at_ > peer_silence_max)
      return fail({core::errc::timeout, "nothing from " + options_.donor + " for 10 seconds"});
    tell_self_after(peer_silence_max, recovery_look_due{});
  }

  void fail(const core::error& why) {
    note_error("fetch WAL from " + options_.donor, why);
    quit(why);
  }

  void advance() {
    if (!link_.open()) return;
    auto& connection = link_.connection();
    if (auto stepped = connection.step(); !stepped) return fail(stepped.error());
    for (;;) {
      auto event = connection.receive();
      if (!event) return fail(event.error());
      if (!*event) break;
      heard_at_ = clock().monotonic();
      if (auto handled = take(**event); !handled) return fail(handled.error());
      if (finished_) return;
    }
    send_batch();
    // WAL that the acceptor has not accepted yet stays in the donor's socket.
    if (!next_.full())
      if (auto armed = link_.arm(self()); !armed) fail(armed.error());
  }

  core::result<void> take(const client::replication_event& event) {
    auto& connection = link_.connection();
    if (std::holds_alternative<client::connected>(event)) return connection.show("acceptor_state");
    if (const auto* shown = std::get_if<client::setting_shown>(&event)) return begin(shown->value);
    if (const auto* data = std::get_if<client::wal_data>(&event)) return append(data->start, data->bytes);
    if (std::holds_alternative<client::streaming_ended>(event))
      return core::error{core::errc::unavailable, options_.donor + " has ended the stream"};
    return {};
  }

  /// Sends the election as the donor's proposer did, and requests the WAL after it.
  core::result<void> begin(const std::string& text) {
    STRATA_ASSIGN(donor_, protocol::parse_acceptor_summary(text));
    const auto journal = options_.view->journal();
    const auto state = journal->state();
    if (donor_.history.last_term() != donor_.in)
      return core::error{core::errc::unavailable, "the newest proposer of " + options_.donor + " was not elected yet"};
    core::lsn start = donor_.history.start();
    if (state.timeline_start.valid()) {
      const auto common = consensus::common_point(state.history, journal->position().flush_lsn, donor_.history);
      if (common.valid()) start = common;
    }
    next_.entries.push_back({consensus::elected{donor_.generation, donor_.in, start, donor_.history}});
    position_ = start;
    if (done()) return {};
    return link_.connection().start_replication("", start, 1, donor_.in.value);
  }

  core::result<void> append(core::lsn start, core::bytes_view wal) {
    if (start != position_)
      return core::error{core::errc::corrupt,
                         "the stream continues at " + to_string(start) + " instead of " + to_string(position_)};
    while (!wal.empty()) {
      const core::bytes_view part = wal.first(std::min<std::size_t>(wal.size(), consensus::append_size_max));
      consensus::append message{donor_.generation,       donor_.in,         position_,
                                position_ + part.size(), donor_.commit_lsn, {}};
      next_.add({message, part});
      position_ = message.end;
      wal = wal.subspan(part.size());
    }
    return {};
  }

  [[nodiscard]] bool done() const { return position_.valid() && position_ >= donor_.flush_lsn; }

  void send_batch() {
    if (sending_ || next_.empty()) return;
    sending_ = true;
    auto batch = std::make_shared<message_batch>(std::move(next_));
    next_ = {};
    ask(options_.acceptor, take_batch{batch}, [this, end = position_](core::result<batch_taken> taken) {
      sending_ = false;
      if (!taken) return fail(taken.error());
      if (taken->refused) return fail(*taken->refused);
      if (done() && end == position_ && next_.empty()) {
        finished_ = true;
        return quit();
      }
      advance();
    });
  }

  peer_recovery_options options_;
  /// Its only reference.
  runtime::socket_owner alive_;
  net::replication_link link_;
  protocol::acceptor_summary donor_;
  core::lsn position_;  ///< end of the received WAL
  message_batch next_;
  bool sending_ = false;
  bool finished_ = false;
  core::monotonic_time heard_at_;
};

}  // namespace

runtime::socket_owner spawn_peer_recovery(caf::actor_system& system, peer_recovery_options options) {
  auto label = options.label;
  return runtime::spawn<peer_recovery>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::recovery_look_due)
