#include "host/local_position.hpp"

#include <poll.h>

#include "pg/client/conninfo.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::host {
namespace {

namespace client = pg::client;

}  // namespace

std::string replication_conninfo(const std::string& socket_directory, std::uint16_t port, const std::string& user) {
  return "host=" + client::conninfo_value(socket_directory) + " port=" + std::to_string(port) +
         " user=" + client::conninfo_value(user) + " sslmode=disable gssencmode=disable";
}

core::result<core::lsn> flushed_position(const std::string& conninfo, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  STRATA_ASSIGN(auto connection, client::replication_connection::open(conninfo, "strata_position"));
  for (;;) {
    STRATA_TRY(connection.step());
    for (;;) {
      STRATA_ASSIGN(const auto event, connection.receive());
      if (!event) break;
      if (const auto* found = std::get_if<client::system_identified>(&*event)) return found->flushed;
      if (std::holds_alternative<client::connected>(*event)) STRATA_TRY(connection.identify_system());
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return core::error{core::errc::timeout, "ask Postgres for its WAL position: it does not answer"};
    pollfd waited{connection.fd(), 0, 0};
    if (connection.wants_read()) waited.events |= POLLIN;
    if (connection.wants_write()) waited.events |= POLLOUT;
    ::poll(&waited, 1, static_cast<int>(left));
  }
}

}  // namespace strata::host
