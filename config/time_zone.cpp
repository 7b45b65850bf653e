#include "config/time_zone.hpp"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "config/suggest.hpp"

namespace strata::config {
namespace {

using namespace std::chrono;

std::string lower(std::string_view text) {
  std::string made;
  for (const char c : text) made += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return made;
}

/// "CET-1CEST,M3.5.0,M10.5.0/3": a name of three letters or more, or one in <>, and an offset.
bool is_posix_rule(std::string_view text) {
  std::size_t name = 0;
  if (text.starts_with('<')) {
    name = text.find('>');
    if (name == std::string_view::npos) return false;
    ++name;
  } else {
    while (name < text.size() && std::isalpha(static_cast<unsigned char>(text[name])) != 0) ++name;
    if (name < 3) return false;
  }
  if (name < text.size() && (text[name] == '+' || text[name] == '-')) ++name;
  return name < text.size() && std::isdigit(static_cast<unsigned char>(text[name])) != 0;
}

/// For the C library a TZ that names nothing is UTC, without a word.
bool names_a_zone(std::string_view text) {
  if (text.starts_with(':')) text.remove_prefix(1);
  if (text.empty() || is_posix_rule(text)) return true;
  const char* folder = std::getenv("TZDIR");
  std::error_code hidden;
  const auto file = std::filesystem::path(folder == nullptr ? "/usr/share/zoneinfo" : folder) / text;
  // On a machine without zone files the C library still knows these.
  return text == "UTC" || text == "GMT" || std::filesystem::is_regular_file(file, hidden);
}

/// The offset that an abbreviation stands for in a zone within a year.
std::optional<zone_offset> offset_called(const time_zone& zone, std::string_view abbreviation, local_seconds near) {
  const sys_seconds middle(near.time_since_epoch());
  for (days away(0); away <= days(366); away += days(7))
    for (const auto& at : {zone(middle - away), zone(middle + away)})
      if (at.abbreviation == abbreviation) return at;
  return std::nullopt;
}

const date::time_zone* find_zone(std::string_view name) {
  const std::string wanted = lower(name);
  for (const auto& each : date::get_tzdb().zones)
    if (lower(each.name()) == wanted) return &each;
  return nullptr;
}

core::error unknown(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& each : date::get_tzdb().zones) names.push_back(each.name());
  const std::vector<std::string_view> views(names.begin(), names.end());
  return {core::errc::invalid_argument, "no time zone is called \"" + std::string(name.substr(0, 64)) + "\"" +
                                            did_you_mean(name, views) + "; write Europe/Berlin, UTC or +01:00"};
}

}  // namespace

time_zone fixed_zone(seconds east) {
  return [east](sys_seconds) { return zone_offset{east, east == seconds(0) ? "UTC" : offset_text(east)}; };
}

core::result<time_zone> local_zone() {
  if (const char* chosen = std::getenv("TZ"); chosen != nullptr && !names_a_zone(chosen))
    return core::error{core::errc::invalid_argument,
                       "TZ is \"" + std::string(chosen).substr(0, 64) + "\", which is not a time zone of this machine"};
  return time_zone([](sys_seconds at) {
    const std::time_t whole = at.time_since_epoch().count();
    std::tm parts{};
    ::localtime_r(&whole, &parts);
    return zone_offset{seconds(parts.tm_gmtoff), parts.tm_zone};
  });
}

core::result<time_zone> named_zone(std::string_view name, const time_zone& local, local_seconds near) {
  if (const auto found = offset_called(local, name, near)) return fixed_zone(found->east);
  if (const std::string small = lower(name); small == "utc" || small == "gmt" || small == "z")
    return fixed_zone(seconds(0));
  try {
    const date::time_zone* found = find_zone(name);
    if (found == nullptr) return unknown(name);
    const time_zone zone = [found](sys_seconds at) {
      const auto info = found->get_info(date::sys_seconds(at.time_since_epoch()));
      return zone_offset{info.offset, info.abbrev};
    };
    if (const auto own = offset_called(zone, name, near)) return fixed_zone(own->east);
    return zone;
  } catch (const std::exception& e) {
    return core::error{core::errc::invalid_argument, "can't look up the time zone \"" +
                                                         std::string(name.substr(0, 64)) + "\": " + e.what() +
                                                         "; install tzdata, or write +01:00"};
  }
}

std::vector<sys_seconds> moments_of(const time_zone& zone, local_seconds shown) {
  // An offset is at most fifteen hours, and a zone rarely changes twice in a day.
  std::vector<seconds> offsets;
  const sys_seconds middle(shown.time_since_epoch());
  for (hours away(-26); away <= hours(26); ++away) {
    const seconds east = zone(middle + away).east;
    if (std::find(offsets.begin(), offsets.end(), east) == offsets.end()) offsets.push_back(east);
  }
  std::vector<sys_seconds> found;
  for (const seconds east : offsets)
    if (zone(middle - east).east == east) found.push_back(middle - east);
  std::sort(found.begin(), found.end());
  return found;
}

std::string offset_text(seconds east) {
  const auto minutes_east = duration_cast<minutes>(abs(east)).count();
  std::array<char, 16> text{};
  if (minutes_east % 60 == 0)
    std::snprintf(text.data(), text.size(), "%c%02d", east < seconds(0) ? '-' : '+',
                  static_cast<int>(minutes_east / 60));
  else
    std::snprintf(text.data(), text.size(), "%c%02d:%02d", east < seconds(0) ? '-' : '+',
                  static_cast<int>(minutes_east / 60), static_cast<int>(minutes_east % 60));
  return text.data();
}

}  // namespace strata::config
