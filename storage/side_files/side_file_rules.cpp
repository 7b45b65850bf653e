#include "storage/side_files/side_file_rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <string>

namespace strata::storage {

namespace {

constexpr std::array settings_names{"postgresql.auto.conf", "postgresql.conf", "pg_hba.conf", "pg_ident.conf"};
constexpr std::string_view statistics_directory = "pg_stat/";
constexpr std::string_view database_statistics = "pg_stat/db_";
constexpr std::string_view statistics_ending = ".stat";
constexpr core::lsn head = core::lsn::max();

bool is_statistics(std::string_view name) {
  if (name == "pg_stat/pgstat.stat" || name == "pg_stat/global.stat") return true;
  if (!name.starts_with(database_statistics) || !name.ends_with(statistics_ending)) return false;
  name.remove_prefix(database_statistics.size());
  name.remove_suffix(std::min(name.size(), statistics_ending.size()));
  constexpr std::size_t oid_digits_max = 10;
  return !name.empty() && name.size() <= oid_digits_max &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; });
}

using versions = std::vector<const side_file_record*>;

/// In place of `from`, an index: the next version of the file begins here.
core::lsn end_of(const versions& of, std::size_t index) { return index + 1 < of.size() ? of[index + 1]->at : head; }

/// Of one file: what the points need, and everything above the cutoff.
void mark(const versions& of, core::lsn cutoff, std::span<const core::lsn> kept, std::set<std::uint64_t>& points,
          std::set<std::uint64_t>& window) {
  const auto mark_at = [&of](core::lsn at, std::set<std::uint64_t>& in) {
    const side_file_record* newest = nullptr;
    const side_file_record* proven = nullptr;
    for (const side_file_record* each : of) {
      if (each->at > at) break;
      newest = each;
      if (each->proven) proven = each;
    }
    if (newest != nullptr) in.insert(newest->number);
    if (proven != nullptr) in.insert(proven->number);
  };
  mark_at(head, points);
  for (const core::lsn each : kept) mark_at(each, points);
  mark_at(cutoff, window);
  for (const side_file_record* each : of)
    if (each->at > cutoff) window.insert(each->number);
}

}  // namespace

core::result<side_file_kind> side_file_kind_of(std::string_view name) {
  if (std::ranges::find(settings_names, name) != settings_names.end()) return side_file_kind::settings;
  if (is_statistics(name)) return side_file_kind::statistics;
  if (name == "autoprewarm.blocks") return side_file_kind::prewarm;
  return core::error{core::errc::invalid_argument,
                     "\"" + std::string(name) +
                         "\" is not a side file: postgresql.auto.conf, postgresql.conf, pg_hba.conf, pg_ident.conf, " +
                         std::string(statistics_directory) + "*.stat and autoprewarm.blocks are"};
}

side_file_limits limits_of(side_file_kind kind) {
  if (kind == side_file_kind::settings) return {.size_max = 256u << 10, .versions_max = 64};
  return {.size_max = 8u << 20, .versions_max = 8};
}

const side_file_record* side_file_at(std::span<const side_file_record> all, std::string_view name, core::lsn at,
                                     bool proven_only) {
  const side_file_record* found = nullptr;
  for (const side_file_record& each : all)
    if (each.name == name && each.at <= at && (each.proven || !proven_only)) found = &each;
  return found;
}

std::vector<std::uint64_t> removable_side_files(std::span<const side_file_record> all, core::lsn cutoff,
                                                std::span<const core::lsn> kept) {
  std::map<std::string, versions> files;
  for (const side_file_record& each : all) files[each.name].push_back(&each);
  std::vector<std::uint64_t> removable;
  for (auto& [name, of] : files) {
    std::set<std::uint64_t> points;
    std::set<std::uint64_t> window;
    mark(of, cutoff, kept, points, window);
    std::erase_if(of, [&](const side_file_record* each) {
      const bool goes = !points.contains(each->number) && !window.contains(each->number);
      if (goes) removable.push_back(each->number);
      return goes;
    });
    const auto kind = side_file_kind_of(name);
    const std::size_t versions_max = kind ? limits_of(*kind).versions_max : 1;
    while (of.size() > versions_max) {
      std::size_t shortest = of.size();
      for (std::size_t i = 0; i < of.size(); ++i)
        if (!points.contains(of[i]->number) &&
            (shortest == of.size() || end_of(of, i) - of[i]->at < end_of(of, shortest) - of[shortest]->at))
          shortest = i;
      if (shortest == of.size()) break;
      removable.push_back(of[shortest]->number);
      of.erase(of.begin() + static_cast<std::ptrdiff_t>(shortest));
    }
  }
  std::ranges::sort(removable);
  return removable;
}

}  // namespace strata::storage
