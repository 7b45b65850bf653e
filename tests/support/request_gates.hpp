#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace strata::tests {

/// Relays in front of HTTP servers that count the requests to all of them together and hold one back, so that whoever
/// made it can be killed between two requests.
class request_gates {
 public:
  enum class side {
    before,  ///< the server never hears of it while it is held
    after,   ///< the server has done what it was asked for, and its answer is held
  };

  request_gates();
  ~request_gates();
  request_gates(const request_gates&) = delete;
  request_gates& operator=(const request_gates&) = delete;

  /// A port whose requests go on to `target`.
  std::uint16_t stand_before(std::uint16_t target);

  /// Counting begins anew; the request with this number, from 0, is held.
  void hold(std::size_t number, side where);
  [[nodiscard]] bool holds() const;
  /// Nothing is held from now on. A request that was held before the server is lost; a held answer goes on.
  void open();

  /// In answers `from` becomes `to` from now on.
  void rewrite(std::string from, std::string to);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace strata::tests
