#pragma once

#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>
#include <string>

#include "core/error.hpp"

namespace strata::messages {

/// Errors between actors: a core::error is sent, the same core::error is received.
inline constexpr auto error_category = caf::atom("strata");

// CAF takes code 0 for "no error".
inline caf::error to_caf(const core::error& e) {
  return {static_cast<std::uint8_t>(static_cast<unsigned>(e.code) + 1), error_category, caf::make_message(e.detail)};
}

/// CAF's own errors (receiver gone, request timeout) are mapped to the matching code.
inline core::error from_caf(const caf::error& e) {
  if (!e) return {core::errc::io_error, "an actor failed and gave no reason"};
  if (e.category() == error_category) {
    const auto code = static_cast<core::errc>(e.code() - 1);
    if (e.context().match_elements<std::string>()) return {code, e.context().get_as<std::string>(0)};
    return {code, "an actor failed and gave no reason"};
  }
  if (e == caf::sec::request_timeout) return {core::errc::outcome_unknown, "no answer came in time"};
  if (e == caf::sec::request_receiver_down || e.category() == caf::atom("exit"))
    return {core::errc::unavailable, "the receiving actor is stopping or gone"};
  return {core::errc::io_error, "an actor failed: " + caf::to_string(e)};
}

}  // namespace strata::messages
