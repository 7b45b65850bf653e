#pragma once

#include <cstdint>

#include <utility>

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::host {

/// A TCP port of the loopback interface on which nothing listens, and which nobody else is given as long as this lives.
/// A program that sets SO_REUSEADDR, as Postgres does, can listen on it meanwhile.
class claimed_port {
 public:
  /// errc::busy when none is found.
  static core::result<claimed_port> choose();
  /// This one. errc::conflict when something listens there, or somebody else has claimed it.
  static core::result<claimed_port> claim(std::uint16_t number);
  [[nodiscard]] std::uint16_t number() const { return number_; }

 private:
  claimed_port(std::uint16_t number, io::unique_fd socket, io::unique_fd claim)
      : number_(number), socket_(std::move(socket)), claim_(std::move(claim)) {}
  std::uint16_t number_;
  io::unique_fd socket_;  ///< bound
  io::unique_fd claim_;   ///< the Unix socket of that name
};

/// A port like that of claimed_port, for a caller that listens on it at once.
core::result<std::uint16_t> free_port();
/// errc::conflict when something listens there.
core::result<void> check_port(std::uint16_t port);

}  // namespace strata::host
