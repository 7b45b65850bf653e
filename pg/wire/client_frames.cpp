#include "pg/wire/client_frames.hpp"

#include <algorithm>

namespace strata::pg::wire {
namespace {

constexpr std::uint32_t protocol_3 = 3u << 16;

void append_text(core::bytes& to, std::string_view text) {
  to.insert(to.end(), text.begin(), text.end());
  to.push_back(0);
}

}  // namespace

void append_startup(core::bytes& to, const std::vector<std::pair<std::string, std::string>>& parameters) {
  const std::size_t begin = to.size();
  core::append_be<std::uint32_t>(to, 0);
  core::append_be(to, protocol_3);
  for (const auto& [name, value] : parameters) {
    append_text(to, name);
    append_text(to, value);
  }
  to.push_back(0);
  core::store_be(to.data() + begin, static_cast<std::uint32_t>(to.size() - begin));
}

void append_query(core::bytes& to, std::string_view text) {
  to.push_back('Q');
  core::append_be(to, static_cast<std::uint32_t>(4 + text.size() + 1));
  append_text(to, text);
}

core::result<std::optional<backend_frame>> parse_backend_frame(core::bytes_view input, std::size_t body_size_max) {
  static constexpr std::string_view known = "RSKZTDCEINWGHdcAt123nsV";
  if (input.size() < 5) return std::optional<backend_frame>();
  const char tag = static_cast<char>(input[0]);
  const auto length = core::load_be<std::uint32_t>(input.data() + 1);
  if (known.find(tag) == std::string_view::npos)
    return core::error{core::errc::corrupt, "not the Postgres protocol: a message of type " + std::to_string(input[0])};
  if (length < 4 || length - 4 > body_size_max)
    return core::error{core::errc::corrupt,
                       "not the Postgres protocol: a message of " + std::to_string(length) + " bytes"};
  if (input.size() < length + std::size_t{1}) return std::optional<backend_frame>();
  return std::optional(backend_frame{tag, input.subspan(5, length - 4), length + std::size_t{1}});
}

backend_complaint parse_complaint(core::bytes_view body) {
  backend_complaint found;
  while (!body.empty() && body[0] != 0) {
    const char code = static_cast<char>(body[0]);
    const auto end = std::find(body.begin() + 1, body.end(), std::uint8_t{0});
    const std::string text(body.begin() + 1, end);
    if (code == 'C') found.sqlstate = text;
    if (code == 'M') found.message = text;
    if (end == body.end()) break;
    body = body.subspan(static_cast<std::size_t>(end - body.begin()) + 1);
  }
  return found;
}

std::optional<std::pair<std::string, std::string>> parse_parameter_status(core::bytes_view body) {
  const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
  const auto name_end = text.find('\0');
  if (name_end == std::string_view::npos) return std::nullopt;
  const auto value_end = text.find('\0', name_end + 1);
  if (value_end == std::string_view::npos) return std::nullopt;
  return std::pair(std::string(text.substr(0, name_end)),
                   std::string(text.substr(name_end + 1, value_end - name_end - 1)));
}

}  // namespace strata::pg::wire
