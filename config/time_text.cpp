#include "config/time_text.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>

#include "config/quantity.hpp"
#include "config/time_zone.hpp"

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
  [[nodiscard]] std::string_view rest() const { return rest_; }
  /// A word that stands alone, in any case.
  bool take_word(std::string_view word) {
    if (rest_.size() < word.size() || (rest_.size() > word.size() && rest_[word.size()] != ' ')) return false;
    for (std::size_t i = 0; i < word.size(); ++i)
      if (std::tolower(static_cast<unsigned char>(rest_[i])) != word[i]) return false;
    rest_.remove_prefix(word.size());
    return true;
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

/// +HH, +HH:MM, +HHMM to the end of the text.
std::optional<minutes> scan_offset(scanner from) {
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
  if (!from.at_end()) return std::nullopt;
  const minutes east(*hour * 60 + minute);
  return west ? -east : east;
}

local_days date_in(const time_zone& zone, core::wall_time time) {
  const auto whole = floor<seconds>(time);
  return local_days(floor<days>(whole.time_since_epoch() + zone(whole).east));
}

std::string shown_text(local_seconds shown, microseconds fraction) {
  const auto date_part = floor<days>(shown);
  const year_month_day date(date_part);
  const hh_mm_ss<seconds> parts(shown - date_part);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(parts.hours().count()), static_cast<int>(parts.minutes().count()),
                static_cast<int>(parts.seconds().count()));
  std::string made = text.data();
  if (fraction == microseconds(0)) return made;
  std::snprintf(text.data(), text.size(), ".%06d", static_cast<int>(fraction.count()));
  return made + text.data();
}

/// "2026-10-25 02:30:00+02 (CEST)", which is read back as that moment.
std::string reading_text(const time_zone& zone, sys_seconds at, microseconds fraction) {
  const zone_offset there = zone(at);
  std::string made = shown_text(local_seconds(at.time_since_epoch() + there.east), fraction) + offset_text(there.east);
  if (!there.abbreviation.empty() && std::isalpha(static_cast<unsigned char>(there.abbreviation.front())) != 0)
    made += " (" + there.abbreviation + ")";
  return made;
}

/// What a text says of a time, before a zone makes a moment of it.
struct said_time {
  std::optional<local_days> day;
  int days_back = 0;  ///< from today, when there is no day
  std::optional<day_time> time;
  std::string_view zone;
};

/// [DAY] [TIME] [ZONE], of which DAY or TIME must be there.
std::optional<said_time> scan_said(std::string_view text) {
  said_time said;
  scanner from(text);
  bool any_day = true;
  if (from.take_word("yesterday")) {
    said.days_back = 1;
  } else if (!from.take_word("today")) {
    scanner date_from = from;
    const auto year_number = date_from.digits(4, 4);
    if (year_number && date_from.take('-')) {
      const auto month_number = date_from.digits(2, 2);
      if (!month_number || !date_from.take('-')) return std::nullopt;
      const auto day_number = date_from.digits(2, 2);
      if (!day_number) return std::nullopt;
      const year_month_day date{year(*year_number), month(static_cast<unsigned>(*month_number)),
                                day(static_cast<unsigned>(*day_number))};
      if (!date.ok()) return std::nullopt;
      said.day = local_days(date);
      from = date_from;
      const bool joined = from.take('T') || from.take('t');
      if (!joined && !from.at_end() && from.peek() != ' ') return std::nullopt;
      if (joined && std::isdigit(static_cast<unsigned char>(from.peek())) == 0) return std::nullopt;
    } else {
      any_day = false;
    }
  }
  from.blanks();
  if (std::isdigit(static_cast<unsigned char>(from.peek())) != 0) {
    said.time = scan_day_time(from);
    if (!said.time) return std::nullopt;
  } else if (!any_day) {
    return std::nullopt;
  }
  from.blanks();
  said.zone = from.rest();
  const char first = from.peek();
  if (!from.at_end() && first != '+' && first != '-' && std::isalpha(static_cast<unsigned char>(first)) == 0)
    return std::nullopt;
  return said;
}

local_seconds shown_by(const said_time& said, local_days today) {
  const day_time time = said.time.value_or(day_time());
  return said.day.value_or(today - days(said.days_back)) + hours(time.hour) + minutes(time.minute) +
         seconds(time.second);
}

