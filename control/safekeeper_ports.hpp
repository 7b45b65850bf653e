#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "control/failure.hpp"
#include "control/safekeeper_file.hpp"
#include "core/address.hpp"
#include "core/log.hpp"
#include "host/free_port.hpp"

namespace strata::control {

/// Where a safekeeper listens; ports that are not asked for are those that it had, else free ones.
struct safekeeper_ports {
  std::string listen_address;
  std::optional<std::uint16_t> wal;
  std::optional<std::uint16_t> http;
};

/// Of an address that it had; 0: none.
inline std::uint16_t port_of(const std::string& text) {
  const auto address = core::parse_address(text);
  return address ? address->port : 0;
}

/// Chooses both ports and opens the WAL service's by `listen(address, port)`; the HTTP port is found free. A port that
/// it had and that another program has now is replaced, unless it was asked for: members are found by their ids.
template <class Listen>
auto open_safekeeper_ports(const safekeeper_ports& asked, const std::optional<safekeeper_file>& before,
                           const Listen& listen) {
  const auto free_port = [] { return need(host::free_port(), "can't find a free port"); };
  std::uint16_t wal = asked.wal.value_or(before ? port_of(before->wal) : 0);
  std::uint16_t http = asked.http.value_or(before ? port_of(before->http) : 0);
  // Not the kernel's choice: that could be the own end of somebody's connection when we start again.
  while (wal == 0) wal = free_port();
  if (!asked.http && http != 0 && !listen(asked.listen_address, http)) {
    core::log_warning("another program has port " + std::to_string(http) + "; the HTTP API gets another one");
    http = 0;
  }
  while (http == 0 || http == wal) http = free_port();
  auto listener = listen(asked.listen_address, wal);
  if (!listener && !asked.wal) {
    core::log_warning("another program has port " + std::to_string(wal) + ": " + core::to_string(listener.error()) +
                      "; the WAL service gets another one");
    do wal = free_port();
    while (wal == http);
    listener = listen(asked.listen_address, wal);
  }
  return std::pair(need(std::move(listener), "can't open the WAL service's port",
                        "end what has the port, or name another one with --wal-port"),
                   http);
}

/// Takes the directory, and that for WAL segments unless it is empty, for a safekeeper: what is created in them from
/// now on by this process is closed to others.
void take_safekeeper_directory(const std::string& directory, const std::string& wal_backup);

}  // namespace strata::control
