#include "pg/wire/frames.hpp"

#include <algorithm>

namespace strata::pg::wire {
namespace {

constexpr std::uint32_t protocol_3 = 3u << 16;
constexpr std::uint32_t ssl_request_code = 80877103;
constexpr std::uint32_t gss_request_code = 80877104;
constexpr std::uint32_t cancel_request_code = 80877102;

core::error not_this_protocol(std::string what) {
  return {core::errc::corrupt, "not the Postgres protocol: " + std::move(what)};
}

core::result<std::optional<frame>> parse_startup(core::bytes_view input) {
  if (input.size() < 8) return std::optional<frame>();
  const auto length = core::load_be<std::uint32_t>(input.data());
  const auto code = core::load_be<std::uint32_t>(input.data() + 4);
  if (length < 8 || length > startup_size_max)
    return not_this_protocol("a start-up packet of " + std::to_string(length) + " bytes");
  frame found{frame_kind::startup, {}, length};
  if (code == ssl_request_code)
    found.kind = frame_kind::ssl_request;
  else if (code == gss_request_code)
    found.kind = frame_kind::gss_request;
  else if (code == cancel_request_code)
    found.kind = frame_kind::cancel_request;
  else if (code >> 16 != protocol_3 >> 16)
    return not_this_protocol("protocol version " + std::to_string(code >> 16) + "." + std::to_string(code & 0xFFFF));
  if (input.size() < length) return std::optional<frame>();
  found.body = input.subspan(8, length - 8);
  return std::optional(found);
}

std::optional<frame_kind> kind_of(std::uint8_t tag) {
  switch (tag) {
    case 'Q': return frame_kind::query;
    case 'd': return frame_kind::copy_data;
    case 'c': return frame_kind::copy_done;
    case 'f': return frame_kind::copy_fail;
    case 'p': return frame_kind::password;
    case 'S': return frame_kind::sync;
    case 'H': return frame_kind::flush;
    case 'X': return frame_kind::terminate;
    case 'P': return frame_kind::parse;
    case 'B': return frame_kind::bind;
    case 'D': return frame_kind::describe;
    case 'E': return frame_kind::execute;
    case 'C': return frame_kind::close;
    case 'F': return frame_kind::unsupported;
    default: return std::nullopt;
  }
}

/// Writes a tag and leaves room for the length, which the destructor fills in.
class message {
 public:
  message(core::bytes& to, char tag) : to_(to) {
    to_.push_back(static_cast<std::uint8_t>(tag));
    start_ = to_.size();
    core::append_be<std::uint32_t>(to_, 0);
  }
  ~message() { core::store_be(to_.data() + start_, static_cast<std::uint32_t>(to_.size() - start_)); }
  message(const message&) = delete;
  message& operator=(const message&) = delete;

  void text(std::string_view value) {
    to_.insert(to_.end(), value.begin(), value.end());
    to_.push_back(0);
  }
  template <class T>
  void number(T value) {
    core::append_be(to_, value);
  }

