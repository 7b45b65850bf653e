#include "actors/safekeeper/wal_connection.hpp"

#include <array>

#include "actors/net/server_session.hpp"
#include "actors/runtime/actor_base.hpp"
#include "actors/safekeeper/proposer_session.hpp"
#include "actors/safekeeper/wal_sender.hpp"
#include "pg/wire/extended_query.hpp"
#include "pg/wire/frames.hpp"
#include "pg/wire/safekeeper_commands.hpp"
#include "pg/wire/safekeeper_identity.hpp"
#include "protocol/acceptor_summary.hpp"

namespace strata::actors::safekeeper {
namespace {

namespace wire = pg::wire;

constexpr std::chrono::seconds startup_limit{10};
constexpr std::uint32_t protocol_version = 3;
/// Version of a timeline whose proposer has not sent one yet.
constexpr std::uint32_t version_unknown = 150000;
constexpr std::string_view recovering_proposer = "wal_proposer_recovery";

struct connection_go_on {};
struct startup_overdue {};
using private_connection =
    runtime::socket_owner::extend<messages::accepts<stream_over>, messages::accepts<connection_go_on>,
                                  messages::accepts<startup_overdue>>;

/// "16MB" as Postgres shows it.
std::string shown_size(std::uint32_t bytes) {
  return bytes >= 1u << 30 ? std::to_string(bytes >> 30) + "GB" : std::to_string(bytes >> 20) + "MB";
}

class wal_connection final : public runtime::actor_base<private_connection> {
 public:
  static constexpr const char* kind = "safekeeper.wal_connection";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  wal_connection(const runtime::actor_setup& setup, wal_connection_options options)
      : actor_base(setup), options_(std::move(options)), session_(env().sockets(), std::move(options_.socket)) {}

  void on_start() {
    alive_ = self();
    tell_self_after(startup_limit, startup_overdue{});
    watch();
  }

 private:
  friend actor_base;
  // -- the socket -----------------------------------------------------------------------------------------------------

  void watch() {
    if (auto watched = session_.watch(self()); !watched) return quit(watched.error());
    tell(self(), connection_go_on{});
  }
  void on(const stream_over& over) {
    stream_ = nullptr;
    session_.take_back(over.socket);
    watch();
  }
  void on(const runtime::socket_ready& event) {
    if (session_.fired(event)) advance();
  }
  void on(const connection_go_on&) { advance(); }
  void on(const startup_overdue&) {
    if (!session_.started()) quit({core::errc::timeout, "a client did not start up in time"});
  }

  /// For the service, which may close an idle connection.
  void report_use() {
    const bool begun = session_.started();
    const bool under_way = stream_ || busy_;
    options_.seat->set(under_way ? core::seat_use::busy
                       : begun   ? core::seat_use::idle
                                 : core::seat_use::fresh,
                       clock().monotonic());
  }

  void advance() {
    move_on();
    report_use();
  }

  void move_on() {
    using enum net::server_session::step;
    if (stream_ || busy_) return;
    for (int round = 0; round < 8; ++round) {
      if (const auto sent = session_.send(); sent != go_on) return sent == ended ? quit() : void();
      if (handle_frame()) {
        if (stream_ || busy_) return;
        continue;
      }
      if (session_.output_pending() || session_.closing()) continue;
      if (const auto received = session_.receive(); received != go_on) return received == ended ? quit() : void();
    }
    tell(self(), connection_go_on{});
  }

  /// False: none is complete.
  bool handle_frame() {
    const auto frame = session_.next_frame();
    if (!frame) return false;
    // The body is in the socket's buffer, which may be handed over below.
    const core::bytes body(frame->body.begin(), frame->body.end());
    session_.consume(*frame);
    if (session_.started())
      answer(frame->kind, body);
    else
      start(body);
    return true;
  }

  void start(core::bytes_view body) {
    const auto parameters = wire::parse_startup_parameters(body);
    auto client = parameters ? wire::parse_wal_client(*parameters) : core::result<wire::wal_client>(parameters.error());
    if (!client) return session_.end(client.error());
    client_ = *std::move(client);
    if (!client_.tenant || !client_.timeline) return welcome(version_unknown);
    // Clients read the version before they send anything.
    look_up([this](const core::result<wal_timeline_opened>& found) {
      const std::uint32_t known = found ? found->view->journal()->state().cluster.pg_version : 0;
      welcome(known > 0 ? known : version_unknown);
    });
  }

