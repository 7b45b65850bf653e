#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/http_connection.hpp"
#include "api/route.hpp"
#include "api/services.hpp"
#include "api/worker_lanes.hpp"
#include "core/result.hpp"

namespace strata::api {

struct http_options {
  std::string listen_address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one
  /// Open connections; of one address that is not loopback three quarters of it.
  std::size_t connections_max = 512;
  /// Exports under way.
  std::size_t streams_max = 64;
  http_limits limits;
  lane_sizes lanes = default_lane_sizes();
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

}  // namespace strata::api
