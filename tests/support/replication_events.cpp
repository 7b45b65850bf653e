#include "tests/support/replication_events.hpp"

#include <poll.h>

#include <chrono>

namespace strata::tests {

core::result<pg::client::replication_event> wait_for_event(pg::client::replication_connection& connection) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    STRATA_ASSIGN(auto event, connection.receive());
    if (event) return *std::move(event);
    pollfd ready{connection.fd(), 0, 0};
    if (connection.wants_read()) ready.events |= POLLIN;
    if (connection.wants_write()) ready.events |= POLLOUT;
    ::poll(&ready, 1, 1000);
    STRATA_TRY(connection.step());
  }
  return core::error{core::errc::timeout, "nothing happened"};
}

}  // namespace strata::tests
