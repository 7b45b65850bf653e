#include "config/branch_spec.hpp"

#include <algorithm>
#include <cctype>

#include "config/time_text.hpp"

namespace strata::config {
namespace {

constexpr std::size_t name_size_max = 63;

core::result<branch_point> parse_point(std::string_view when, core::wall_time now) {
  if (when.empty())
    return core::error{core::errc::invalid_argument,
                       "nothing follows the @; write for example main@10m, main@\"yesterday 14:00\" or main@0/3B21F08"};
  if (when == "head") return branch_point(branch_head{});
  // What stands before the slash of a zone's name has more than hexadecimal digits in it.
  const auto hexadecimal = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  const std::string_view before = when.substr(0, when.find('/'));
  if (before.size() < when.size() && std::all_of(before.begin(), before.end(), hexadecimal)) {
    STRATA_ASSIGN(const core::lsn at, core::parse_lsn(when));
    if (!at.valid()) return core::error{core::errc::invalid_argument, "0/0 is not a position in a WAL stream"};
    return branch_point(at);
  }
  STRATA_ASSIGN(const core::wall_time at, parse_moment(when, now));
  if (at > now)
    return core::error{core::errc::invalid_argument,
                       "\"" + std::string(when) + "\" means " + local_text(at) + ", which is in the future"};
  return branch_point(at);
}

}  // namespace

core::result<void> check_name(std::string_view what, std::string_view name) {
  const auto alphanumeric = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  bool good = !name.empty() && name.size() <= name_size_max && alphanumeric(name.front());
  for (const char c : name) good = good && (alphanumeric(c) || c == '-' || c == '_' || c == '.');
  if (good) return {};
  return core::error{core::errc::invalid_argument,
                     "\"" + std::string(name.substr(0, name_size_max)) + "\" can't be the name of a " +
                         std::string(what) +
                         "; use 1 to 63 letters, digits, - _ and ., with a letter or digit in front"};
}

core::result<branch_spec> parse_branch_spec(std::string_view text, core::wall_time now) {
  branch_spec spec;
  const auto at = text.find('@');
  std::string_view path = text.substr(0, at);
  if (const auto slash = path.find('/'); slash != std::string_view::npos) {
    spec.tenant = path.substr(0, slash);
    path = path.substr(slash + 1);
    STRATA_TRY(check_name("source", spec.tenant));
  }
  STRATA_TRY(check_name("branch", path));
  spec.branch = path;
  if (at != std::string_view::npos) {
    STRATA_ASSIGN(spec.at, parse_point(text.substr(at + 1), now));
  }
  return spec;
}

std::string to_string(const branch_point& point, core::wall_time now) {
  if (const auto* at = std::get_if<core::lsn>(&point)) return core::to_string(*at);
  if (const auto* at = std::get_if<core::wall_time>(&point)) return local_text(*at) + " (" + age_text(*at, now) + ")";
  return "head";
}

}  // namespace strata::config
