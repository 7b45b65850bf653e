#include "config/time_text.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>

#include "config/quantity.hpp"

namespace strata::config {
namespace {

using namespace std::chrono;

/// Takes fixed-width numbers and single characters from the front of a text.
class scanner {
 public:
  explicit scanner(std::string_view text) : rest_(text) {}

  std::optional<int> digits(std::size_t least, std::size_t most) {
    std::size_t count = 0;
    int value = 0;
    while (count < most && count < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[count])) != 0)
      value = value * 10 + (rest_[count++] - '0');
    if (count < least) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  void blanks() {
    while (take(' ')) continue;
  }

 private:
  std::string_view rest_;
};

struct day_time {
  int hour = 0, minute = 0, second = 0;
  microseconds fraction{0};
};

/// HH:MM[:SS[.fraction]]
std::optional<day_time> scan_day_time(scanner& from) {
  day_time found;
  const auto hour = from.digits(1, 2);
  if (!hour || !from.take(':')) return std::nullopt;
  const auto minute = from.digits(2, 2);
  if (!minute) return std::nullopt;
  found.hour = *hour;
  found.minute = *minute;
  if (from.take(':')) {
    const auto second = from.digits(2, 2);
    if (!second) return std::nullopt;
    found.second = *second;
    if (from.take('.') || from.take(',')) {
      int unit = 100000;
      if (std::isdigit(static_cast<unsigned char>(from.peek())) == 0) return std::nullopt;
      while (const auto digit = from.digits(1, 1)) {
        found.fraction += microseconds(*digit * unit);
        unit /= 10;
      }
    }
  }
  if (found.hour > 23 || found.minute > 59 || found.second > 60) return std::nullopt;
  return found;
}

/// Z, +HH, +HH:MM, +HHMM; nullopt inside: no zone; nullopt outside: malformed.
std::optional<std::optional<minutes>> scan_zone(scanner& from) {
  from.blanks();
  if (from.at_end()) return std::optional<minutes>();
  if (from.take('Z') || from.take('z')) return std::optional<minutes>(0);
  const bool west = from.peek() == '-';
  if (!from.take('+') && !from.take('-')) return std::nullopt;
  const auto hour = from.digits(2, 2);
  if (!hour || *hour > 15) return std::nullopt;
  int minute = 0;
  if (from.take(':') || !from.at_end()) {
    const auto given = from.digits(2, 2);
    if (!given || *given > 59) return std::nullopt;
    minute = *given;
  }
  const minutes east(*hour * 60 + minute);
  return std::optional<minutes>(west ? -east : east);
}

core::wall_time in_utc(year_month_day date, const day_time& time) {
  return core::wall_time(sys_days(date).time_since_epoch() + hours(time.hour) + minutes(time.minute) +
                         seconds(time.second) + time.fraction);
}

core::wall_time in_local(year_month_day date, const day_time& time) {
  std::tm parts{};
  parts.tm_year = static_cast<int>(date.year()) - 1900;
  parts.tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  parts.tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
  parts.tm_hour = time.hour;
  parts.tm_min = time.minute;
  parts.tm_sec = time.second;
  parts.tm_isdst = -1;
  return core::wall_time(seconds(std::mktime(&parts)) + time.fraction);
}

std::tm local_parts(core::wall_time time) {
  const std::time_t whole = floor<seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  ::localtime_r(&whole, &parts);
  return parts;
}

year_month_day local_date(core::wall_time time) {
  const std::tm parts = local_parts(time);
  return {year(parts.tm_year + 1900), month(static_cast<unsigned>(parts.tm_mon + 1)),
          day(static_cast<unsigned>(parts.tm_mday))};
}

std::optional<core::wall_time> scan_iso(std::string_view text, default_zone zone) {
  scanner from(text);
  const auto year_number = from.digits(4, 4);
  if (!year_number || !from.take('-')) return std::nullopt;
  const auto month_number = from.digits(2, 2);
  if (!month_number || !from.take('-')) return std::nullopt;
  const auto day_number = from.digits(2, 2);
  if (!day_number) return std::nullopt;
  const year_month_day date{year(*year_number), month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number))};
  if (!date.ok()) return std::nullopt;
  day_time time;
  if (!from.at_end()) {
    if (!from.take('T') && !from.take('t') && !from.take(' ')) return std::nullopt;
    const auto found = scan_day_time(from);
    if (!found) return std::nullopt;
    time = *found;
  }
  const auto offset = scan_zone(from);
  if (!offset || !from.at_end()) return std::nullopt;
  if (offset->has_value()) return in_utc(date, time) - **offset;
  return zone == default_zone::utc ? in_utc(date, time) : in_local(date, time);
}

