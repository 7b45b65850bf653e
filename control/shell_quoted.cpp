#include "control/shell_quoted.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace strata::control {

std::string shell_quoted(const std::string& text) {
  constexpr std::string_view plain = "-_./:@%+=,";
  const bool as_it_is = !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || plain.find(c) != std::string_view::npos;
  });
  if (as_it_is) return text;
  std::string made = "'";
  for (const char c : text) made += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return made + "'";
}

}  // namespace strata::control
