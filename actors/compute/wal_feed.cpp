#include "actors/compute/wal_feed.hpp"

#include <memory>
#include <utility>

#include "actors/compute/followed_upstream.hpp"
#include "actors/compute/served_walreceiver.hpp"
#include "actors/net/replication_link.hpp"
#include "actors/net/server_session.hpp"
#include "actors/runtime/actor_base.hpp"
#include "io/sockets.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::compute {
namespace {

namespace client = pg::client;
namespace wire = pg::wire;

/// Unsent output with which the upstream is not read.
constexpr std::size_t output_max = 256u << 10;
constexpr std::chrono::milliseconds tick_interval{500};
constexpr std::chrono::milliseconds reconnect_pause{300};

struct feed_tick {};
struct feed_go_on {};
struct reconnect_due {};
using private_wal_feed = wal_feed_actor::extend<messages::accepts<runtime::socket_ready>, messages::accepts<feed_tick>,
                                                messages::accepts<feed_go_on>, messages::accepts<reconnect_due>>;

struct opened_upstream {
  strata::host::wal_upstream to;
  client::replication_connection connection;
};

class wal_feed final : public runtime::actor_base<private_wal_feed> {
 public:
  static constexpr const char* kind = "compute.wal_feed";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  wal_feed(const runtime::actor_setup& setup, wal_feed_options options)
      : actor_base(setup), options_(std::move(options)), link_(env().sockets()) {}
  ~wal_feed() { env().sockets().forget(token_); }

  void on_start() {
    const auto token = env().sockets().watch(options_.listener.get(), {.read = true}, self());
    if (!token) return quit(token.error());
    token_ = *token;
    tell_self_after(tick_interval, feed_tick{});
  }

 private:
  friend actor_base;

  // -- messages -------------------------------------------------------------------------------------------------------

  void on(const follow_from& of) {
    drop_client();
    session_.reset();
    standby_.emplace(of);
  }
  void on(const head_reported& report) {
    if (standby_) standby_->upstream.branch_reaches(report.head);
  }
  core::result<feed_status> on(const get_feed_status&) {
    if (!standby_) return feed_status{};
    const auto& [walreceiver, upstream] = *standby_;
    return feed_status{.upstream = upstream.streaming_from(),
                       .last_error = upstream.last_error(),
                       .head = upstream.head(),
                       .received = walreceiver.received(),
                       .replayed = walreceiver.replayed(),
                       .head_at = upstream.head_at(),
                       .replayed_at = walreceiver.replayed_at()};
  }
  void on(const runtime::socket_ready& event) {
    if (event.token == token_) return accept_all();
    if (session_ && session_->fired(event)) return serve_commands();
    if ((stream_ && stream_->fired(event)) || link_.is_current(event.token)) pump();
  }
  void on(const feed_go_on&) {
    resuming_ = false;
    if (session_) serve_commands();
    pump();
  }
  void resume_soon() {
    if (!std::exchange(resuming_, true)) tell(self(), feed_go_on{});
  }

  void on(const feed_tick&) {
    tell_self_after(tick_interval, feed_tick{});
    check_upstream();
    if (!stream_) return;
    // Its answer has the position up to which it has replayed.
    if (!stream_->output_pending()) standby_->walreceiver.put_keepalive(true, moment(), stream_->output());
    pump();
  }

  [[nodiscard]] served_walreceiver::moment moment() const { return {standby_->upstream.head(), clock().now()}; }

  // -- the walreceiver ------------------------------------------------------------------------------------------------

  void accept_all() {
    for (;;) {
      auto accepted = io::accept_client(options_.listener);
      if (!accepted) note_error("accept the walreceiver", accepted.error());
      if (!accepted || !*accepted) break;
      // The walreceiver before it has ended, or is ending.
      drop_client();
      session_ = std::make_unique<net::server_session>(env().sockets(), *std::move(accepted));
      if (auto watched = session_->watch(self()); !watched) {
        note_error("serve the walreceiver", watched.error());
        session_.reset();
      }
      resume_soon();
    }
    env().sockets().rearm(token_, {.read = true});
  }

