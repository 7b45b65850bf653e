#include "pg/client/database_check.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <memory>

#include "core/blocking.hpp"
#include "pg/client/conninfo.hpp"
#include "pg/client/server_error.hpp"

namespace strata::pg::client {

core::result<void> check_database(const std::string& conninfo, std::chrono::milliseconds limit) {
  core::may_block("connect to a server");
  struct finish {
    void operator()(PGconn* of) const { PQfinish(of); }
  };
  const std::string database = database_in_conninfo(conninfo);
  if (database.empty()) return {};
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const char* const keywords[] = {"dbname", "replication", "fallback_application_name", nullptr};
  const char* const values[] = {conninfo.c_str(), "false", "strata", nullptr};
  const std::unique_ptr<PGconn, finish> connection(PQconnectStartParams(keywords, values, 1));
  if (connection == nullptr || PQstatus(connection.get()) == CONNECTION_BAD) return {};
  // Adds the SQLSTATE to the text.
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  for (auto polling = PGRES_POLLING_WRITING; polling != PGRES_POLLING_OK && polling != PGRES_POLLING_FAILED;
       polling = PQconnectPoll(connection.get())) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd ready{PQsocket(connection.get()), static_cast<short>(polling == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) return {};
  }
  constexpr const char* invalid_catalog_name = "3D000";
  if (parse_connection_failure(PQerrorMessage(connection.get())).sqlstate != invalid_catalog_name) return {};
  return core::error{core::errc::not_found, "the server has no database \"" + database +
                                                "\", which the connection string names for clients of the branches"};
}

}  // namespace strata::pg::client
