#include "actors/safekeeper/wal_sender.hpp"

#include <algorithm>

#include "actors/runtime/actor_base.hpp"
#include "pg/wire/frames.hpp"
#include "pg/wire/replication_messages.hpp"

namespace strata::actors::safekeeper {
namespace {

namespace wire = pg::wire;

constexpr std::size_t piece_max = 128u << 10;
constexpr std::chrono::milliseconds keepalive_interval{1000};
/// A client that sends nothing for so long, though every keepalive requests an answer, is lost.
constexpr std::chrono::seconds reader_silence_max{60};

struct sender_go_on {};
struct keepalive_due {};
using private_sender = runtime::socket_owner::extend<messages::accepts<positions_moved>,
                                                     messages::accepts<sender_go_on>, messages::accepts<keepalive_due>>;

/// Where the piece that begins at `from` ends: on a page boundary unless it completes the stream.
core::lsn piece_end(core::lsn from, core::lsn limit) {
  if (limit - from <= piece_max) return limit;
  const core::lsn end = from + piece_max;
  return end - end.value % pg::wal_page_size;
}

class wal_sender final : public runtime::actor_base<private_sender> {
 public:
  static constexpr const char* kind = "safekeeper.wal_sender";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  wal_sender(const runtime::actor_setup& setup, wal_sender_options options)
      : actor_base(setup),
        options_(std::move(options)),
        socket_(*options_.socket),
        view_(*options_.timeline.view),
        next_(options_.from),
        sent_bytes_(env().metrics().counter("strata_safekeeper_wal_out_bytes_total", "WAL streamed to receivers")) {}

  void on_start() {
    alive_ = self();
    heard_at_ = clock().monotonic();
    monitor(options_.starter, [this](const core::error&) { quit(); });
    monitor(options_.timeline.acceptor, [this](const core::error&) {
      finish_with_error("57P01", "the timeline is being closed");
      advance();
    });
    tell(options_.timeline.acceptor, receiver_arrived{self()});
    tell_self_after(keepalive_interval, keepalive_due{});
    if (auto watched = socket_.watch(self()); !watched)
      quit(watched.error());
    else
      tell(self(), sender_go_on{});
  }

 private:
  friend actor_base;
  /// Reading: a piece of WAL is being read from disk. Ending: the stream ends when everything is sent, and a piece that
  /// is still being read is dropped. Over: the starter has the socket.
  enum class state { streaming, reading, ending, over };
  [[nodiscard]] bool ends() const { return state_ >= state::ending; }

  void on(const runtime::socket_ready& event) {
    if (socket_.fired(event)) advance();
  }
  void on(const sender_go_on&) {
    resuming_ = false;
    advance();
  }
  void on(const positions_moved&) { advance(); }

  // -- the socket -----------------------------------------------------------------------------------------------------

  void advance() {
    using enum net::client_socket::outcome;
    if (state_ == state::over) return;
    for (int round = 0; round < 8; ++round) {
      if (!receive()) return quit();
      const auto sent = socket_.send();
      if (sent == closed) return quit();
      if (sent == nothing) return socket_.rearm({.read = true, .write = true});
      if (ends()) return give_back();
      if (state_ == state::reading || !prepare()) return socket_.rearm({.read = true});
    }
    if (!std::exchange(resuming_, true)) tell(self(), sender_go_on{});
  }

  /// False: the connection is over. Messages of a client that sends without pause are read later.
  bool receive() {
    using enum net::client_socket::outcome;
    for (int round = 0; round < 16; ++round) {
      const auto received = socket_.receive();
      if (received == closed) return false;
      while (!ends()) {
        const auto frame = wire::parse_frame(socket_.input(), true);
        if (!frame) return false;
        if (!*frame) break;
        const bool goes_on = handle_frame(**frame);
        socket_.consume((*frame)->size);
        if (!goes_on) return false;
        heard_at_ = clock().monotonic();
      }
      if (received == nothing || ends()) break;
    }
    return true;
  }

  bool handle_frame(const wire::frame& frame) {
    switch (frame.kind) {
      case wire::frame_kind::copy_data: return handle_message(frame.body);
      case wire::frame_kind::copy_done:
      case wire::frame_kind::copy_fail:
        state_ = state::ending;
        wire::append_copy_done(socket_.output());
        wire::append_command_complete(socket_.output(), "START_STREAMING");
        wire::append_ready_for_query(socket_.output());
        return true;
      case wire::frame_kind::terminate: return false;
      default: return true;
    }
  }

  bool handle_message(core::bytes_view payload) {
    const auto message = wire::parse_client_message(payload);
    if (!message) {
      note_error("read from a receiver", message.error());
      return false;
    }
    protocol::pageserver_feedback feedback;
    if (const auto* status = std::get_if<wire::standby_status>(&*message)) {
      if (status->reply_requested) put_keepalive(false);
      if (!options_.is_pageserver) return true;
      feedback = {.last_received = status->written,
                  .disk_consistent = status->flushed,
                  .remote_consistent = status->applied,
                  .replied_at = pg::timestamp_of(clock().now())};
    } else if (const auto* said = std::get_if<wire::pageserver_status>(&*message)) {
      auto decoded = protocol::decode_feedback(said->feedback);
      if (!decoded) {
        note_error("read from a receiver", decoded.error());
        return false;
      }
      options_.is_pageserver = true;
      feedback = *decoded;
    } else {
      return true;
    }
    tell(options_.timeline.acceptor, pageserver_reported{feedback});
    return true;
  }

