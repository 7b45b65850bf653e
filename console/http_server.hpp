#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "console/route.hpp"
#include "console/services.hpp"
#include "core/result.hpp"

namespace strata::console {

struct http_options {
  std::string listen_address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one
  /// Connections served at once; an export keeps one busy as long as it takes.
  std::size_t connections_max = 32;
  /// Accepted connections that may wait for one of those.
  std::size_t waiting_max = 256;
  std::size_t body_size_max = 1u << 20;
  std::chrono::seconds idle_limit{2};
  std::chrono::seconds read_limit{10};
  std::chrono::seconds write_limit{60};
};

/// A management API over HTTP: the operations of `table`.
class http_server {
 public:
  /// Serves when it returns. errc::conflict when the port is taken.
  static core::result<std::unique_ptr<http_server>> start(const http_options& options, services of,
                                                          route_table table = routes());
  virtual ~http_server() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Accepts nothing new, breaks streams off, and returns when every request under way is answered. The destructor does
  /// it, too.
  virtual void stop() = 0;
};

}  // namespace strata::console
