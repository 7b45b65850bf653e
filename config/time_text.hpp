#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace strata::config {

/// What a time without a zone means.
enum class default_zone { local, utc };

/// "2026-11-22T14:06:41.5+01", "2026-11-22 14:06Z", "2026-11-22".
core::result<core::wall_time> parse_iso_time(std::string_view text, default_zone zone);

/// Anything a person may write for a moment: ISO, "10m", "2 hours ago", "yesterday 14:00", "today 9:30", "14:06",
/// "now"; a day alone means its beginning. A zone may follow ("UTC", "+01", "Europe/Berlin", an abbreviation that
/// local_text prints); without one it is local time. errc::invalid_argument lists the forms, and both readings of a
/// time that the clocks showed twice.
core::result<core::wall_time> parse_moment(std::string_view text, core::wall_time now);

/// "2026-11-22T13:06:41.500000Z".
std::string utc_text(core::wall_time time);
/// "2026-11-22 14:06:41 CET".
std::string local_text(core::wall_time time);
/// "61 s ago", "3 min ago", "2 h ago", "5 d ago"; "now" within a second; "in 3 min" for the future.
std::string age_text(core::wall_time time, core::wall_time now);

}  // namespace strata::config
