#include "control/live_wal.hpp"

#include <poll.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <variant>

#include "config/quantity.hpp"
#include "pg/client/replication_connection.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::control {

namespace {

namespace client = pg::client;
using steady = std::chrono::steady_clock;

// Well below the usual wal_sender_timeout of a minute.
constexpr auto status_interval = std::chrono::seconds(10);
constexpr auto answer_limit = std::chrono::seconds(30);
constexpr auto longest_wait = std::chrono::milliseconds(200);

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

/// While it lives SIGINT and SIGTERM only set `interrupted`.
class interrupt_guard {
 public:
  interrupt_guard() {
    interrupted = false;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = true; };
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &old_interrupt_);
    ::sigaction(SIGTERM, &action, &old_terminate_);
  }
  ~interrupt_guard() {
    ::sigaction(SIGINT, &old_interrupt_, nullptr);
    ::sigaction(SIGTERM, &old_terminate_, nullptr);
  }
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

core::result<void> wait_for(const client::replication_connection& connection, std::chrono::milliseconds limit) {
  pollfd watched{connection.fd(), 0, 0};
  if (connection.wants_read()) watched.events |= POLLIN;
  if (connection.wants_write()) watched.events |= POLLOUT;
  if (::poll(&watched, 1, static_cast<int>(limit.count())) < 0 && errno != EINTR)
    return core::from_errno("wait for the server", errno);
  return {};
}

}  // namespace

struct live_wal::state {
  live_wal_options options;
  client::replication_connection connection;
  live_server server;
  std::uint32_t segment_size = pg::default_wal_segment_size;
  std::uint64_t system_id = 0;
  std::uint32_t timeline = 1;

  /// Waits for an answer of one kind; what else comes before it is not for us.
  template <class Event>
  core::result<Event> expect() {
    const auto limit = steady::now() + answer_limit;
    while (steady::now() < limit) {
      STRATA_TRY(wait_for(connection, longest_wait));
      STRATA_TRY(connection.step());
      while (true) {
        STRATA_ASSIGN(auto event, connection.receive());
        if (!event) break;
        if (auto* wanted = std::get_if<Event>(&*event)) return std::move(*wanted);
      }
    }
    return core::error{core::errc::timeout, "the server did not answer within 30 s"};
  }
  core::result<std::string> setting(const std::string& name) {
    STRATA_TRY(connection.show(name));
    STRATA_ASSIGN(auto shown, expect<client::setting_shown>());
    return shown.value;
  }
  core::result<void> ask();
  core::result<void> send_status(core::lsn at) {
    auto sent = connection.send_status(at, at, at);
    // The socket is full; the next turn tries again.
    if (!sent && sent.error().code != core::errc::busy) return sent;
    return {};
  }
};

core::result<void> live_wal::state::ask() {
  STRATA_ASSIGN(const auto greeted, expect<client::connected>());
  server.major = greeted.major;
  STRATA_ASSIGN(const std::string level, setting("wal_level"));
  STRATA_TRY(client::require_wal_level(level));
  STRATA_ASSIGN(const std::string checksums, setting("data_checksums"));
  STRATA_ASSIGN(const std::string hints, setting("wal_log_hints"));
  server.hints_are_logged = checksums == "on" || hints == "on";
  STRATA_ASSIGN(server.consistency_checking, setting("wal_consistency_checking"));
  STRATA_ASSIGN(const std::string size, setting("wal_segment_size"));
  STRATA_ASSIGN(const std::uint64_t bytes, config::parse_size(size));
  segment_size = static_cast<std::uint32_t>(bytes);
  STRATA_TRY(connection.identify_system());
  STRATA_ASSIGN(const auto identity, expect<client::system_identified>());
  system_id = identity.system_id;
  timeline = identity.timeline;
  if (!options.from.valid()) options.from = identity.flushed;
  return {};
}

live_wal::live_wal(std::unique_ptr<state> of) : state_(std::move(of)) {}
live_wal::live_wal(live_wal&&) noexcept = default;
live_wal::~live_wal() = default;
const live_server& live_wal::server() const { return state_->server; }

core::result<live_wal> live_wal::open(live_wal_options options) {
  STRATA_ASSIGN(auto connection, client::replication_connection::open(options.conninfo, "strata wal verify"));
  auto opened = std::make_unique<state>(state{.options = std::move(options), .connection = std::move(connection)});
  STRATA_TRY(opened->ask());
  return live_wal(std::move(opened));
}

core::result<live_wal::ended> live_wal::follow(const std::function<void(const pg::wal::record&)>& use) {
  state& of = *state_;
  const interrupt_guard guard;
  // A stream may begin at the start of any page; what is left there of a record that began before is skipped.
  const core::lsn begin(of.options.from.value - of.options.from.value % pg::wal_page_size);
  STRATA_TRY(of.connection.start_replication("", begin, of.timeline));
  pg::wal::stream_decoder decoder({.start = begin,
                                   .major = of.server.major,
                                   .segment_size = of.segment_size,
                                   .system_id = of.system_id,
                                   .starts_at_record = false});
  const auto record = std::make_unique<pg::wal::record>();
  ended done;
  const auto limit = steady::now() + of.options.during;
  auto next_status = steady::now() + status_interval;
  while (true) {
    if (interrupted) return ended{done.start, done.end, "interrupted"};
    if (steady::now() >= limit) return ended{done.start, done.end, "time limit"};
    STRATA_TRY(wait_for(of.connection, longest_wait));
    STRATA_TRY(of.connection.step());
    while (true) {
      STRATA_ASSIGN(const auto event, of.connection.receive());
      if (!event) break;
      if (std::holds_alternative<client::streaming_ended>(*event))
        return ended{done.start, done.end, "the server ended the stream"};
      const auto* asked = std::get_if<client::keepalive>(&*event);
      if ((asked != nullptr && asked->reply_requested) || steady::now() >= next_status) {
        STRATA_TRY(of.send_status(decoder.record_end()));
        next_status = steady::now() + status_interval;
      }
      const auto* data = std::get_if<client::wal_data>(&*event);
      if (data == nullptr) continue;
      decoder.feed(data->bytes);
      while (true) {
        STRATA_ASSIGN(const auto framed, decoder.next());
        if (!framed) break;
        if (framed->end <= of.options.from) continue;
        if (of.options.until && framed->end > *of.options.until) return ended{done.start, done.end, "requested end"};
        STRATA_TRY(pg::wal::parse_record(framed->bytes, framed->start, framed->end, of.server.major, *record));
        if (!done.start.valid()) done.start = framed->start;
        done.end = framed->end;
        use(*record);
      }
    }
  }
}

}  // namespace strata::control
