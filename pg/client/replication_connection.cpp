#include "pg/client/replication_connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <chrono>
#include <utility>

#include "core/blocking.hpp"
#include "core/check.hpp"
#include "core/clock.hpp"
#include "pg/client/conninfo.hpp"
#include "pg/client/server_error.hpp"
#include "pg/client/stream_messages.hpp"
#include "pg/wire/safekeeper_identity.hpp"

namespace strata::pg::client {
namespace {

struct close_connection {
  void operator()(PGconn* of) const { PQfinish(of); }
};
struct clear_result {
  void operator()(PGresult* of) const { PQclear(of); }
};
struct free_buffer {
  void operator()(char* of) const { PQfreemem(of); }
};
struct free_options {
  void operator()(PQconninfoOption* of) const { PQconninfoFree(of); }
};
using connection_handle = std::unique_ptr<PGconn, close_connection>;
using result_handle = std::unique_ptr<PGresult, clear_result>;

enum class phase { connecting, idle, awaiting, copying, lost };
enum class command { none, identify, show, create_slot, read_slot, history, drop_slot, backup, replicate };

constexpr std::string_view duplicate_object = "42710";
constexpr std::string_view undefined_object = "42704";
constexpr std::string_view insufficient_privilege = "42501";
constexpr std::string_view success = "00000";

server_complaint complaint_of(const PGresult* result) {
  const auto field = [result](int which) {
    const char* text = PQresultErrorField(result, which);
    return std::string(text != nullptr ? text : "");
  };
  server_complaint complaint{field(PG_DIAG_SQLSTATE), field(PG_DIAG_MESSAGE_PRIMARY), field(PG_DIAG_MESSAGE_DETAIL),
                             field(PG_DIAG_MESSAGE_HINT)};
  if (complaint.message.empty()) complaint = parse_connection_failure(PQresultErrorMessage(result));
  return complaint;
}

template <class Number>
core::result<Number> number_at(const PGresult* result, int row, int column) {
  const std::string_view text = PQgetvalue(result, row, column);
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size())
    return core::error{core::errc::corrupt, "read answer of the source: \"" + std::string(text) + "\" is not a number"};
  return value;
}

core::result<void> require_shape(const PGresult* result, int rows_min, int columns_min) {
  if (PQntuples(result) >= rows_min && PQnfields(result) >= columns_min) return {};
  return core::error{core::errc::corrupt, "read answer of the source: fewer rows or columns than expected"};
}

core::bytes_view view(const char* bytes, int size) {
  return {reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size)};
}

}  // namespace

struct replication_connection::implementation {
  connection_handle connection;
  std::string target;  ///< for messages
  std::string password;
  bool names_database = false;
  phase now = phase::connecting;
  PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
  command running = command::none;
  std::string subject;  ///< setting or slot of the running command
  bool unsent = false;
  bool copy_end_sent = false;
  bool stream_ended = false;
  /// Why the connection ended; reported after all earlier input.
  std::optional<core::error> broken;
  int backup_answers = 0;
  std::size_t archive_index = 0;
  std::vector<oid> archives;                  ///< in the order in which major 14 sends them
  std::optional<replication_event> answer;    ///< reported when the command is complete
  std::optional<core::error> failure;         ///< of the running command, likewise
  std::unique_ptr<char, free_buffer> copied;  ///< what the last event's view points into

  [[nodiscard]] major_version major() const {
    return static_cast<major_version>(PQserverVersion(connection.get()) / 10000);
  }

  core::error connection_error(std::string_view doing) {
    server_complaint complaint = parse_connection_failure(PQerrorMessage(connection.get()));
    // libpq does not repeat passwords, but our promise should not depend on that.
    std::string& text = complaint.message;
    for (std::size_t at = 0; !password.empty() && (at = text.find(password, at)) != std::string::npos; at += 3)
      text.replace(at, password.size(), "***");
    // libpq looks a service up in the files of this process, not in those of the client that named it.
    if (text.starts_with("definition of service"))
      return {core::errc::invalid_argument,
              std::string(doing) + " " + target + ": " + text +
                  "; the server reads its own PGSERVICEFILE, or its user's ~/.pg_service.conf"};
    return explain(std::string(doing) + " " + target, complaint);
  }

  core::error lose(core::error why) {
    now = phase::lost;
    running = command::none;
    return why;
  }

