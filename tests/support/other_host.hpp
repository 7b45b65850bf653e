#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "io/unique_fd.hpp"

namespace strata::tests {

/// Another host, as far as this machine has one: an address of 127.0.0.0/8 that only this process uses, with services
/// that count who comes, and close. Root also counts the packets that are sent to the address, whatever they are.
class other_host {
 public:
  other_host();
  ~other_host();
  other_host(const other_host&) = delete;
  other_host& operator=(const other_host&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }
  /// The port of a service, for TCP and UDP. Before watch().
  std::uint16_t port(const std::string& service);
  [[nodiscard]] sockaddr_in socket_address(const std::string& service) const;
  /// "host=127.77.1.2 port=4711" for libpq.
  std::string conninfo(const std::string& service);

  /// From here on who comes is counted.
  void watch();
  /// Connections and datagrams to a service.
  [[nodiscard]] std::size_t visits(const std::string& service) const { return services_.at(service).visits; }
  /// To all services.
  [[nodiscard]] std::size_t visits() const;
  /// Each counts more than once on its way through the loopback device. nullopt: not root.
  [[nodiscard]] std::optional<std::size_t> packets() const;

 private:
  struct service {
    io::unique_fd tcp;
    io::unique_fd udp;
    std::uint16_t port = 0;
    std::atomic<std::size_t> visits = 0;
  };
  void serve();

  std::string address_;
  std::map<std::string, service> services_;
  io::unique_fd packet_socket_;
  mutable std::size_t packets_ = 0;
  io::unique_fd stop_;
  std::thread thread_;
};

}  // namespace strata::tests
