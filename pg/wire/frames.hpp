#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::pg::wire {

/// The server's side of the Postgres frontend/backend protocol 3.0 (Postgres manual, "Message Formats"), as far as
/// the page service and the WAL service use it: start-up, queries, COPY in both directions. Pure functions
/// over bytes.

enum class frame_kind : std::uint8_t {
  ssl_request,     ///< answer with one byte 'N'
  gss_request,     ///< likewise
  cancel_request,  ///< close the connection
  startup,
  query,      ///< body: the text without its closing NUL
  copy_data,  ///< body: the payload
  copy_done,
  copy_fail,
  password,
  parse,  ///< this and the next four: extended_query.hpp
  bind,
  describe,
  execute,
  close,
  sync,
  flush,
  terminate,
  unsupported,  ///< a known frontend message that is not supported here; body unchanged
};

struct frame {
  frame_kind kind{};
  core::bytes_view body;
  std::size_t size = 0;  ///< bytes of input consumed, header included
};

/// Longest frames accepted from a client; a longer one is refused before it is buffered.
inline constexpr std::size_t startup_size_max = 10'000;
inline constexpr std::size_t frame_size_max = 64u << 10;

/// The first frame of `input`, nullopt when it is not complete yet. errc::corrupt for bytes that are not this protocol:
/// the connection cannot continue. `started`: the start-up packet, which has no tag byte, was received. `size_max`: of
/// the frame without its tag.
core::result<std::optional<frame>> parse_frame(core::bytes_view input, bool started,
                                               std::size_t size_max = frame_size_max);

/// Names and values of a start-up packet's body, in their order. errc::corrupt.
using startup_parameters = std::vector<std::pair<std::string, std::string>>;
core::result<startup_parameters> parse_startup_parameters(core::bytes_view body);

/// Backend messages, appended to `to`.
void append_authentication_ok(core::bytes& to);
void append_parameter_status(core::bytes& to, std::string_view name, std::string_view value);
void append_ready_for_query(core::bytes& to);
void append_error(core::bytes& to, std::string_view sqlstate, std::string_view message, bool fatal = false);
void append_row_description(core::bytes& to, std::span<const std::string_view> text_columns);
void append_row_description(core::bytes& to, std::string_view text_column);
using column_value = std::optional<std::string_view>;
void append_data_row(core::bytes& to, std::span<const column_value> values);
void append_data_row(core::bytes& to, column_value value);
void append_command_complete(core::bytes& to, std::string_view tag);
void append_copy_both_response(core::bytes& to);
void append_copy_out_response(core::bytes& to);
void append_copy_done(core::bytes& to);
/// The header of a CopyData message whose payload, `payload_size` bytes, the caller appends.
void append_copy_data_header(core::bytes& to, std::size_t payload_size);

/// SQLSTATE for an error of ours.
std::string_view sqlstate_of(core::errc code);
/// The other way, at the client; errc::io_error for one that is none of ours.
core::errc errc_of_sqlstate(std::string_view sqlstate);

}  // namespace strata::pg::wire