  void serve_commands() {
    using enum net::server_session::step;
    for (int round = 0; round < 8; ++round) {
      if (const auto sent = session_->send(); sent != go_on_step) return sent == ended ? session_.reset() : void();
      if (handle_frame()) {
        if (!session_) return pump();
        continue;
      }
      if (session_->output_pending() || session_->closing()) continue;
      if (const auto received = session_->receive(); received != go_on_step)
        return received == ended ? session_.reset() : void();
    }
    resume_soon();
  }
  static constexpr auto go_on_step = net::server_session::step::go_on;

  /// False: none is complete.
  bool handle_frame() {
    const auto frame = session_->next_frame();
    if (!frame) return false;
    const wire::frame_kind kind = frame->kind;
    const std::string text(reinterpret_cast<const char*>(frame->body.data()), frame->body.size());
    session_->consume(*frame);
    if (!session_->started())
      session_->welcome(standby_ ? standby_->walreceiver.server_version() : "15.0");
    else if (kind == wire::frame_kind::query)
      answer(text);
    else if (kind == wire::frame_kind::terminate)
      session_->close();
    return true;
  }

  void answer(std::string_view query) {
    if (!standby_) return refuse_command({core::errc::unavailable, "there is no stream yet"}, session_->output());
    if (!standby_->walreceiver.answer(query, standby_->upstream.head(), session_->output())) return;
    stream_ = session_->hand_over();
    session_.reset();
    close_upstream();
    if (auto watched = stream_->watch(self()); !watched) {
      note_error("serve the walreceiver", watched.error());
      drop_client();
    }
  }

  void drop_client() {
    stream_.reset();
    if (standby_) standby_->walreceiver.disconnected();
    close_upstream();
  }

  // -- the stream -----------------------------------------------------------------------------------------------------

  void pump() {
    using enum net::client_socket::outcome;
    if (!stream_) return;
    for (int round = 0; round < 8; ++round) {
      if (!read_client()) return drop_client();
      const auto sent = stream_->send();
      if (sent == closed) return drop_client();
      if (sent == nothing) return stream_->rearm({.read = true, .write = true});
      if (!fill()) return stream_->rearm({.read = true});
    }
    resume_soon();
  }

  /// False: the stream is over.
  bool read_client() {
    using enum net::client_socket::outcome;
    for (int round = 0; round < 16; ++round) {
      const auto received = stream_->receive();
      if (received == closed) return false;
      for (;;) {
        const auto frame = wire::parse_frame(stream_->input(), true);
        if (!frame) return false;
        if (!*frame) break;
        const bool goes_on = (*frame)->kind != wire::frame_kind::copy_done &&
                             (*frame)->kind != wire::frame_kind::copy_fail &&
                             (*frame)->kind != wire::frame_kind::terminate;
        if ((*frame)->kind == wire::frame_kind::copy_data) take_from_client((*frame)->body);
        stream_->consume((*frame)->size);
        if (!goes_on) return false;
      }
      if (received == nothing) break;
    }
    return true;
  }

  void take_from_client(core::bytes_view payload) {
    const auto asks = standby_->walreceiver.take(payload, clock().monotonic());
    if (!asks) return note_error("read from the walreceiver", asks.error());
    if (*asks) standby_->walreceiver.put_keepalive(false, moment(), stream_->output());
  }

  /// Appends what comes next; false: there is nothing now. Precondition: all output is sent.
  bool fill() {
    if (standby_->walreceiver.put_own(moment(), stream_->output())) return true;
    if (!link_.open()) {
      connect();
      return false;
    }
    if (auto taken = take_upstream(); !taken) lost_upstream(taken.error());
    return stream_->output_pending();
  }

  // -- the upstream ---------------------------------------------------------------------------------------------------

