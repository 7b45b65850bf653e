#include "actors/compute/wal_feed.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <utility>

#include "actors/compute/stream_guard.hpp"
#include "actors/net/replication_link.hpp"
#include "actors/net/server_session.hpp"
#include "actors/runtime/actor_base.hpp"
#include "io/sockets.hpp"
#include "pg/wire/frames.hpp"
#include "pg/wire/replication_messages.hpp"
#include "pg/wire/safekeeper_commands.hpp"

namespace strata::actors::compute {
namespace {

namespace client = pg::client;
namespace wire = pg::wire;

constexpr std::size_t piece_max = 128u << 10;
/// Unsent output with which the upstream is not read.
constexpr std::size_t output_max = 256u << 10;
constexpr std::chrono::milliseconds tick_interval{500};
constexpr std::chrono::milliseconds reconnect_pause{300};
/// An upstream that is asked to answer every tick is dead.
constexpr std::chrono::seconds upstream_silence_max{10};
/// An upstream may have less than the branch for so long.
constexpr std::chrono::seconds upstream_behind_max{3};
constexpr std::string_view history_command = "TIMELINE_HISTORY ";

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
    guard_ = std::make_unique<stream_guard>(of.view->record(), of.major, of.view->segment_size(), of.system_id);
    client_.session.reset();
    following_ = of;
    status_ = {};
    upstream_.refusals = 0;
  }
  void on(const head_reported& report) { branch_head_ = std::max(branch_head_, report.head); }
  core::result<feed_status> on(const get_feed_status&) {
    feed_status made = status_;
    if (!link_.open() || !link_.connection().streaming()) {
      made.upstream.clear();
      made.head_at.reset();
    }
    return made;
  }
  void on(const runtime::socket_ready& event) {
    if (event.token == token_) return accept_all();
    if (client_.session && client_.session->fired(event)) return serve_commands();
    if ((client_.stream && client_.stream->fired(event)) || link_.is_current(event.token)) pump();
  }
  void on(const feed_go_on&) {
    resuming_ = false;
    if (client_.session) serve_commands();
    pump();
  }
  void resume_soon() {
    if (!std::exchange(resuming_, true)) tell(self(), feed_go_on{});
  }

  void on(const feed_tick&) {
    tell_self_after(tick_interval, feed_tick{});
    look_at_upstream();
    if (!client_.stream) return;
    // Its answer has the position up to which it has replayed.
    if (!client_.stream->output_pending()) put_keepalive(true);
    pump();
  }

  // -- the walreceiver: connection and commands ----------------------------------------------------------------------

  void accept_all() {
    for (;;) {
      auto accepted = io::accept_client(options_.listener);
      if (!accepted) note_error("accept the walreceiver", accepted.error());
      if (!accepted || !*accepted) break;
      // The walreceiver before it has ended, or is ending.
      drop_client();
      client_.session = std::make_unique<net::server_session>(env().sockets(), *std::move(accepted));
      if (auto watched = client_.session->watch(self()); !watched) {
        note_error("serve the walreceiver", watched.error());
        client_.session.reset();
      }
      resume_soon();
    }
    env().sockets().rearm(token_, {.read = true});
  }

  void serve_commands() {
    using enum net::server_session::step;
    for (int round = 0; round < 8; ++round) {
      if (const auto sent = client_.session->send(); sent != go_on_step)
        return sent == ended ? client_.session.reset() : void();
      if (handle_frame()) {
        if (!client_.session) return pump();
        continue;
      }
      if (client_.session->output_pending() || client_.session->closing()) continue;
      if (const auto received = client_.session->receive(); received != go_on_step)
        return received == ended ? client_.session.reset() : void();
    }
    resume_soon();
  }
  static constexpr auto go_on_step = net::server_session::step::go_on;

  /// False: none is complete.
  bool handle_frame() {
    const auto frame = client_.session->next_frame();
    if (!frame) return false;
    const wire::frame_kind kind = frame->kind;
    const std::string text(reinterpret_cast<const char*>(frame->body.data()), frame->body.size());
    client_.session->consume(*frame);
    if (!client_.session->started())
      client_.session->welcome(following_ ? std::to_string(static_cast<int>(following_->major)) + ".0" : "15.0");
    else if (kind == wire::frame_kind::query)
      run(text);
    else if (kind == wire::frame_kind::terminate)
      client_.session->close();
    return true;
  }

