#include <charconv>

#include "pg/files/data_directory.hpp"

namespace strata::pg::files {
namespace {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

core::error corrupt(std::string what) { return {core::errc::corrupt, "read backup_label: " + std::move(what)}; }

/// "0/2000028 (file 000000010000000000000002)"
core::result<void> parse_start(std::string_view value, backup_label& into) {
  const std::size_t blank = std::min(value.find(' '), value.size());
  STRATA_ASSIGN(into.start, core::parse_lsn(value.substr(0, blank)));
  const std::size_t file = value.find("(file ");
  if (file == std::string_view::npos || !value.ends_with(')')) return corrupt("START WAL LOCATION without file name");
  into.start_segment = value.substr(file + 6, value.size() - file - 7);
  return {};
}

core::result<void> parse_field(std::string_view key, std::string_view value, backup_label& into) {
  if (key == "START WAL LOCATION") return parse_start(value, into);
  if (key == "CHECKPOINT LOCATION") {
    STRATA_ASSIGN(into.checkpoint, core::parse_lsn(value));
  } else if (key == "START TIMELINE") {
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), into.timeline);
    if (failure != std::errc{} || end != value.data() + value.size()) return corrupt("START TIMELINE is not a number");
  } else if (key == "LABEL") {
    into.label = value;
  } else if (key == "BACKUP FROM") {
    into.from_standby = value == "standby";
  }
  return {};
}

}  // namespace

core::result<backup_label> parse_backup_label(std::string_view text) {
  backup_label into;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    if (auto parsed = parse_field(line.substr(0, colon), line.substr(colon + 2), into); !parsed)
      return corrupt(parsed.error().detail);
  }
  if (!into.start.valid()) return corrupt("no START WAL LOCATION");
  if (!into.checkpoint.valid()) return corrupt("no CHECKPOINT LOCATION");
  return into;
}

core::result<std::vector<tablespace_link>> parse_tablespace_map(std::string_view text) {
  const auto corrupt_map = [] {
    return core::error{core::errc::corrupt, "read tablespace_map: a line is not \"oid path\""};
  };
  std::vector<tablespace_link> links;
  // A backslash escapes a line end or another backslash inside a path.
  std::string line;
  const auto take = [&]() -> core::result<void> {
    const std::size_t blank = line.find(' ');
    tablespace_link link;
    const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), link.tablespace);
    if (failure != std::errc{} || blank == std::string::npos || end != line.data() + blank || blank + 1 == line.size())
      return corrupt_map();
    link.target = line.substr(blank + 1);
    links.push_back(std::move(link));
    line.clear();
    return {};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      line += text[++i];
    } else if (text[i] == '\n') {
      STRATA_TRY(take());
    } else if (text[i] != '\r') {
      line += text[i];
    }
  }
  if (!line.empty()) STRATA_TRY(take());
  return links;
}

}  // namespace strata::pg::files