  // -- output ---------------------------------------------------------------------------------------------------------

  /// Appends the next piece to the output when it is in memory, or has it read. False: nothing to send now.
  bool prepare() {
    if (!term_stands()) return true;
    const auto position = view_.position();
    const core::lsn limit = options_.term ? position.flush_lsn : position.commit_lsn;
    if (next_ >= limit) return false;
    const core::lsn end = piece_end(next_, limit);
    recent_.resize(end - next_);
    const auto log = view_.journal()->log();
    const std::size_t got = log ? log->read_recent(next_, recent_) : 0;
    if (got == 0) {
      read(end);
      return false;
    }
    if (term_stands()) put_wal(core::bytes_view(recent_).first(got));  // as in read()
    return true;
  }

  /// False, and the stream ends: uncommitted WAL may have been cut off and rewritten since.
  bool term_stands() {
    const consensus::term now = view_.position().in;
    if (!options_.term || now == *options_.term) return true;
    finish_with_error("55000", "the term is " + std::to_string(now.value) + " now, not " +
                                   std::to_string(options_.term->value) + ": ask again");
    return false;
  }

  void read(core::lsn end) {
    state_ = state::reading;
    offload(
        runtime::pool_id::io, "read WAL",
        [view = options_.timeline.view, backup = options_.backup, from = next_,
         size = end - next_]() -> core::result<core::bytes> {
          core::bytes piece(size);
          auto got = journal::read_local_wal(*view->journal(), from, piece);
          if (!got && got.error().code == core::errc::out_of_range && backup) {
            auto stored = backup->read(*view, from, piece);
            // If it is not in object storage either it is lost; only the first error has the reason.
            if (stored || stored.error().code != core::errc::not_found) got = std::move(stored);
          }
          if (!got) return std::move(got).error();
          piece.resize(*got);
          return piece;
        },
        [this](core::result<core::bytes> piece) {
          if (state_ != state::reading) return;
          state_ = state::streaming;
          if (!piece || piece->empty()) {
            const core::error why =
                piece ? core::error{core::errc::out_of_range, "there is no WAL at " + to_string(next_)} : piece.error();
            note_error("read WAL", why);
            finish_with_error(wire::sqlstate_of(why.code), why.detail);
          } else if (term_stands()) {
            put_wal(*piece);  // read in the same term: the term rises before anything is cut off
          }
          advance();
        });
  }

  void put_wal(core::bytes_view piece) {
    const auto position = view_.position();
    const core::lsn wal_end = options_.term ? position.flush_lsn : position.commit_lsn;
    wire::append_wal_data_header(socket_.output(), next_, wal_end, pg::timestamp_of(clock().now()), piece.size());
    core::append(socket_.output(), piece);
    next_ = next_ + piece.size();
    quiet_ = false;
    sent_bytes_.add(static_cast<double>(piece.size()));
  }

  void put_keepalive(bool reply_requested) {
    const auto position = view_.position();
    wire::append_keepalive(socket_.output(), options_.term ? position.flush_lsn : position.commit_lsn,
                           pg::timestamp_of(clock().now()), reply_requested);
  }

  void on(const keepalive_due&) {
    if (state_ == state::over) return;
    if (clock().monotonic() - heard_at_ > reader_silence_max)
      return quit({core::errc::timeout, "no message from the receiver"});
    tell_self_after(keepalive_interval, keepalive_due{});
    if (ends()) return;
    // Unread output is sufficient as a sign of life.
    if (!socket_.output_pending() && state_ == state::streaming) put_keepalive(true);
    end_when_idle();
    advance();
  }

  /// Ends the stream of a pageserver that has everything of a timeline without a writer; the broker reports new WAL.
  /// Two checks in a row, so that a proposer that only reconnects ends no stream.
  void end_when_idle() {
    const auto position = view_.position();
    const bool idle = options_.is_pageserver && !options_.term && view_.proposers == 0 &&
                      next_ >= position.commit_lsn && position.remote_consistent >= position.commit_lsn;
    if (idle && std::exchange(quiet_, true) && state_ == state::streaming)
      finish_with_error("00000", "ending streaming to " + name() + " at " + to_string(next_) +
                                     ": the timeline has no writer, and all its WAL was sent");
    if (!idle) quiet_ = false;
  }

  void finish_with_error(std::string_view sqlstate, std::string_view text) {
    if (ends()) return;
    state_ = state::ending;
    wire::append_error(socket_.output(), sqlstate, text);
    wire::append_ready_for_query(socket_.output());
  }

  void give_back() {
    state_ = state::over;
    socket_.let_go();
    tell(options_.starter, stream_over{options_.socket});
    quit();
  }

  wal_sender_options options_;
  /// Its only reference.
  runtime::socket_owner alive_;
  net::client_socket& socket_;
  journal::timeline_view& view_;
  core::lsn next_;
  core::bytes recent_;  ///< the piece read from memory
  runtime::counter sent_bytes_;
  bool resuming_ = false;
  bool quiet_ = false;  ///< was idle at the last check
  state state_ = state::streaming;
  core::monotonic_time heard_at_;
};

}  // namespace

runtime::socket_owner spawn_wal_sender(caf::actor_system& system, wal_sender_options options) {
  auto label = options.label;
  return runtime::spawn<wal_sender>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::sender_go_on)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::keepalive_due)