  void run(std::string_view query) {
    if (!following_) return refuse({core::errc::unavailable, "there is no stream yet"});
    if (query.starts_with(history_command)) return show_history(query.substr(history_command.size()));
    const auto command = wire::parse_wal_command(query);
    if (!command) return refuse(command.error());
    if (std::holds_alternative<wire::set_nothing>(*command)) return complete("SET");
    if (std::holds_alternative<wire::identify_system>(*command)) return identify();
    if (const auto* start = std::get_if<wire::start_wal_stream>(&*command)) return begin_stream(*start);
    refuse({core::errc::unsupported, "the WAL of a standby is for the walreceiver of its Postgres"});
  }
  void refuse(const core::error& why) {
    wire::append_error(client_.session->output(), wire::sqlstate_of(why.code), why.detail);
    wire::append_ready_for_query(client_.session->output());
  }
  void complete(std::string_view tag) {
    wire::append_command_complete(client_.session->output(), tag);
    wire::append_ready_for_query(client_.session->output());
  }

  void identify() {
    constexpr std::array<std::string_view, 4> columns{"systemid", "timeline", "xlogpos", "dbname"};
    const std::string system_id = std::to_string(following_->system_id);
    const std::string timeline = std::to_string(following_->timeline);
    const std::string position = core::to_string(std::max(status_.head, following_->view->record()));
    const std::array<wire::column_value, 4> values{system_id, timeline, position, std::nullopt};
    wire::append_row_description(client_.session->output(), columns);
    wire::append_data_row(client_.session->output(), values);
    complete("IDENTIFY_SYSTEM");
  }

