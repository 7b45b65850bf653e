#include "tests/support/sql_session.hpp"

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>

namespace strata::tests {

sql_session::sql_session(const std::string& conninfo) {
  PGconn* connection = PQconnectdb(conninfo.c_str());
  if (PQstatus(connection) != CONNECTION_OK) {
    const std::string why = PQerrorMessage(connection);
    PQfinish(connection);
    throw std::runtime_error("connect to '" + conninfo + "': " + why);
  }
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  connection_ = connection;
}

sql_session::~sql_session() { PQfinish(static_cast<PGconn*>(connection_)); }

std::vector<sql_row> sql_session::query(const std::string& sql) {
  const std::unique_ptr<PGresult, void (*)(PGresult*)> reply(PQexec(static_cast<PGconn*>(connection_), sql.c_str()),
                                                             PQclear);
  const ExecStatusType status = PQresultStatus(reply.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    throw std::runtime_error("'" + sql + "': " + PQerrorMessage(static_cast<PGconn*>(connection_)));
  std::vector<sql_row> rows(static_cast<std::size_t>(PQntuples(reply.get())));
  for (int row = 0; row < PQntuples(reply.get()); ++row)
    for (int column = 0; column < PQnfields(reply.get()); ++column) {
      auto& cell = rows[static_cast<std::size_t>(row)].emplace_back();
      if (!PQgetisnull(reply.get(), row, column)) cell = PQgetvalue(reply.get(), row, column);
    }
  return rows;
}

std::string sql_session::value(const std::string& sql) {
  const auto rows = query(sql);
  if (rows.size() != 1 || rows[0].size() != 1 || !rows[0][0])
    throw std::runtime_error("'" + sql + "' did not give one value");
  return *rows[0][0];
}

}  // namespace strata::tests
