#include "pg/client/sql_connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <utility>

#include "core/blocking.hpp"
#include "pg/client/conninfo.hpp"
#include "pg/client/named_options.hpp"

namespace strata::pg::client {
namespace {

std::string doubled(std::string_view text, char quote) {
  std::string made(1, quote);
  for (const char each : text) {
    if (each == quote) made += quote;
    made += each;
  }
  return made + quote;
}

core::errc code_of(std::string_view sqlstate) {
  if (sqlstate.empty() || sqlstate.starts_with("08") || sqlstate.starts_with("57P")) return core::errc::unavailable;
  if (sqlstate == "42501" || sqlstate.starts_with("28")) return core::errc::permission_denied;
  if (sqlstate == "3D000" || sqlstate == "42P01" || sqlstate == "3F000") return core::errc::not_found;
  if (sqlstate.starts_with("23") || sqlstate.starts_with("55P03") || sqlstate.starts_with("40"))
    return core::errc::conflict;
  return core::errc::io_error;
}

/// libpq's own messages have several lines.
std::string one_line(std::string_view text) {
  std::string made;
  for (const char each : text) {
    const bool is_blank = each == '\n' || each == '\t' || each == ' ';
    if (!is_blank || (!made.empty() && made.back() != ' ')) made += is_blank ? ' ' : each;
  }
  while (made.ends_with(' ') || made.ends_with('.')) made.pop_back();
  return made;
}

/// Details and hints are sentences; here they are clauses of one.
std::string without_period(std::string text) {
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string field(const PGresult* of, int name) {
  const char* text = PQresultErrorField(of, name);
  return text == nullptr ? "" : text;
}

struct clear_result {
  void operator()(PGresult* of) const { PQclear(of); }
};
using owned_result = std::unique_ptr<PGresult, clear_result>;

bool is_good(const PGresult* of) {
  const auto status = PQresultStatus(of);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

}  // namespace

std::string quoted_name(std::string_view name) { return doubled(name, '"'); }
std::string quoted_literal(std::string_view text) { return doubled(text, '\''); }

struct sql_connection::implementation {
  struct finish {
    void operator()(PGconn* of) const { PQfinish(of); }
  };
  struct free_memory {
    void operator()(char* of) const { PQfreemem(of); }
  };

  core::error failed(const PGresult* of) {
    sqlstate = of == nullptr ? "" : field(of, PG_DIAG_SQLSTATE);
    std::string text = of == nullptr ? "" : field(of, PG_DIAG_MESSAGE_PRIMARY);
    if (text.empty()) return {code_of(sqlstate), one_line(PQerrorMessage(connection.get()))};
    for (const int more : {PG_DIAG_MESSAGE_DETAIL, PG_DIAG_MESSAGE_HINT})
      if (const std::string part = field(of, more); !part.empty()) text += "; " + without_period(part);
    if (const std::string where = field(of, PG_DIAG_CONTEXT); where.starts_with("COPY ")) text += " (" + where + ")";
    return {code_of(sqlstate), text};
  }
  core::result<owned_result> checked(PGresult* got) {
    owned_result result(got);
    if (result == nullptr || !is_good(result.get())) return failed(result.get());
    return result;
  }
  /// The results of what was sent; the first bad one counts.
  core::result<void> drain() {
    core::result<void> all;
    while (PGresult* got = PQgetResult(connection.get())) {
      const auto each = checked(got);
      if (!each && all) all = each.error();
      if (PQstatus(connection.get()) == CONNECTION_BAD) break;
    }
    return all;
  }

  /// Waits for the answer to what was sent. False: it did not come until `deadline`, or the connection is lost.
  enum class wait_end : std::uint8_t { answered, late, lost };
  [[nodiscard]] wait_end await_answer(std::chrono::steady_clock::time_point deadline) const {
    while (PQisBusy(connection.get()) != 0) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      if (left <= 0) return wait_end::late;
      pollfd ready{PQsocket(connection.get()), POLLIN, 0};
      if (::poll(&ready, 1, static_cast<int>(left)) > 0 && PQconsumeInput(connection.get()) == 0) return wait_end::lost;
    }
    return wait_end::answered;
  }
  /// The last result of what was sent, or the first bad one.
  core::result<owned_result> result_within_limit(bool sent) {
    if (!sent) return failed(nullptr);
    const auto deadline = std::chrono::steady_clock::now() + *limit;
    core::result<owned_result> all = owned_result();
    for (;;) {
      const auto how = await_answer(deadline);
      if (how == wait_end::late) return core::error{core::errc::timeout, "the server does not answer"};
      if (how == wait_end::lost) return failed(nullptr);
      PGresult* got = PQgetResult(connection.get());
      if (got == nullptr) break;
      auto each = checked(got);
      if (all) all = std::move(each);
      if (PQstatus(connection.get()) == CONNECTION_BAD) break;
    }
    return all;
  }

  std::unique_ptr<PGconn, finish> connection;
  std::unique_ptr<char, free_memory> line;
  std::string sqlstate;
  bool commits = false;
  std::optional<std::chrono::milliseconds> limit;
};

sql_connection::sql_connection(std::unique_ptr<implementation> of) : implementation_(std::move(of)) {}
sql_connection::sql_connection(sql_connection&&) noexcept = default;
sql_connection& sql_connection::operator=(sql_connection&&) noexcept = default;
sql_connection::~sql_connection() = default;

core::result<sql_connection> sql_connection::open(const std::string& conninfo, const std::string& database) {
  core::may_block("connect to a server");
  STRATA_TRY(options_named_in(conninfo));
  const std::string named = database_in_conninfo(conninfo).empty() ? database : "";
  // The connection string's own options come later, and win.
  const char* const keywords[] = {"connect_timeout", "fallback_application_name", "dbname", "dbname", nullptr};
  const char* const values[] = {"10", "strata", conninfo.c_str(), named.empty() ? nullptr : named.c_str(), nullptr};
  auto made = std::make_unique<implementation>();
  made->connection.reset(PQconnectdbParams(keywords, values, 1));
  if (made->connection == nullptr) return core::error{core::errc::io_error, "connect to a server: out of memory"};
  if (PQstatus(made->connection.get()) != CONNECTION_OK)
    return core::error{core::errc::unavailable, one_line(PQerrorMessage(made->connection.get()))};
  return sql_connection(std::move(made));
}

void sql_connection::limit_waits(std::chrono::milliseconds each) { implementation_->limit = each; }

core::result<std::vector<sql_row>> sql_connection::query(const std::string& sql,
                                                         const std::vector<sql_value>& parameters) {
  auto& of = *implementation_;
  std::vector<const char*> values;
  for (const auto& each : parameters) values.push_back(each ? each->c_str() : nullptr);
  const int count = static_cast<int>(values.size());
  const auto ask = [&](auto function) {
    return function(of.connection.get(), sql.c_str(), count, nullptr, values.data(), nullptr, nullptr, 0);
  };
  STRATA_ASSIGN(const auto got,
                of.limit ? of.result_within_limit(ask(PQsendQueryParams) == 1) : of.checked(ask(PQexecParams)));
  std::vector<sql_row> rows(static_cast<std::size_t>(PQntuples(got.get())));
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (int column = 0; column < PQnfields(got.get()); ++column) {
      const int at = static_cast<int>(row);
      rows[row].push_back(PQgetisnull(got.get(), at, column) != 0 ? sql_value() : PQgetvalue(got.get(), at, column));
    }
  return rows;
}

core::result<void> sql_connection::execute(const std::string& sql) {
  auto& of = *implementation_;
  PGconn* const to = of.connection.get();
  STRATA_TRY(of.limit ? of.result_within_limit(PQsendQuery(to, sql.c_str()) == 1)
                      : of.checked(PQexec(to, sql.c_str())));
  return {};
}

core::result<void> sql_connection::commit(std::chrono::milliseconds limit) {
  auto& of = *implementation_;
  const auto lost = [&] {
    of.sqlstate.clear();
    return core::error{core::errc::outcome_unknown,
                       "the connection was lost during COMMIT: " + one_line(PQerrorMessage(of.connection.get()))};
  };
  if (!of.commits && PQsendQuery(of.connection.get(), "COMMIT") == 0) return of.failed(nullptr);
  of.commits = true;
  switch (of.await_answer(std::chrono::steady_clock::now() + limit)) {
    case implementation::wait_end::answered: break;
    case implementation::wait_end::late: return core::error{core::errc::timeout, "COMMIT has no answer yet"};
    case implementation::wait_end::lost: return lost();
  }
  of.commits = false;
  owned_result result(PQgetResult(of.connection.get()));
  if (result != nullptr && !is_good(result.get()) && field(result.get(), PG_DIAG_SQLSTATE).empty()) return lost();
  auto answered = of.checked(result.release());
  // A transaction that had failed is answered by ROLLBACK.
  if (answered && std::string_view(PQcmdStatus(answered->get())) != "COMMIT")
    return core::error{core::errc::io_error, "the server has rolled the transaction back"};
  STRATA_TRY(of.drain());
  if (!answered) return answered.error();
  return {};
}

core::result<void> sql_connection::begin_copy_out(const std::string& sql) {
  auto& of = *implementation_;
  const owned_result got(PQexec(of.connection.get(), sql.c_str()));
  if (PQresultStatus(got.get()) == PGRES_COPY_OUT) return {};
  return of.failed(got.get());
}

core::result<std::optional<std::string_view>> sql_connection::next_line() {
  auto& of = *implementation_;
  char* line = nullptr;
  const int size = PQgetCopyData(of.connection.get(), &line, 0);
  of.line.reset(line);
  if (size > 0) return std::optional(std::string_view(line, static_cast<std::size_t>(size)));
  if (size == -2) return of.failed(nullptr);
  STRATA_TRY(of.drain());
  return std::optional<std::string_view>();
}

core::result<void> sql_connection::begin_copy_in(const std::string& sql) {
  auto& of = *implementation_;
  const owned_result got(PQexec(of.connection.get(), sql.c_str()));
  if (PQresultStatus(got.get()) == PGRES_COPY_IN) return {};
  return of.failed(got.get());
}

core::result<void> sql_connection::put_line(std::string_view line) {
  auto& of = *implementation_;
  if (PQputCopyData(of.connection.get(), line.data(), static_cast<int>(line.size())) == 1) return {};
  // The server's own error, if it has sent one, says more than "no COPY in progress".
  auto told = of.drain();
  return told ? of.failed(nullptr) : told.error();
}

core::result<void> sql_connection::end_copy_in() {
  auto& of = *implementation_;
  if (PQputCopyEnd(of.connection.get(), nullptr) != 1) return of.failed(nullptr);
  return of.drain();
}

const std::string& sql_connection::sqlstate() const { return implementation_->sqlstate; }
int sql_connection::server_version() const { return PQserverVersion(implementation_->connection.get()); }
std::string sql_connection::database() const { return PQdb(implementation_->connection.get()); }
std::string sql_connection::user() const { return PQuser(implementation_->connection.get()); }
std::string sql_connection::parameter(const char* name) const {
  const char* value = PQparameterStatus(implementation_->connection.get(), name);
  return value == nullptr ? "" : value;
}

}  // namespace strata::pg::client