  /// Nothing before the start of the standby concerns it, so the timeline has no ancestors.
  void show_history(std::string_view number) {
    std::uint32_t timeline = 0;
    std::from_chars(number.data(), number.data() + number.size(), timeline);
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "%08X.history", timeline);
    constexpr std::array<std::string_view, 2> columns{"filename", "content"};
    const std::array<wire::column_value, 2> values{std::string_view(name.data()), std::string_view("")};
    wire::append_row_description(client_.session->output(), columns);
    wire::append_data_row(client_.session->output(), values);
    complete("TIMELINE_HISTORY");
  }

  void begin_stream(const wire::start_wal_stream& from) {
    if (from.timeline != following_->timeline || from.from < following_->view->begin())
      return refuse({core::errc::out_of_range, "the standby begins at " + core::to_string(following_->view->record()) +
                                                   " of timeline " + std::to_string(following_->timeline) +
                                                   "; requested: " + core::to_string(from.from) + " of timeline " +
                                                   std::to_string(from.timeline)});
    wire::append_copy_both_response(client_.session->output());
    client_.stream = client_.session->hand_over();
    client_.session.reset();
    client_.next = from.from;
    close_upstream();
    if (auto watched = client_.stream->watch(self()); !watched) {
      note_error("serve the walreceiver", watched.error());
      drop_client();
    }
  }

  // -- the walreceiver: the stream -----------------------------------------------------------------------------------

  void drop_client() {
    client_.stream.reset();
    status_.replayed_at.reset();
    close_upstream();
  }

  void pump() {
    using enum net::client_socket::outcome;
    if (!client_.stream) return;
    for (int round = 0; round < 8; ++round) {
      if (!read_client()) return drop_client();
      const auto sent = client_.stream->send();
      if (sent == closed) return drop_client();
      if (sent == nothing) return client_.stream->rearm({.read = true, .write = true});
      if (!fill()) return client_.stream->rearm({.read = true});
    }
    resume_soon();
  }

  /// False: the stream is over.
  bool read_client() {
    using enum net::client_socket::outcome;
    for (int round = 0; round < 16; ++round) {
      const auto received = client_.stream->receive();
      if (received == closed) return false;
      for (;;) {
        const auto frame = wire::parse_frame(client_.stream->input(), true);
        if (!frame) return false;
        if (!*frame) break;
        const bool goes_on = (*frame)->kind != wire::frame_kind::copy_done &&
                             (*frame)->kind != wire::frame_kind::copy_fail &&
                             (*frame)->kind != wire::frame_kind::terminate;
        if ((*frame)->kind == wire::frame_kind::copy_data) take_status((*frame)->body);
        client_.stream->consume((*frame)->size);
        if (!goes_on) return false;
      }
      if (received == nothing) break;
    }
    return true;
  }

  void take_status(core::bytes_view payload) {
    const auto message = wire::parse_client_message(payload);
    if (!message) return note_error("read from the walreceiver", message.error());
    const auto* positions = std::get_if<wire::standby_status>(&*message);
    if (positions == nullptr) return;
    status_.received = positions->flushed;
    status_.replayed = positions->applied;
    status_.replayed_at = clock().monotonic();
    if (positions->reply_requested) put_keepalive(false);
  }

  void put_keepalive(bool reply_requested) {
    wire::append_keepalive(client_.stream->output(), std::max(status_.head, client_.next),
                           pg::timestamp_of(clock().now()), reply_requested);
  }
  void put_wal(core::lsn at, core::bytes_view wal) {
    wire::append_wal_data_header(client_.stream->output(), at, std::max(status_.head, at + wal.size()),
                                 pg::timestamp_of(clock().now()), wal.size());
    core::append(client_.stream->output(), wal);
  }

  /// Appends what comes next; false: there is nothing now. Precondition: all output is sent.
  bool fill() {
    // The last of its own pages waits for the stream: a reader takes what it finds after a page header for a record.
    const core::lsn record = following_->view->record();
    const core::lsn last_page = record - record.value % pg::wal_page_size;
    if (client_.next < last_page) {
      const core::bytes own =
          following_->view->read(client_.next, std::min<std::size_t>(piece_max, last_page - client_.next));
      put_wal(client_.next, own);
      client_.next = client_.next + own.size();
      return true;
    }
    if (!link_.open()) {
      connect();
      return false;
    }
    if (auto taken = take_upstream(); !taken) lost_upstream(taken.error());
    return client_.stream->output_pending();
  }

  // -- the upstream --------------------------------------------------------------------------------------------------

  void connect() {
    if (std::exchange(upstream_.connecting, true)) return;
    offload(
        runtime::pool_id::io, "connect to an upstream",
        [find = options_.find_upstream, attempt = upstream_.attempt]() -> core::result<opened_upstream> {
          STRATA_ASSIGN(strata::host::wal_upstream to, find(attempt));
          auto opened = client::replication_connection::open(to.conninfo, "strata standby");
          if (!opened) return std::move(opened).error().within(to.name);
          return opened_upstream{std::move(to), *std::move(opened)};
        },
        [this](core::result<opened_upstream> opened) {
          upstream_.connecting = false;
          if (!client_.stream) return;
          if (!opened) return lost_upstream(opened.error());
          const auto& view = *following_->view;
          // The patch must see the first record from its start.
          const bool patches = client_.next < view.patched_end();
          upstream_.next = patches ? view.record() : client_.next;
          upstream_.patch.reset();
          if (patches) upstream_.patch.emplace(view);
          upstream_.of = std::move(opened->to);
          link_.adopt(std::move(opened->connection));
          upstream_.undrained = false;
          upstream_.heard = clock().monotonic();
          upstream_.behind_since.reset();
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
    status_.head_at.reset();
  }

  void lost_upstream(const core::error& why) {
    note_error("receive WAL from " + upstream_.of.name, why);
    close_upstream();
    status_.last_error = why.detail;
    ++upstream_.attempt;
    if (why.code == core::errc::out_of_range && ++upstream_.refusals >= upstream_.of.count) {
      upstream_.refusals = 0;
      tell(options_.owner, feed_lost{why.detail, {}});
    }
    upstream_.connecting = true;
    tell_self_after(reconnect_pause, reconnect_due{});
  }

  core::result<void> take_upstream() {
    auto& connection = link_.connection();
    // Input that was read and not yet received comes first: libpq would buffer it all.
    if (!std::exchange(upstream_.undrained, true)) STRATA_TRY(connection.step());
    while (client_.stream->output().size() < output_max) {
      STRATA_ASSIGN(const auto event, connection.receive());
      if (!event) {
        upstream_.undrained = false;
        return link_.arm(self());
      }
      upstream_.heard = clock().monotonic();
      STRATA_TRY(take(*event));
    }
    return {};
  }

  core::result<void> take(const client::replication_event& event) {
    auto& connection = link_.connection();
    if (const auto* wal = std::get_if<client::wal_data>(&event)) return take_wal(*wal);
    if (const auto* alive = std::get_if<client::keepalive>(&event)) {
      saw_head(alive->server_end);
      return alive->reply_requested ? send_status(false) : core::result<void>();
    }
    if (const auto* greeted = std::get_if<client::connected>(&event)) {
      STRATA_TRY(check_upstream(*greeted));
      return connection.identify_system();
    }
    if (const auto* identity = std::get_if<client::system_identified>(&event)) {
      if (identity->system_id != following_->system_id)
        return core::error{core::errc::conflict, upstream_.of.name + " has the WAL of another cluster"};
      saw_head(identity->flushed);
      // Safekeepers know one timeline of Postgres, whatever the pages of the WAL say.
      return connection.start_replication("", upstream_.next, upstream_.of.expected ? 1 : following_->timeline);
    }
    if (std::holds_alternative<client::streaming_started>(event)) {
      status_.upstream = upstream_.of.name;
      status_.last_error.clear();
    }
    if (const auto* ended = std::get_if<client::streaming_ended>(&event)) {
      // A standby of the next timeline begins where that is known.
      if (ended->next_timeline != 0)
        return core::error{core::errc::out_of_range,
                           upstream_.of.name + " has switched to timeline " + std::to_string(ended->next_timeline)};
      return core::error{core::errc::unavailable, upstream_.of.name + " has ended the stream"};
    }
    return {};
  }

  core::result<void> check_upstream(const client::connected& greeted) const {
    if (!upstream_.of.expected) return {};
    const auto answering = wire::parse_safekeeper_identity(greeted.safekeeper);
    if (!answering) return core::error{core::errc::conflict, upstream_.of.name + ": what answers is no safekeeper"};
    return wire::check_identity(*upstream_.of.expected, *answering);
  }

  void saw_head(core::lsn head) {
    status_.head = std::max(status_.head, head);
    status_.head_at = clock().monotonic();
  }

  core::result<void> take_wal(const client::wal_data& wal) {
    if (wal.start != upstream_.next)
      return core::error{core::errc::corrupt, upstream_.of.name + " sent WAL at " + core::to_string(wal.start) +
                                                  " where " + core::to_string(upstream_.next) + " was expected"};
    upstream_.refusals = 0;
    saw_head(wal.server_end);
    STRATA_TRY(look_through(wal));
    core::bytes_view bytes = wal.bytes;
    if (upstream_.patch && wal.start < following_->view->patched_end()) {
      upstream_.patched.assign(bytes.begin(), bytes.end());
      upstream_.patch->apply(wal.start, upstream_.patched);
      bytes = upstream_.patched;
    }
    upstream_.next = wal.start + bytes.size();
    if (upstream_.next <= client_.next) return {};
    if (client_.next < following_->view->record()) {
      core::bytes own = following_->view->read(client_.next, piece_max);
      core::append(own, bytes);
      upstream_.patched = std::move(own);
      bytes = upstream_.patched;
    }
    put_wal(client_.next, bytes.last(upstream_.next - client_.next));
    client_.next = upstream_.next;
    return {};
  }

  /// An error: no byte of the message may get to Postgres, and this incarnation of it is over.
  core::result<void> look_through(const client::wal_data& wal) {
    if (!guard_) return core::error{core::errc::unavailable, "the standby must begin anew"};
    const auto seen = guard_->examine(wal.start, wal.bytes);
    if (seen && !*seen) return {};
    const std::string why = seen ? "its branch has created a tablespace at " + (*seen)->path +
                                       ", where a standby on this machine would write into the files of another server"
                                 : "the WAL from " + upstream_.of.name + " is damaged: " + seen.error().detail;
    guard_.reset();
    tell(options_.owner, feed_lost{why, seen ? (*seen)->end : core::lsn()});
    return core::error{core::errc::unavailable, why};
  }

  core::result<void> send_status(bool reply_requested) {
    auto sent = link_.connection().send_status(client_.next, {}, {}, reply_requested);
    // The socket is full of messages of ours.
    if (!sent && sent.error().code == core::errc::busy) return {};
    return sent;
  }

  void look_at_upstream() {
    if (!link_.open()) return;
    const auto now = clock().monotonic();
    // Silence means nothing while it is not read, for Postgres is slow.
    const bool is_read = !upstream_.undrained && !(client_.stream && client_.stream->output_pending());
    if (is_read && now - upstream_.heard > upstream_silence_max)
      return lost_upstream({core::errc::timeout, upstream_.of.name + " is silent"});
    if (!link_.connection().streaming()) return;
    if (auto sent = send_status(true); !sent) return lost_upstream(sent.error());
    if (!is_read || status_.head >= branch_head_) return upstream_.behind_since.reset();
    if (!upstream_.behind_since) upstream_.behind_since = now;
    if (now - *upstream_.behind_since > upstream_behind_max)
      lost_upstream({core::errc::unavailable, upstream_.of.name + " has WAL up to " + core::to_string(status_.head) +
                                                  ", and the branch up to " + core::to_string(branch_head_)});
  }

  struct walreceiver {
    std::unique_ptr<net::server_session> session;  ///< while it does not stream
    std::shared_ptr<net::client_socket> stream;    ///< while it does
    core::lsn next;                                ///< the position that it gets next
  };
  struct upstream {
    strata::host::wal_upstream of;
    core::lsn next;  ///< the position that comes next from it
    std::optional<pg::files::record_link_patch> patch;
    core::bytes patched;
    core::monotonic_time heard{};
    std::optional<core::monotonic_time> behind_since;
    std::uint32_t attempt = 0;
    std::uint32_t refusals = 0;  ///< of those tried one after the other, that did not have the WAL
    bool connecting = false;     ///< or a pause before that
    bool undrained = false;      ///< its input was left unread
  };

  wal_feed_options options_;
  runtime::watch_token token_;
  std::optional<follow_from> following_;
  walreceiver client_;
  upstream upstream_;
  net::replication_link link_;
  std::unique_ptr<stream_guard> guard_;  ///< null: it has refused the stream
  feed_status status_;
  core::lsn branch_head_;  ///< by others than the upstream
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