  void connect() {
    if (standby_->upstream.over() || std::exchange(upstream_.connecting, true)) return;
    offload(
        runtime::pool_id::io, "connect to an upstream",
        [find = options_.find_upstream, attempt = standby_->upstream.attempt()]() -> core::result<opened_upstream> {
          STRATA_ASSIGN(strata::host::wal_upstream to, find(attempt));
          auto opened = client::replication_connection::open(to.conninfo, "strata standby");
          if (!opened) return std::move(opened).error().within(to.name);
          return opened_upstream{std::move(to), *std::move(opened)};
        },
        [this](core::result<opened_upstream> opened) {
          upstream_.connecting = false;
          if (!stream_) return;
          if (!opened) return lost_upstream(opened.error());
          standby_->upstream.opened(std::move(opened->to), standby_->walreceiver.next(), clock().monotonic());
          link_.adopt(std::move(opened->connection));
          upstream_.undrained = false;
          pump();
        });
  }
  void on(const reconnect_due&) {
    upstream_.connecting = false;
    pump();
  }

  void close_upstream() {
    link_.close();
    upstream_.undrained = false;
    if (standby_) standby_->upstream.closed();
  }

  void lost_upstream(const core::error& why) {
    note_error("receive WAL from " + standby_->upstream.name(), why);
    close_upstream();
    if (auto over = standby_->upstream.lost(why)) tell(options_.owner, *std::move(over));
    upstream_.connecting = true;
    tell_self_after(reconnect_pause, reconnect_due{});
  }

  core::result<void> take_upstream() {
    auto& connection = link_.connection();
    // Input that was read and not yet received comes first: libpq would buffer it all.
    if (!std::exchange(upstream_.undrained, true)) STRATA_TRY(connection.step());
    while (stream_->output().size() < output_max) {
      STRATA_ASSIGN(const auto event, connection.receive());
      if (!event) {
        upstream_.undrained = false;
        return link_.arm(self());
      }
      STRATA_ASSIGN(const auto next, standby_->upstream.on(*event, clock().monotonic()));
      STRATA_TRY(std::visit([this](const auto& each) { return carry_out(each); }, next));
    }
    return {};
  }

  core::result<void> carry_out(const followed_upstream::wait&) { return {}; }
  core::result<void> carry_out(const followed_upstream::identify&) { return link_.connection().identify_system(); }
  core::result<void> carry_out(const followed_upstream::start_stream& of) {
    return link_.connection().start_replication("", of.from, of.timeline);
  }
  core::result<void> carry_out(const followed_upstream::report_position&) { return send_status(false); }
  core::result<void> carry_out(const followed_upstream::pass_on& of) {
    standby_->walreceiver.put_wal(of.begin, of.wal, moment(), stream_->output());
    return {};
  }

  core::result<void> send_status(bool reply_requested) {
    auto sent = link_.connection().send_status(standby_->walreceiver.next(), {}, {}, reply_requested);
    // The socket is full of messages of ours.
    if (!sent && sent.error().code == core::errc::busy) return {};
    return sent;
  }

  void check_upstream() {
    if (!link_.open()) return;
    const bool is_read = !upstream_.undrained && !(stream_ && stream_->output_pending());
    auto good = standby_->upstream.check(is_read, clock().monotonic());
    if (good && link_.connection().streaming()) good = send_status(true);
    if (!good) lost_upstream(good.error());
  }

  /// Of one incarnation.
  struct standby {
    explicit standby(const follow_from& of) : walreceiver(of), upstream(of) {}
    served_walreceiver walreceiver;
    followed_upstream upstream;
  };

  wal_feed_options options_;
  runtime::watch_token token_;
  std::optional<standby> standby_;
  std::unique_ptr<net::server_session> session_;  ///< of the walreceiver while it does not stream
  std::shared_ptr<net::client_socket> stream_;    ///< while it does
  net::replication_link link_;
  struct {
    bool connecting = false;  ///< or a pause before that
    bool undrained = false;   ///< its input was left unread
  } upstream_;
  bool resuming_ = false;
};

}  // namespace

wal_feed_actor spawn_wal_feed(caf::actor_system& system, wal_feed_options options) {
  auto label = options.label;
  return runtime::spawn<wal_feed>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::compute

STRATA_LOCAL_MESSAGE(strata::actors::compute::feed_tick)
STRATA_LOCAL_MESSAGE(strata::actors::compute::feed_go_on)
STRATA_LOCAL_MESSAGE(strata::actors::compute::reconnect_due)