  core::result<void> connect_on() {
    if (polling == PGRES_POLLING_OK) return {};
    // The first connect() must have ended before libpq checks it again.
    pollfd ready{PQsocket(connection.get()), static_cast<short>(polling == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                 0};
    if (ready.fd >= 0 && ::poll(&ready, 1, 0) == 0) return {};
    polling = PQconnectPoll(connection.get());
    if (polling != PGRES_POLLING_FAILED) return {};
    return lose(connection_error("connect to"));
  }

  void flush() {
    const int left = PQflush(connection.get());
    unsent = left == 1;
    if (left < 0 && !broken) broken = connection_error("communicate with");
  }

  core::result<std::optional<replication_event>> on_connected() {
    if (polling != PGRES_POLLING_OK) return std::optional<replication_event>{};
    const int version = PQserverVersion(connection.get());
    if (version / 10000 < 14 || version / 10000 > 18)
      return lose({core::errc::unsupported, "connect to " + target + ": the source runs Postgres " +
                                                std::to_string(version / 10000) +
                                                "; supported are 14, 15, 16, 17 and 18"});
    PQsetnonblocking(connection.get(), 1);
    now = phase::idle;
    const char* standby = PQparameterStatus(connection.get(), "in_hot_standby");
    const char* name = PQparameterStatus(connection.get(), "application_name");
    const char* safekeeper = PQparameterStatus(connection.get(), wire::safekeeper_parameter.data());
    // libpq takes the user's name when nothing names a database.
    std::string named_database = PQdb(connection.get());
    if (!names_database && named_database == PQuser(connection.get())) named_database.clear();
    return std::optional<replication_event>(connected{static_cast<std::uint32_t>(version), major(),
                                                      standby != nullptr && std::string_view(standby) == "on",
                                                      name != nullptr ? name : "", PQuser(connection.get()),
                                                      named_database, safekeeper != nullptr ? safekeeper : ""});
  }

  core::result<void> send(command kind, const std::string& text, std::string about = {}) {
    if (now != phase::idle)
      return core::error{core::errc::busy, "send a command to " + target + ": the connection is not idle"};
    if (PQsendQuery(connection.get(), text.c_str()) == 0) return lose(connection_error("send a command to"));
    flush();
    now = phase::awaiting;
    running = kind;
    subject = std::move(about);
    answer.reset();
    failure.reset();
    backup_answers = 0;
    archive_index = 0;
    archives.clear();
    copy_end_sent = false;
    stream_ended = false;
    return {};
  }

  core::result<std::optional<replication_event>> on_result();
  core::result<std::optional<replication_event>> on_copy();
  core::result<std::optional<replication_event>> on_command_end();
  core::result<std::optional<replication_event>> on_copy_begin();
  core::result<std::optional<replication_event>> on_tuples(const PGresult* result);
  core::result<std::optional<replication_event>> on_backup_tuples(const PGresult* result);
  void on_failure(const PGresult* result);
};

core::result<std::optional<replication_event>> replication_connection::implementation::on_result() {
  while (PQisBusy(connection.get()) == 0) {
    const result_handle result(PQgetResult(connection.get()));
    if (result == nullptr) return on_command_end();
    switch (PQresultStatus(result.get())) {
      case PGRES_TUPLES_OK: {
        auto event = on_tuples(result.get());
        if (!event) return lose(std::move(event).error());
        if (*event) return event;
        break;
      }
      case PGRES_COMMAND_OK: stream_ended = running == command::replicate; break;
      case PGRES_COPY_OUT:
      case PGRES_COPY_BOTH: return on_copy_begin();
      case PGRES_COPY_IN:
        // The source ended its half of the stream; it waits for the end of ours.
        if (!std::exchange(copy_end_sent, true)) {
          PQputCopyEnd(connection.get(), nullptr);
          flush();
        }
        break;
      default: on_failure(result.get()); break;
    }
  }
  return std::optional<replication_event>{};
}

core::result<std::optional<replication_event>> replication_connection::implementation::on_command_end() {
  const command ended = std::exchange(running, command::none);
  now = phase::idle;
  // A source that shuts down ends the stream, then the connection; the latter is reported next.
  const bool ended_before_break = broken && stream_ended;
  if (failure && !ended_before_break) return *std::exchange(failure, std::nullopt);
  if (ended == command::replicate && !answer) answer = streaming_ended{};
  if (ended == command::drop_slot && !answer) answer = slot_dropped{true};
  if (!answer) return core::error{core::errc::corrupt, "read answer of the source: a command ended without its result"};
  return std::exchange(answer, std::nullopt);
}

core::result<std::optional<replication_event>> replication_connection::implementation::on_copy_begin() {
  now = phase::copying;
  if (running == command::replicate) return std::optional<replication_event>(streaming_started{});
  if (running != command::backup) return lose({core::errc::corrupt, "read answer of the source: unexpected data"});
  // From 15 on all archives come in one stream, each with its own header.
  if (major() >= major_version::v15) return on_copy();
  if (archive_index >= archives.size())
    return lose({core::errc::corrupt, "read answer of the source: more archives than tablespaces"});
  return std::optional<replication_event>(archive_started{archives[archive_index++]});
}

core::result<std::optional<replication_event>> replication_connection::implementation::on_copy() {
  while (true) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection.get(), &buffer, 1);
    copied.reset(buffer);
    if (size == 0) return std::optional<replication_event>{};
    if (size < 0) {
      now = phase::awaiting;
      return on_result();
    }
    const core::bytes_view message = view(buffer, size);
    if (running == command::replicate) {
      auto event = parse_stream_message(message);
      if (!event) return lose(std::move(event).error());
      return std::optional(*std::move(event));
    }
    if (major() < major_version::v15) return std::optional<replication_event>(archive_data{message});
    auto event = parse_backup_message(message);
    if (!event) return lose(std::move(event).error());
    if (*event) return *std::move(event);
  }
}

