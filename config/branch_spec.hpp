#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::config {

/// The end of a branch, as it is when asked.
struct branch_head {
  bool operator==(const branch_head&) const = default;
};

/// A point in a branch's history.
using branch_point = std::variant<branch_head, core::lsn, core::wall_time>;

/// [TENANT/]BRANCH[@WHEN].
struct branch_spec {
  std::string tenant;  ///< empty: not said
  std::string branch;
  branch_point at;
};

/// WHEN is an LSN, a moment (see parse_moment) relative to `now`, or "head". errc::invalid_argument for everything
/// else, and for a moment after `now`.
core::result<branch_spec> parse_branch_spec(std::string_view text, core::wall_time now);

/// Whether a tenant or a branch may be called so: 1 to 63 letters, digits, '-', '_' and '.', a letter or digit first.
core::result<void> check_name(std::string_view what, std::string_view name);

/// How the point was understood, for people: "head", "0/3B21F08", "2026-11-22 14:06:41 CET (61 s ago)".
std::string to_string(const branch_point& point, core::wall_time now);

}  // namespace strata::config