/// "14:06" of a local day.
std::optional<core::wall_time> scan_time_of(year_month_day date, std::string_view text) {
  scanner from(text);
  from.blanks();
  const auto time = scan_day_time(from);
  if (!time || !from.at_end()) return std::nullopt;
  return in_local(date, *time);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<core::wall_time> scan_relative(std::string_view text, core::wall_time now) {
  if (text == "now") return now;
  const auto today = local_date(now);
  if (text.starts_with("today ")) return scan_time_of(today, text.substr(6));
  if (text.starts_with("yesterday ")) {
    // Noon, so that a day of 23 or 25 hours doesn't matter.
    const auto noon = in_local(today, {.hour = 12});
    return scan_time_of(local_date(noon - hours(24)), text.substr(10));
  }
  if (const auto at = scan_time_of(today, text)) return at;
  if (text.ends_with(" ago")) text = trimmed(text.substr(0, text.size() - 4));
  // A bare number is more likely a mistyped something than milliseconds.
  if (text.find_first_not_of("0123456789 ") == std::string_view::npos) return std::nullopt;
  const auto back = parse_duration(text);
  if (!back) return std::nullopt;
  return now - *back;
}

}  // namespace

core::result<core::wall_time> parse_iso_time(std::string_view text, default_zone zone) {
  if (const auto found = scan_iso(trimmed(text), zone)) return *found;
  return core::error{core::errc::invalid_argument, "\"" + std::string(text.substr(0, 64)) +
                                                       "\" is not a time; write it as 2026-11-22T14:06:41Z or "
                                                       "\"2026-11-22 14:06:41+01\""};
}

core::result<core::wall_time> parse_moment(std::string_view text, core::wall_time now) {
  const std::string_view words = trimmed(text);
  if (const auto found = scan_iso(words, default_zone::local)) return *found;
  if (const auto found = scan_relative(words, now)) return *found;
  return core::error{core::errc::invalid_argument,
                     "\"" + std::string(text.substr(0, 64)) +
                         "\" is neither a time nor an LSN; write a time as \"2026-11-22 14:06:41\" (local, or with a "
                         "zone), \"10m\", \"2 hours ago\" or \"yesterday 14:00\", an LSN as 0/3B21F08"};
}

std::string utc_text(core::wall_time time) {
  const auto date_time = floor<days>(time);
  const year_month_day date(date_time);
  const hh_mm_ss<microseconds> parts(time - date_time);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(parts.hours().count()), static_cast<int>(parts.minutes().count()),
                static_cast<int>(parts.seconds().count()), static_cast<int>(parts.subseconds().count()));
  return text.data();
}

std::string local_text(core::wall_time time) {
  const std::tm parts = local_parts(time);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z", &parts);
  return text.data();
}

std::string age_text(core::wall_time time, core::wall_time now) {
  const auto distance = duration_cast<seconds>(now > time ? now - time : time - now);
  if (distance < seconds(1)) return "now";
  std::string amount;
  if (distance < minutes(2))
    amount = std::to_string(distance.count()) + " s";
  else if (distance < hours(2))
    amount = std::to_string(duration_cast<minutes>(distance).count()) + " min";
  else if (distance < hours(48))
    amount = std::to_string(duration_cast<hours>(distance).count()) + " h";
  else
    amount = std::to_string(duration_cast<days>(distance).count()) + " d";
  return now > time ? amount + " ago" : "in " + amount;
}

}  // namespace strata::config
