#include "host/forced_settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

namespace strata::host {
namespace {

/// Logical replication outside of the core, and jobs that may do anything.
constexpr std::array armed_libraries{"pglogical", "spock", "bdr", "pg_cron"};

/// Where a compute's files are: Postgres would serve another cluster, or start by rules that nobody wrote for it.
constexpr std::array own_files{"data_directory", "hba_file", "ident_file", "external_pid_file", "config_file"};

bool blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string lower(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(), [](unsigned char c) { return std::tolower(c); });
  return made;
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// What a backslash and the characters from `at` on stand for; moves `at` behind them (DeescapeQuotedString of
/// Postgres).
char escaped_in(std::string_view text, std::size_t& at) {
  constexpr std::string_view letters = "bfnrt", meanings = "\b\f\n\r\t";
  if (text[at] < '0' || text[at] > '7') {
    const auto found = letters.find(text[at]);
    return found == std::string_view::npos ? text[at++] : (++at, meanings[found]);
  }
  constexpr std::size_t digits_max = 3;
  int code = 0;
  for (std::size_t digits = 0; digits < digits_max && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++digits)
    code = code * 8 + (text[at++] - '0');
  return static_cast<char>(code);
}

bool in_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (static_cast<unsigned char>(c) & 0x80) != 0 ||
         std::string_view("_.$").find(c) != std::string_view::npos;
}

/// A value in quotes, with '' for a quote and the escapes of C, or up to a comment.
std::string value_in(std::string_view text) {
  if (text.empty() || text.front() != '\'') return std::string(without_blanks(text.substr(0, text.find('#'))));
  std::string value;
  for (std::size_t at = 1; at < text.size();) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      value += escaped_in(text, ++at);
    } else if (text[at] == '\'') {
      if (at + 1 == text.size() || text[at + 1] != '\'') break;
      value += '\'';
      at += 2;
    } else {
      value += text[at++];
    }
  }
  return value;
}

/// Whether a value begins with a quote that nothing closes.
bool is_open(std::string_view text) {
  if (text.empty() || text.front() != '\'') return false;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '\'' && at + 1 < text.size() && text[at + 1] == '\'')
      ++at;
    else if (text[at] == '\'')
      return false;
  }
  return true;
}

/// Whether two values of a setting mean the same, as far as that can be told without its type.
bool means_the_same(const std::string& a, const std::string& b) {
  static const std::map<std::string, std::string> words{{"true", "on"},   {"yes", "on"}, {"1", "on"},
                                                        {"false", "off"}, {"no", "off"}, {"0", "off"}};
  const auto plain = [](const std::string& text) {
    const auto found = words.find(lower(text));
    return found == words.end() ? lower(text) : found->second;
  };
  return plain(a) == plain(b);
}

std::map<std::string, std::string> by_name(const std::vector<std::string>& lines) {
  std::map<std::string, std::string> made;
  for (const auto& line : lines)
    if (auto found = parse_setting(line)) made.insert_or_assign(std::move(found->name), std::move(found->value));
  return made;
}

}  // namespace

std::vector<std::string> unarmed_settings() { return {"max_logical_replication_workers=0"}; }

std::optional<setting> parse_setting(std::string_view line) {
  line = without_blanks(line);
  std::size_t end = 0;
  while (end < line.size() && in_name(line[end])) ++end;
  if (end == 0) return std::nullopt;
  std::string_view rest = without_blanks(line.substr(end));
  if (!rest.empty() && rest.front() == '=') rest = without_blanks(rest.substr(1));
  return setting{lower(line.substr(0, end)), value_in(rest)};
}

bool includes_files(std::string_view line) {
  const auto found = parse_setting(line);
  return found && (found->name == "include" || found->name == "include_dir" || found->name == "include_if_exists");
}

core::result<void> check_setting(std::string_view line) {
  const auto refused = [](std::string why) { return core::error{core::errc::invalid_argument, std::move(why)}; };
  if (line.find_first_of("\r\n") != std::string_view::npos)
    return refused("it is more than one line; repeat --set instead");
  const auto found = parse_setting(line);
  const auto equals = line.find('=');
  if (!found || equals == std::string_view::npos) return refused("it is not NAME = VALUE");
  const std::string_view name = without_blanks(line.substr(0, equals));
  for (const char c : name)
    if (!in_name(c) || (static_cast<unsigned char>(c) & 0x80) != 0)
      return refused("\"" + std::string(name) + "\" is not the name of a setting");
  const std::string_view value = without_blanks(line.substr(equals + 1));
  if (value.empty() || value.front() == '#') return refused("it has no value; an empty one is written ''");
  if (is_open(value)) return refused("the quote of its value is not closed");
  if (includes_files(line)) return refused(found->name + " can't be set: it brings settings of another file");
  if (std::find(own_files.begin(), own_files.end(), found->name) != own_files.end())
    return refused(found->name + " can't be set: Strata chooses the location of a compute's files");
  return {};
}

std::vector<std::string> libraries_in(std::string_view value) {
  std::vector<std::string> found;
  while (!value.empty()) {
    const auto comma = std::min(value.find(','), value.size());
    std::string library(without_blanks(value.substr(0, comma)));
    std::erase(library, '"');
    if (!library.empty()) found.push_back(std::move(library));
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return found;
}

std::optional<std::string> armed_library(std::string_view name) {
  std::string library = lower(name);
  // "$libdir/pg_cron.so" is the same.
  library.erase(0, library.rfind('/') + 1);
  if (library.ends_with(".so")) library.resize(library.size() - 3);
  if (std::find(armed_libraries.begin(), armed_libraries.end(), library) == armed_libraries.end()) return std::nullopt;
  return library;
}

std::optional<std::string> armed_library_in(std::string_view line) {
  const auto found = parse_setting(line);
  if (!found || found->name != "shared_preload_libraries") return std::nullopt;
  for (const std::string& each : libraries_in(found->value))
    if (auto library = armed_library(each)) return library;
  return std::nullopt;
}

bool asks_for_io_uring(std::string_view line) {
  const auto found = parse_setting(line);
  return found && found->name == "io_method" && lower(found->value) == "io_uring";
}

std::vector<overruled_setting> overruled(const std::vector<std::string>& lines, const std::vector<std::string>& forced,
                                         const std::vector<std::string>& overriding) {
  auto strongest = by_name(overriding);
  for (auto& [name, value] : by_name(forced)) strongest.insert_or_assign(name, value);
  std::vector<overruled_setting> found;
  for (const auto& line : lines) {
    const auto asked = parse_setting(line);
    const auto by = asked ? strongest.find(asked->name) : strongest.end();
    if (by == strongest.end() || means_the_same(asked->value, by->second)) continue;
    found.push_back({line, by->first + "=" + by->second});
  }
  return found;
}

std::vector<std::string> read_only_settings() {
  return {
      // A session can switch it off: what it writes then goes with the compute.
      "default_transaction_read_only=on",
      "autovacuum=off",
      "restart_after_crash=off",
      "fsync=off",
      "full_page_writes=off",
      "archive_mode=off",
      "logging_collector=off",
  };
}

}  // namespace strata::host
