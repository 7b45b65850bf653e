#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::pg::wire {

/// The client's side of the Postgres frontend/backend protocol 3.0, for a client that must be faster than libpq:
/// start-up, one simple query, COPY in both directions. Pure functions over bytes; frames.hpp has the other side.

void append_startup(core::bytes& to, const std::vector<std::pair<std::string, std::string>>& parameters);
void append_query(core::bytes& to, std::string_view text);

struct backend_frame {
  char tag = 0;  ///< as in the manual's "Message Formats"
  core::bytes_view body;
  std::size_t size = 0;  ///< bytes of input consumed, header included
};

/// The first frame of `input`, nullopt when it is not complete yet. errc::corrupt for a tag that no server sends or a
/// body longer than `body_size_max`: refused before it is buffered.
core::result<std::optional<backend_frame>> parse_backend_frame(core::bytes_view input, std::size_t body_size_max);

/// SQLSTATE and primary message of an ErrorResponse's body; empty where it has none.
struct backend_complaint {
  std::string sqlstate;
  std::string message;
};
backend_complaint parse_complaint(core::bytes_view body);

/// Name and value of a ParameterStatus's body.
std::optional<std::pair<std::string, std::string>> parse_parameter_status(core::bytes_view body);

}  // namespace strata::pg::wire
