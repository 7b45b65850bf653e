#include "control/recover_table_name.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include "pg/client/sql_connection.hpp"

namespace strata::control {
namespace {

/// Bytes of a name in Postgres, NAMEDATALEN less one.
constexpr std::size_t name_bytes_max = 63;

core::error refused_name(std::string_view text, const std::string& why) {
  return {core::errc::invalid_argument, "table \"" + std::string(text) + "\": " + why};
}

/// One part, from `at` to the dot, the '@' or the end behind it.
core::result<std::string> read_part(std::string_view text, std::size_t& at) {
  std::string part;
  const bool quoted = at < text.size() && text[at] == '"';
  if (quoted) {
    for (++at;; ++at) {
      if (at >= text.size()) return refused_name(text, "a double quote is not closed");
      if (text[at] == '"' && (++at == text.size() || text[at] != '"')) break;
      part += text[at];
    }
    if (at < text.size() && text[at] != '.' && text[at] != '@')
      return refused_name(text, "a dot, an '@' or nothing may follow a quoted name");
  } else {
    for (; at < text.size() && text[at] != '.' && text[at] != '@'; ++at) {
      if (text[at] == '"') return refused_name(text, "a double quote may only enclose a whole name");
      part += static_cast<char>(std::tolower(static_cast<unsigned char>(text[at])));
    }
  }
  if (part.empty()) return refused_name(text, "a name is empty");
  if (part.size() > name_bytes_max)
    return refused_name(text, "a name has at most " + std::to_string(name_bytes_max) + " bytes");
  if (part.find('\0') != std::string::npos) return refused_name(text, "a name contains a zero byte");
  return part;
}

/// The name, and where it ends: at an '@', or at the end of the text.
core::result<std::pair<table_name, std::size_t>> read_name(std::string_view text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  for (;;) {
    STRATA_ASSIGN(auto part, read_part(text, at));
    parts.push_back(std::move(part));
    if (at >= text.size() || text[at] == '@') break;
    ++at;
  }
  if (parts.size() > 3)
    return refused_name(text, "it has more parts than DB.SCHEMA.TABLE; quote a name that contains a dot");
  table_name found;
  found.table = parts.back();
  if (parts.size() > 1) found.schema = parts[parts.size() - 2];
  if (parts.size() > 2) found.database = parts.front();
  return std::pair(found, at);
}

std::string shown_name(const std::string& name) {
  const bool is_plain = !name.empty() && (std::isdigit(static_cast<unsigned char>(name.front())) == 0) &&
                        std::all_of(name.begin(), name.end(), [](unsigned char each) {
                          return (std::isalnum(each) != 0 && std::isupper(each) == 0) || each == '_' || each >= 0x80;
                        });
  return is_plain ? name : pg::client::quoted_name(name);
}

}  // namespace

core::result<table_name> parse_table_name(std::string_view text) {
  STRATA_ASSIGN(const auto found, read_name(text));
  if (found.second != text.size()) return refused_name(text, "it names no time");
  return found.first;
}

core::result<past_table_name> parse_past_table_name(std::string_view text) {
  STRATA_ASSIGN(const auto found, read_name(text));
  if (found.second == text.size()) return refused_name(text, "the time is missing: SCHEMA.TABLE@WHEN");
  std::string when(text.substr(found.second + 1));
  if (when.empty()) return refused_name(text, "the time after '@' is missing");
  return past_table_name{found.first, std::move(when)};
}

std::string to_string(const table_name& of) {
  return (of.schema.empty() ? "" : shown_name(of.schema) + ".") + shown_name(of.table);
}

}  // namespace strata::control