 private:
  core::bytes& to_;
  std::size_t start_;
};

}  // namespace

core::result<std::optional<frame>> parse_frame(core::bytes_view input, bool started, std::size_t size_max) {
  if (!started) return parse_startup(input);
  if (input.size() < 5) return std::optional<frame>();
  const auto kind = kind_of(input[0]);
  const auto length = core::load_be<std::uint32_t>(input.data() + 1);
  if (!kind) return not_this_protocol("a message of type " + std::to_string(input[0]));
  if (length < 4 || length > size_max) return not_this_protocol("a message of " + std::to_string(length) + " bytes");
  if (input.size() < length + 1) return std::optional<frame>();
  frame found{*kind, input.subspan(5, length - 4), length + std::size_t{1}};
  if (*kind == frame_kind::query) {
    if (found.body.empty() || found.body.back() != 0) return not_this_protocol("a query without its end");
    found.body = found.body.first(found.body.size() - 1);
  }
  return std::optional(found);
}

core::result<startup_parameters> parse_startup_parameters(core::bytes_view body) {
  startup_parameters found;
  core::byte_reader reader(body);
  const auto text = [&]() -> std::optional<std::string> {
    const auto rest = reader.rest();
    const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
    if (end == rest.end()) return std::nullopt;
    std::string taken(rest.begin(), end);
    reader.skip(taken.size() + 1);
    return taken;
  };
  for (;;) {
    auto name = text();
    if (name && name->empty()) break;
    auto value = name ? text() : std::nullopt;
    if (!value) return not_this_protocol("a start-up packet whose parameters do not end");
    found.emplace_back(*std::move(name), *std::move(value));
  }
  if (!reader.finished()) return not_this_protocol("a start-up packet with bytes after its parameters");
  return found;
}

void append_authentication_ok(core::bytes& to) { message(to, 'R').number<std::uint32_t>(0); }

void append_parameter_status(core::bytes& to, std::string_view name, std::string_view value) {
  message m(to, 'S');
  m.text(name);
  m.text(value);
}

void append_ready_for_query(core::bytes& to) { message(to, 'Z').number<std::uint8_t>('I'); }

void append_error(core::bytes& to, std::string_view sqlstate, std::string_view text, bool fatal) {
  message m(to, 'E');
  const auto field = [&](char code, std::string_view value) {
    m.number(static_cast<std::uint8_t>(code));
    m.text(value);
  };
  field('S', fatal ? "FATAL" : "ERROR");
  field('V', fatal ? "FATAL" : "ERROR");
  field('C', sqlstate);
  field('M', text);
  m.number<std::uint8_t>(0);
}

void append_row_description(core::bytes& to, std::span<const std::string_view> text_columns) {
  constexpr std::uint32_t text_type = 25;
  message m(to, 'T');
  m.number(static_cast<std::uint16_t>(text_columns.size()));
  for (const std::string_view name : text_columns) {
    m.text(name);
    m.number<std::uint32_t>(0);
    m.number<std::uint16_t>(0);
    m.number(text_type);
    m.number<std::uint16_t>(0xFFFF);
    m.number<std::uint32_t>(0xFFFFFFFF);
    m.number<std::uint16_t>(0);
  }
}
void append_row_description(core::bytes& to, std::string_view text_column) {
  append_row_description(to, std::span(&text_column, 1));
}

void append_data_row(core::bytes& to, std::span<const column_value> values) {
  message m(to, 'D');
  m.number(static_cast<std::uint16_t>(values.size()));
  for (const column_value& value : values) {
    m.number(value ? static_cast<std::uint32_t>(value->size()) : 0xFFFFFFFF);
    if (value) to.insert(to.end(), value->begin(), value->end());
  }
}
void append_data_row(core::bytes& to, column_value value) { append_data_row(to, std::span(&value, 1)); }

void append_command_complete(core::bytes& to, std::string_view tag) { message(to, 'C').text(tag); }

namespace {
void append_copy_response(core::bytes& to, char tag) {
  message m(to, tag);
  m.number<std::uint8_t>(0);
  m.number<std::uint16_t>(0);
}
}  // namespace

void append_copy_both_response(core::bytes& to) { append_copy_response(to, 'W'); }
void append_copy_out_response(core::bytes& to) { append_copy_response(to, 'H'); }
void append_copy_done(core::bytes& to) { message(to, 'c'); }

void append_copy_data_header(core::bytes& to, std::size_t payload_size) {
  to.push_back('d');
  core::append_be(to, static_cast<std::uint32_t>(payload_size + 4));
}

std::string_view sqlstate_of(core::errc code) {
  switch (code) {
    case core::errc::not_found: return "42704";
    case core::errc::invalid_argument: return "22023";
    case core::errc::out_of_range: return "22003";
    case core::errc::unsupported: return "0A000";
    case core::errc::permission_denied: return "42501";
    case core::errc::conflict: return "55006";
    case core::errc::corrupt: return "XX001";
    case core::errc::disk_full: return "53100";
    case core::errc::busy: return "53300";
    case core::errc::timeout: return "57014";
    case core::errc::unavailable:
    case core::errc::would_block: return "57P03";
    case core::errc::outcome_unknown:
    case core::errc::io_error: return "58030";
  }
  return "XX000";
}

core::errc errc_of_sqlstate(std::string_view sqlstate) {
  using enum core::errc;
  for (const core::errc code : {not_found, invalid_argument, out_of_range, unsupported, permission_denied, conflict,
                                corrupt, disk_full, busy, timeout, unavailable})
    if (sqlstate == sqlstate_of(code)) return code;
  return io_error;
}

}  // namespace strata::pg::wire
