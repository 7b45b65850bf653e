#include "pg/client/standby_names.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace strata::pg::client {
namespace {

constexpr const char* blanks = " \t\n\r\f\v";

bool ends_name(char c) { return c == ',' || c == '(' || c == ')' || std::isspace(static_cast<unsigned char>(c)) != 0; }

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

bool names_standby(std::string_view synchronous_standby_names, std::string_view application_name) {
  const std::string_view text = synchronous_standby_names;
  for (std::size_t at = 0; at < text.size();) {
    if (ends_name(text[at])) {
      ++at;
      continue;
    }
    std::string name;
    const bool quoted = text[at] == '"';
    if (quoted) {
      // A quote within is doubled.
      for (++at; at < text.size(); ++at) {
        if (text[at] == '"' && (++at == text.size() || text[at] != '"')) break;
        name += text[at];
      }
    } else {
      while (at < text.size() && !ends_name(text[at])) name += text[at++];
      // FIRST and ANY are words of the list only before their number.
      const auto after = text.find_first_not_of(blanks, at);
      const bool counts = after != std::string_view::npos && std::isdigit(static_cast<unsigned char>(text[after])) != 0;
      if (counts && (same_name(name, "first") || same_name(name, "any"))) continue;
      const auto next = text.find_first_not_of(blanks, at);
      if (next != std::string_view::npos && text[next] == '(') continue;  // the number itself
    }
    // Postgres compares the name itself: a star in quotes is one, too.
    if (name == "*" || same_name(name, application_name)) return true;
  }
  return false;
}

}  // namespace strata::pg::client