/// The moment at which the clocks of the zone showed what is said.
core::result<core::wall_time> moment_in(const time_zone& zone, const said_time& said, core::wall_time now) {
  const local_seconds shown = shown_by(said, date_in(zone, now));
  const microseconds fraction = said.time.value_or(day_time()).fraction;
  const auto found = moments_of(zone, shown);
  if (found.size() == 1) return core::wall_time(found.front().time_since_epoch() + fraction);
  const sys_seconds middle(shown.time_since_epoch());
  const sys_seconds before_gap = middle - std::min(zone(middle - hours(26)).east, zone(middle + hours(26)).east);
  // A day alone begins when its first moment comes, whatever the clocks did at midnight.
  if (!said.time) return core::wall_time((found.empty() ? before_gap : found.front()).time_since_epoch());
  const std::string what = "\"" + shown_text(shown, fraction) + "\"";
  if (found.empty())
    return core::error{core::errc::invalid_argument,
                       what + " does not exist in this zone: the clocks were put forward; one hour later is " +
                           reading_text(zone, before_gap, fraction)};
  return core::error{core::errc::invalid_argument, what + " is ambiguous: the clocks were put back; write " +
                                                       reading_text(zone, found.front(), fraction) + " or " +
                                                       reading_text(zone, found.back(), fraction)};
}

/// nullopt for a text of another form.
std::optional<core::result<core::wall_time>> read_said(std::string_view text, default_zone zone, core::wall_time now) {
  const auto said = scan_said(text);
  if (!said) return std::nullopt;
  const std::string_view name = said->zone;
  if (name.starts_with('+') || name.starts_with('-')) {
    const auto offset = scan_offset(scanner(name));
    if (!offset) return std::nullopt;
    return moment_in(fixed_zone(*offset), *said, now);
  }
  if (name == "Z" || name == "z" || name == "UTC") return moment_in(fixed_zone(seconds(0)), *said, now);
  if (zone == default_zone::utc) {
    if (!name.empty()) return std::nullopt;
    return moment_in(fixed_zone(seconds(0)), *said, now);
  }
  auto local = local_zone();
  if (!local) return std::move(local).error();
  if (name.empty()) return moment_in(*local, *said, now);
  const auto named = named_zone(name, *local, shown_by(*said, date_in(*local, now)));
  if (!named) return named.error();
  return moment_in(*named, *said, now);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<core::wall_time> scan_relative(std::string_view text, core::wall_time now) {
  if (text == "now") return now;
  if (text.ends_with(" ago")) text = trimmed(text.substr(0, text.size() - 4));
  // A bare number is more likely a mistyped something than milliseconds.
  if (text.find_first_not_of("0123456789 ") == std::string_view::npos) return std::nullopt;
  const auto back = parse_duration(text);
  if (!back) return std::nullopt;
  return now - *back;
}

}  // namespace

core::result<core::wall_time> parse_iso_time(std::string_view text, default_zone zone) {
  const std::string_view words = trimmed(text);
  // Only a whole date says which day is meant without a clock.
  if (words.size() >= 5 && words[4] == '-')
    if (const auto found = read_said(words, zone, core::wall_time())) return *found;
  return core::error{core::errc::invalid_argument, "\"" + std::string(text.substr(0, 64)) +
                                                       "\" is not a time; write it as 2026-11-22T14:06:41Z or "
                                                       "\"2026-11-22 14:06:41+01\""};
}

core::result<core::wall_time> parse_moment(std::string_view text, core::wall_time now) {
  const std::string_view words = trimmed(text);
  if (const auto found = scan_relative(words, now)) return *found;
  if (const auto found = read_said(words, default_zone::local, now)) return *found;
  return core::error{core::errc::invalid_argument,
                     "\"" + std::string(text.substr(0, 64)) +
                         "\" is neither a time nor an LSN; write a time as \"2026-11-22 14:06:41\" (local, or with a "
                         "zone: +01, UTC, Europe/Berlin), \"10m\", \"2 hours ago\" or \"yesterday 14:00\", an LSN as "
                         "0/3B21F08"};
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
  const std::time_t whole = floor<seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  ::localtime_r(&whole, &parts);
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