core::result<std::optional<replication_event>> replication_connection::implementation::on_tuples(
    const PGresult* result) {
  switch (running) {
    case command::identify: {
      STRATA_TRY(require_shape(result, 1, 3));
      system_identified identified;
      STRATA_ASSIGN(identified.system_id, number_at<std::uint64_t>(result, 0, 0));
      STRATA_ASSIGN(identified.timeline, number_at<std::uint32_t>(result, 0, 1));
      STRATA_ASSIGN(identified.flushed, core::parse_lsn(PQgetvalue(result, 0, 2)));
      answer = identified;
      break;
    }
    case command::show:
      STRATA_TRY(require_shape(result, 1, 1));
      answer = setting_shown{subject, PQgetvalue(result, 0, 0)};
      break;
    case command::create_slot: answer = slot_created{false}; break;
    case command::read_slot: {
      STRATA_TRY(require_shape(result, 1, 2));
      slot_read found{.exists = PQgetisnull(result, 0, 0) == 0};
      if (PQgetisnull(result, 0, 1) == 0) {
        STRATA_ASSIGN(found.restart, core::parse_lsn(PQgetvalue(result, 0, 1)));
      }
      answer = found;
      break;
    }
    case command::history:
      STRATA_TRY(require_shape(result, 1, 2));
      answer =
          history_shown{std::string(PQgetvalue(result, 0, 1), static_cast<std::size_t>(PQgetlength(result, 0, 1)))};
      break;
    case command::backup: return on_backup_tuples(result);
    case command::replicate: {
      STRATA_TRY(require_shape(result, 1, 2));
      streaming_ended ended;
      STRATA_ASSIGN(ended.next_timeline, number_at<std::uint32_t>(result, 0, 0));
      STRATA_ASSIGN(ended.next_timeline_start, core::parse_lsn(PQgetvalue(result, 0, 1)));
      answer = ended;
      break;
    }
    case command::drop_slot:
    case command::none: break;
  }
  return std::optional<replication_event>{};
}

/// The answer to a base backup: its start, the list of tablespaces, the archives, its end.
core::result<std::optional<replication_event>> replication_connection::implementation::on_backup_tuples(
    const PGresult* result) {
  const int number = backup_answers++;
  if (number == 1) {
    STRATA_TRY(require_shape(result, 1, 3));
    auto& started = std::get<backup_started>(*answer);
    for (int row = 0; row < PQntuples(result); ++row) {
      std::uint64_t kilobytes = 0;
      if (PQgetisnull(result, row, 2) == 0) {
        STRATA_ASSIGN(kilobytes, number_at<std::uint64_t>(result, row, 2));
      }
      started.size_estimate += kilobytes * 1024;
      oid tablespace = 0;
      if (PQgetisnull(result, row, 0) == 0) {
        STRATA_ASSIGN(tablespace, number_at<oid>(result, row, 0));
        started.tablespaces.push_back({tablespace, PQgetvalue(result, row, 1), kilobytes * 1024});
      }
      archives.push_back(tablespace);
    }
    return std::exchange(answer, std::nullopt);
  }
  STRATA_TRY(require_shape(result, 1, 2));
  STRATA_ASSIGN(const core::lsn position, core::parse_lsn(PQgetvalue(result, 0, 0)));
  STRATA_ASSIGN(const auto timeline, number_at<std::uint32_t>(result, 0, 1));
  if (number == 0)
    answer = backup_started{.start = position, .timeline = timeline};
  else
    answer = backup_finished{position, timeline};
  return std::optional<replication_event>{};
}

