#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace strata::config {

/// What the clocks of a zone show at a moment.
struct zone_offset {
  std::chrono::seconds east{0};  ///< of UTC
  std::string abbreviation;      ///< "CET"
};

using time_zone = std::function<zone_offset(std::chrono::sys_seconds)>;

time_zone fixed_zone(std::chrono::seconds east);
/// That of this process. errc::invalid_argument when TZ names none.
core::result<time_zone> local_zone();
/// By a name of the system's time zone files ("Europe/Berlin", case does not matter) or an abbreviation that is one or
/// that `local` uses; an abbreviation means its own offset in summer and in winter. errc::invalid_argument suggests.
core::result<time_zone> named_zone(std::string_view name, const time_zone& local, std::chrono::local_seconds near);

/// The moments at which the clocks showed that: none when they were put forward over it, two when they were put back.
std::vector<std::chrono::sys_seconds> moments_of(const time_zone& zone, std::chrono::local_seconds shown);

/// "+01", "+05:30", "-03".
std::string offset_text(std::chrono::seconds east);

}  // namespace strata::config
