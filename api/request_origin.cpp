#include "api/request_origin.hpp"

#include <algorithm>

namespace strata::api {
namespace {

constexpr std::size_t shown_max = 100;

std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return made;
}

bool is_number(std::string_view text, std::size_t digits_max) {
  return !text.empty() && text.size() <= digits_max && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Without the port.
std::string_view name_in(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.ends_with(']')) return host;
  return is_number(host.substr(colon + 1), 5) ? host.substr(0, colon) : host;
}

}  // namespace

bool is_loopback_name(std::string_view host) {
  const std::string name = lower(host);
  if (name == "localhost" || name == "[::1]" || name == "::1") return true;
  // 127.0.0.0/8, as four numbers: 127.1.evil.example is a name.
  if (!name.starts_with("127.")) return false;
  std::string_view rest(name);
  for (int part = 0; part < 4; ++part) {
    const auto dot = std::min(rest.find('.'), rest.size());
    if (!is_number(rest.substr(0, dot), 3) || (dot == rest.size()) != (part == 3)) return false;
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return true;
}

std::optional<std::string> foreign_origin(const request_head& head, bool on_loopback) {
  if (head.hosts > 1) return "the request has more than one Host";
  if (on_loopback && head.hosts == 1 && !is_loopback_name(name_in(head.host)))
    return "the request is for the host " + std::string(head.host.substr(0, shown_max)) +
           ", and this server is on loopback";
  if (head.is_cross_site) return "the request comes from a page of another site";
  if (head.has_origin && lower(head.origin) != "http://" + lower(head.host))
    return "the request comes from a page of " + std::string(head.origin.substr(0, shown_max));
  return std::nullopt;
}

}  // namespace strata::api