  void welcome(std::uint32_t version) {
    net::server_session::parameters more;
    if (!options_.identity.empty()) more.emplace_back(wire::safekeeper_parameter, options_.identity);
    session_.welcome(std::to_string(version / 10000) + "." + std::to_string(version % 10000), more);
  }

  // -- commands -------------------------------------------------------------------------------------------------------

  void answer(wire::frame_kind kind, core::bytes_view body) {
    if (extended_.skipping() && kind != wire::frame_kind::sync && kind != wire::frame_kind::terminate) return;
    switch (kind) {
      case wire::frame_kind::query: return run({reinterpret_cast<const char*>(body.data()), body.size()});
      case wire::frame_kind::terminate: session_.close(); return;
      case wire::frame_kind::parse:
      case wire::frame_kind::bind:
      case wire::frame_kind::describe:
      case wire::frame_kind::execute:
      case wire::frame_kind::close:
      case wire::frame_kind::sync: extended_.take({kind, body, 0}, session_.output()); return;
      case wire::frame_kind::unsupported:
        return refuse({core::errc::unsupported, "the WAL service does not support function calls"});
      default: return;  // left over from a stream that has ended
    }
  }

  void run(std::string_view query) {
    const auto command = wire::parse_wal_command(query);
    if (!command) return refuse(command.error());
    if (std::holds_alternative<wire::set_nothing>(*command)) return complete("SET");
    if (!client_.tenant || !client_.timeline)
      return refuse({core::errc::invalid_argument,
                     "the connection names no timeline; connect with options='-c tenant_id=... -c timeline_id=...'"});
    if (const auto* push = std::get_if<wire::start_wal_push>(&*command)) return push_wal(*push);
    look_up([this, command = *command](const core::result<wal_timeline_opened>& found) {
      if (!found && std::holds_alternative<wire::timeline_status>(command)) return show_status(nullptr);
      if (!found) return refuse(found.error());
      if (std::holds_alternative<wire::timeline_status>(command)) show_status(found->view.get());
      if (std::holds_alternative<wire::identify_system>(command)) identify(*found->view);
      if (const auto* show = std::get_if<wire::show_setting>(&command)) show_setting(*found->view, show->name);
      if (const auto* stream = std::get_if<wire::start_wal_stream>(&command)) stream_wal(*found, *stream);
    });
  }

  template <class Then>
  void look_up(Then then) {
    busy_ = true;
    ask(options_.timelines, open_wal_timeline{key(), std::nullopt},
        [this, then = std::move(then)](const core::result<wal_timeline_opened>& found) {
          busy_ = false;
          then(found);
          advance();
        });
  }
  [[nodiscard]] core::timeline_key key() const { return {*client_.tenant, *client_.timeline}; }

  void refuse(const core::error& why) {
    wire::append_error(session_.output(), wire::sqlstate_of(why.code), why.detail);
    wire::append_ready_for_query(session_.output());
  }
  void complete(std::string_view tag) {
    wire::append_command_complete(session_.output(), tag);
    wire::append_ready_for_query(session_.output());
  }

  void identify(const journal::timeline_view& view) {
    const auto position = view.position();
    const core::lsn at = client_.application_name == recovering_proposer ? position.flush_lsn : position.commit_lsn;
    constexpr std::array<std::string_view, 4> columns{"systemid", "timeline", "xlogpos", "dbname"};
    const std::string system_id = std::to_string(view.journal()->state().cluster.system_id);
    const std::string xlogpos = core::to_string(at);
    const std::array<wire::column_value, 4> values{system_id, "1", xlogpos, std::nullopt};
    wire::append_row_description(session_.output(), columns);
    wire::append_data_row(session_.output(), values);
    complete("IDENTIFY_SYSTEM");
  }

