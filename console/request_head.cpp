#include "console/request_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace strata::console {
namespace {

bool same(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  text.remove_prefix(begin);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

/// Cuts the first line off, without its end. nullopt: it has none.
std::optional<std::string_view> take_line(std::string_view& input) {
  const auto end = input.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = input.substr(0, end);
  input.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void read_request_line(std::string_view line, request_head& to) {
  const auto method_end = line.find(' ');
  const auto target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end == method_end) return;
  if (!line.substr(target_end + 1).starts_with("HTTP/1.")) return;
  to.method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  to.path = target.substr(0, std::min(target.find_first_of("?#"), target.size()));
}

void read_header(std::string_view line, request_head& to, bool& has_length) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same(name, "transfer-encoding")) to.body_unknown = true;
  if (same(name, "expect")) to.wants_continue = same(value, "100-continue");
  if (!same(name, "content-length")) return;
  const char* const end = value.data() + value.size();
  const auto [stopped, failure] = std::from_chars(value.data(), end, to.body_size);
  if (has_length || failure != std::errc() || stopped != end) to.body_unknown = true;
  has_length = true;
}

}  // namespace

std::optional<request_head> find_head(std::string_view input) {
  request_head head;
  std::string_view rest = input;
  const auto first = take_line(rest);
  if (!first) return std::nullopt;
  read_request_line(*first, head);
  bool has_length = false;
  for (;;) {
    const auto line = take_line(rest);
    if (!line) return std::nullopt;
    if (line->empty()) break;
    read_header(*line, head, has_length);
  }
  head.size = input.size() - rest.size();
  if (head.body_unknown) head.body_size = 0;
  return head;
}

lane lane_of(std::string_view method, std::string_view path) {
  if (path == "/livez") return lane::liveness;
  constexpr std::array<std::string_view, 6> process{"/v1/status", "/metrics",  "/readyz",
                                                    "/v1/actors", "/v1/pools", "/openapi.json"};
  if (std::ranges::find(process, path) != process.end()) return lane::process;
  if (path.ends_with("/export")) return lane::export_start;
  if (method == "GET" || method == "HEAD") return path.ends_with("/digest") ? lane::long_work : lane::queries;
  constexpr std::array<std::string_view, 6> slow{"/v1/source", "/checkpoint",       "/compact",
                                                 "/do_gc",     "/v1/pull_timeline", "/point"};
  const bool is_slow = std::ranges::any_of(slow, [&](std::string_view each) { return path.ends_with(each); });
  return is_slow ? lane::long_work : lane::changes;
}

}  // namespace strata::console
