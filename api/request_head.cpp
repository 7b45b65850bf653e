#include "api/request_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/url.hpp"

namespace strata::api {
namespace {

constexpr std::string_view tenant_prefix = "/v1/tenant/";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

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
  const std::string_view version = line.substr(target_end + 1);
  if (version != "HTTP/1.0" && version != "HTTP/1.1") return;
  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (target.empty() || target.find(' ') != std::string_view::npos) return;
  to.method = line.substr(0, method_end);
  to.closes = version == "HTTP/1.0";
  target = target.substr(0, target.find('#'));
  const auto path_end = std::min(target.find('?'), target.size());
  to.path = target.substr(0, path_end);
  to.query = target.substr(std::min(path_end + 1, target.size()));
}

void read_header(std::string_view line, request_head& to, bool& has_length) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same(name, "transfer-encoding")) to.has_transfer_encoding = to.body_unknown = true;
  if (same(name, "content-encoding")) to.has_content_encoding = true;
  if (same(name, "connection") && same(value, "close")) to.closes = true;
  if (same(name, "connection") && same(value, "keep-alive")) to.closes = false;
  if (same(name, "host")) {
    to.host = value;
    ++to.hosts;
  }
  if (same(name, "origin")) {
    to.origin = value;
    to.has_origin = true;
  }
  if (same(name, "sec-fetch-site") && (same(value, "cross-site") || same(value, "same-site"))) to.is_cross_site = true;
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
  constexpr std::array<std::string_view, 8> process{"/v1/status", "/metrics",      "/readyz", "/v1/actors",
                                                    "/v1/pools",  "/openapi.json", "/status", "/metrics.json"};
  if (std::ranges::find(process, path) != process.end()) return lane::process;
  if (path.ends_with("/export")) return lane::export_start;
  if (method == "GET" || method == "HEAD") return path.ends_with("/digest") ? lane::long_work : lane::queries;
  constexpr std::array<std::string_view, 5> slow{"/v1/source", "/checkpoint", "/compact", "/do_gc",
                                                 "/v1/pull_timeline"};
  const bool is_slow = std::ranges::any_of(slow, [&](std::string_view each) { return path.ends_with(each); });
  // Its source is told to drop the slot, wherever that is.
  const bool removes_tenant = method == "DELETE" && path.starts_with(tenant_prefix) &&
                              path.substr(tenant_prefix.size()).find('/') == std::string_view::npos;
  return is_slow || removes_tenant ? lane::long_work : lane::changes;
}

std::string group_of(lane in, std::string_view path, std::string_view body) {
  if (in == lane::liveness || in == lane::process) return {};
  constexpr std::size_t id_size = 32;
  const auto id_at = [](std::string_view text) {
    std::string id(text.substr(0, id_size));
    for (char& c : id) c = lower(c);
    const bool is_id = id.size() == id_size && id.find_first_not_of("0123456789abcdef") == std::string::npos;
    return is_id ? id : std::string();
  };
  if (path.starts_with(tenant_prefix))
    if (auto id = id_at(path.substr(tenant_prefix.size())); !id.empty()) return id;
  // Not parsed, for whose turn it is must be known at once; who writes it in another way gets the share of the path.
  constexpr std::string_view member = "\"tenant_id\"";
  if (const auto at = body.find(member); at != std::string_view::npos) {
    const auto value = body.find_first_not_of(" \t\r\n:\"", at + member.size());
    if (value != std::string_view::npos)
      if (auto id = id_at(body.substr(value)); !id.empty()) return id;
  }
  return std::string(path);
}

std::map<std::string, std::string> query_members(std::string_view query) {
  std::map<std::string, std::string> members;
  while (!query.empty()) {
    const std::string_view each = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(each.size() + 1, query.size()));
    const auto name_end = std::min(each.find('='), each.size());
    if (each.empty()) continue;
    members.emplace(core::url_decoded(each.substr(0, name_end), true),
                    core::url_decoded(each.substr(std::min(name_end + 1, each.size())), true));
  }
  return members;
}

}  // namespace strata::api