  /// No row for a timeline that is not here.
  void show_status(const journal::timeline_view* view) {
    constexpr std::array<std::string_view, 2> columns{"flush_lsn", "commit_lsn"};
    wire::append_row_description(session_.output(), columns);
    if (view != nullptr) {
      const auto position = view->position();
      const std::string flush = core::to_string(position.flush_lsn);
      const std::string commit = core::to_string(position.commit_lsn);
      const std::array<wire::column_value, 2> values{flush, commit};
      wire::append_data_row(session_.output(), values);
    }
    complete("TIMELINE_STATUS");
  }

  void show_setting(const journal::timeline_view& view, const std::string& name) {
    std::string value;
    const auto cluster = view.journal()->state().cluster;
    if (name == "wal_segment_size")
      value = shown_size(cluster.wal_segment_size);
    else if (name == "data_directory_mode")
      value = "0700";
    else if (name == "server_version")
      value = std::to_string(cluster.pg_version / 10000) + "." + std::to_string(cluster.pg_version % 10000);
    else if (name == "wal_level")
      value = "replica";
    else if (name == "acceptor_state")
      value = to_text(journal::summary_of(*view.journal()));
    else
      return refuse({core::errc::not_found, "there is no setting \"" + name.substr(0, 60) + "\" here"});
    wire::append_row_description(session_.output(), name);
    wire::append_data_row(session_.output(), value);
    complete("SHOW");
  }

  // -- streams: the socket goes to a child

  void push_wal(const wire::start_wal_push& command) {
    if (command.protocol_version != protocol_version)
      return refuse({core::errc::unsupported, "protocol version " + std::to_string(command.protocol_version) +
                                                  " is not supported; use (proto_version '3')"});
    if (command.allow_timeline_creation) return take_proposer(true);
    // Refused before a stream begins: a client that asks every second gets the same answer each time.
    look_up([this](const core::result<wal_timeline_opened>& found) {
      if (!found) return refuse(found.error());
      take_proposer(false);
    });
  }
  void take_proposer(bool may_create) {
    wire::append_copy_both_response(session_.output());
    give_away([&] {
      return spawn_proposer_session(system(), {.label = child_label(name()),
                                               .socket = session_.hand_over(),
                                               .timelines = options_.timelines,
                                               .key = key(),
                                               .may_create = may_create});
    });
  }

  void stream_wal(const wal_timeline_opened& timeline, const wire::start_wal_stream& command) {
    if (command.timeline != 1)
      return refuse({core::errc::invalid_argument, "timelines of safekeepers are always on Postgres timeline 1"});
    const auto position = timeline.view->position();
    if (command.term && position.in.value != *command.term)
      return refuse({core::errc::conflict,
                     "the term is " + std::to_string(position.in.value) + ", not " + std::to_string(*command.term)});
    wire::append_copy_both_response(session_.output());
    std::optional<consensus::term> term;
    if (command.term) term = consensus::term{*command.term};
    give_away([&] {
      return spawn_wal_sender(system(), {.label = child_label(name()),
                                         .socket = session_.hand_over(),
                                         .timeline = timeline,
                                         .backup = options_.backup,
                                         .from = command.from,
                                         .term = term,
                                         .is_pageserver = client_.application_name == "pageserver",
                                         .starter = self()});
    });
  }

  template <class Spawn>
  void give_away(Spawn spawn) {
    stream_ = spawn();
    // When the socket is returned, stream_over comes first.
    adopt(stream_, [this](const core::error&) {
      if (stream_) quit();
    });
  }

  wal_connection_options options_;
  /// Keeps the connection alive until it quits.
  runtime::socket_owner alive_;
  net::server_session session_;
  wire::wal_client client_;
  runtime::socket_owner stream_;  ///< has the socket now
  /// Only to refuse it once for each Sync, as clients expect.
  wire::extended_query extended_{[](std::string_view) -> core::result<std::optional<std::string_view>> {
    return core::error{core::errc::unsupported, "the WAL service supports simple queries only"};
  }};
  bool busy_ = false;  ///< another actor's answer is pending
};

}  // namespace

runtime::socket_owner spawn_wal_connection(caf::actor_system& system, wal_connection_options options) {
  auto label = options.label;
  return runtime::spawn<wal_connection>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::connection_go_on)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::startup_overdue)