void replication_connection::implementation::on_failure(const PGresult* result) {
  const server_complaint complaint = complaint_of(result);
  if (running == command::create_slot && complaint.sqlstate == duplicate_object) {
    answer = slot_created{true};
    return;
  }
  if (running == command::show && complaint.sqlstate == insufficient_privilege) {
    answer = setting_shown{subject, ""};
    return;
  }
  if (running == command::drop_slot && complaint.sqlstate == undefined_object) {
    answer = slot_dropped{false};
    return;
  }
  // A safekeeper that has no more WAL to send ends a stream so (docs/formats/wire.md). Then follows the end of the
  // connection.
  if (running == command::replicate && complaint.sqlstate == success &&
      complaint.message.find("ending streaming to") != std::string::npos) {
    answer = streaming_ended{.caught_up = true};
    return;
  }
  if (const auto* ended = answer ? std::get_if<streaming_ended>(&*answer) : nullptr; ended && ended->caught_up) return;
  static constexpr const char* doing[] = {"communicate with",
                                          "identify",
                                          "read a setting of",
                                          "create a replication slot on",
                                          "read a replication slot of",
                                          "read the timeline history of",
                                          "drop a replication slot on",
                                          "take a base backup of",
                                          "stream WAL from"};
  if (!failure && broken && complaint.sqlstate.empty())
    failure = *broken;
  else if (!failure)
    failure = explain(std::string(doing[static_cast<std::size_t>(running)]) + " " + target, complaint);
}

core::result<replication_connection> replication_connection::open(const std::string& conninfo,
                                                                  const std::string& application_name) {
  core::may_block("look up the address of a server");
  const std::unique_ptr<PQconninfoOption, free_options> options(PQconninfoParse(conninfo.c_str(), nullptr));
  if (options == nullptr) return unreadable_conninfo(conninfo);
  auto made = std::make_unique<implementation>();
  made->target = redact_conninfo(conninfo);
  made->names_database = !database_in_conninfo(conninfo).empty();
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option)
    if (std::string_view(option->keyword) == "password" && option->val != nullptr) made->password = option->val;

  const char* const keywords[] = {"dbname", "replication", "fallback_application_name", nullptr};
  const char* const values[] = {conninfo.c_str(), "true", application_name.c_str(), nullptr};
  made->connection.reset(PQconnectStartParams(keywords, values, 1));
  if (made->connection == nullptr) return core::error{core::errc::unavailable, "connect: out of memory"};
  if (PQstatus(made->connection.get()) == CONNECTION_BAD) return made->connection_error("connect to");
  // Failed attempts have no result with a SQLSTATE; this adds it to their text.
  PQsetErrorVerbosity(made->connection.get(), PQERRORS_VERBOSE);
  PQsetNoticeProcessor(
      made->connection.get(), [](void*, const char*) {}, nullptr);
  return replication_connection(std::move(made));
}

replication_connection::replication_connection(std::unique_ptr<implementation> of) : implementation_(std::move(of)) {}
replication_connection::replication_connection(replication_connection&&) noexcept = default;
replication_connection& replication_connection::operator=(replication_connection&&) noexcept = default;
replication_connection::~replication_connection() = default;

int replication_connection::fd() const { return PQsocket(implementation_->connection.get()); }

bool replication_connection::wants_read() const {
  if (implementation_->now == phase::connecting) return implementation_->polling == PGRES_POLLING_READING;
  return implementation_->now != phase::lost;
}

bool replication_connection::wants_write() const {
  if (implementation_->now == phase::connecting) return implementation_->polling == PGRES_POLLING_WRITING;
  return implementation_->now != phase::lost && implementation_->unsent;
}

core::result<void> replication_connection::step() {
  if (implementation_->now == phase::connecting) return implementation_->connect_on();
  if (implementation_->now == phase::lost || implementation_->broken) return {};
  if (PQconsumeInput(implementation_->connection.get()) == 0)
    implementation_->broken = implementation_->connection_error("communicate with");
  if (implementation_->unsent) implementation_->flush();
  return {};
}

core::result<std::optional<replication_event>> replication_connection::receive() {
  implementation& of = *implementation_;
  of.copied.reset();
  core::result<std::optional<replication_event>> received = std::optional<replication_event>{};
  switch (of.now) {
    case phase::connecting: return of.on_connected();
    case phase::lost:
      return core::error{core::errc::unavailable, "communicate with " + of.target + ": the connection is lost"};
    case phase::awaiting: received = of.on_result(); break;
    case phase::copying: received = of.on_copy(); break;
    case phase::idle: break;
  }
  const bool nothing_more = received && !*received;
  if (nothing_more && of.broken) return of.lose(*of.broken);
  // A source that ends the connection sends an error; the connection can't be used afterwards.
  if (!received && PQstatus(of.connection.get()) == CONNECTION_BAD) of.now = phase::lost;
  return received;
}

