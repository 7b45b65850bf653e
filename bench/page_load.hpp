#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "pg/types.hpp"

namespace strata::bench {

/// A page server to be loaded with getpage requests of pagestream_v2 or _v3.
struct page_target {
  std::uint16_t port = 0;  ///< on 127.0.0.1
  /// The query that opens the stream, e.g. "pagestream_v2 <tenant> <timeline>"; empty: the server speaks pagestream
  /// from the first byte, without start-up.
  std::string command;
  int version = 2;
  pg::relation_fork relation;
  std::uint32_t blocks = 1;
};

struct load_shape {
  int connections = 1;
  int in_flight = 1;  ///< per connection
  std::chrono::milliseconds duration{2000};
  bool sequential = false;  ///< one block after the other, instead of at random
};

struct load_result {
  std::uint64_t requests = 0;
  double requests_per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  std::uint64_t errors = 0;
};

/// One client thread drives all connections, asking for blocks. Throws std::runtime_error when the server
/// can't be reached or does not speak the protocol.
load_result run_page_load(const page_target& target, const load_shape& shape);

/// The physical limit to compare with: an epoll loop that answers every request with the same 8 KiB from memory, in
/// page responses of pagestream_v2.
class bare_page_server {
 public:
  bare_page_server();
  ~bare_page_server();
  bare_page_server(const bare_page_server&) = delete;
  bare_page_server& operator=(const bare_page_server&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  int stop_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace strata::bench