bool replication_connection::idle() const { return implementation_->now == phase::idle; }
bool replication_connection::streaming() const {
  return implementation_->now == phase::copying && implementation_->running == command::replicate;
}
bool replication_connection::usable() const { return implementation_->now != phase::lost; }
major_version replication_connection::major() const { return implementation_->major(); }

core::result<void> replication_connection::identify_system() {
  return implementation_->send(command::identify, "IDENTIFY_SYSTEM");
}

core::result<void> replication_connection::show(const std::string& setting) {
  if (!valid_slot_name(setting))
    return core::error{core::errc::invalid_argument, "show setting: \"" + setting + "\" is not a setting's name"};
  return implementation_->send(command::show, "SHOW " + setting, setting);
}

core::result<void> replication_connection::create_physical_slot(const std::string& name, slot_lifetime lasts) {
  if (!valid_slot_name(name))
    return core::error{core::errc::invalid_argument, "create replication slot: \"" + name +
                                                         "\" has characters other than a-z, 0-9 and _, or too many"};
  return implementation_->send(command::create_slot, create_slot_command(name, lasts, major()), name);
}

core::result<void> replication_connection::read_slot(const std::string& name) {
  if (!valid_slot_name(name))
    return core::error{core::errc::invalid_argument, "read replication slot: \"" + name + "\" is not a slot's name"};
  return implementation_->send(command::read_slot, "READ_REPLICATION_SLOT \"" + name + "\"", name);
}

core::result<void> replication_connection::show_history(std::uint32_t timeline) {
  return implementation_->send(command::history, "TIMELINE_HISTORY " + std::to_string(timeline));
}

core::result<void> replication_connection::drop_slot(const std::string& name) {
  if (!valid_slot_name(name))
    return core::error{core::errc::invalid_argument, "drop replication slot: \"" + name + "\" is not a slot's name"};
  return implementation_->send(command::drop_slot, "DROP_REPLICATION_SLOT \"" + name + "\" WAIT", name);
}

core::result<void> replication_connection::start_backup(const backup_options& options) {
  return implementation_->send(command::backup, base_backup_command(options, major()));
}

core::result<void> replication_connection::start_replication(const std::string& slot, core::lsn from,
                                                             std::uint32_t timeline,
                                                             std::optional<std::uint64_t> term) {
  if (!slot.empty() && !valid_slot_name(slot))
    return core::error{core::errc::invalid_argument, "start replication: \"" + slot + "\" is not a slot's name"};
  return implementation_->send(command::replicate, "START_REPLICATION " +
                                                       (slot.empty() ? "" : "SLOT \"" + slot + "\" ") + "PHYSICAL " +
                                                       core::to_string(from) + " TIMELINE " + std::to_string(timeline) +
                                                       (term ? " (term='" + std::to_string(*term) + "')" : ""));
}

core::result<void> replication_connection::send_status(core::lsn written, core::lsn flushed, core::lsn applied,
                                                       bool reply_requested) {
  return send_message(
      encode_status(written, flushed, applied, timestamp_of(core::system_clock().now()), reply_requested));
}

core::result<void> replication_connection::send_message(core::bytes_view message) {
  if (!streaming() || implementation_->copy_end_sent)
    return core::error{core::errc::invalid_argument, "send along the stream: the connection is not streaming"};
  const int sent = PQputCopyData(implementation_->connection.get(), reinterpret_cast<const char*>(message.data()),
                                 static_cast<int>(message.size()));
  if (sent == 0) return core::error{core::errc::busy, "send along the stream: the socket is full"};
  if (sent < 0) return implementation_->lose(implementation_->connection_error("send along the stream to"));
  implementation_->flush();
  return {};
}

core::result<void> replication_connection::stop_replication() {
  if (!streaming())
    return core::error{core::errc::invalid_argument, "stop replication: the connection is not streaming"};
  if (implementation_->copy_end_sent) return {};
  const int sent = PQputCopyEnd(implementation_->connection.get(), nullptr);
  if (sent == 0) return core::error{core::errc::busy, "stop replication: the socket is full"};
  if (sent < 0) return implementation_->lose(implementation_->connection_error("end the stream to"));
  implementation_->copy_end_sent = true;
  implementation_->flush();
  return {};
}

}  // namespace strata::pg::client
