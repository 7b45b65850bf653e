#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace strata::control {

/// Fewer digits of an id are more likely the beginning of a name, or of another id.
inline constexpr std::size_t id_prefix_min = 8;

/// What the words for a source or branch name.
template <class Entry>
struct picked {
  const Entry* entry = nullptr;
  std::vector<std::string> candidates;  ///< the names of several that begin so; empty: none does
};

inline bool begins_id(std::string_view id, std::string_view wanted) {
  return wanted.size() >= id_prefix_min && id.starts_with(wanted) &&
         std::all_of(wanted.begin(), wanted.end(), [](char c) { return std::isxdigit(static_cast<unsigned char>(c)); });
}

/// By name, or id, or a prefix of either that only one has; of an id, at least eight digits.
template <class Entry>
picked<Entry> pick(const std::vector<Entry>& all, const std::string& wanted) {
  for (const Entry& each : all)
    if (each.name == wanted) return {&each, {}};
  for (const Entry& each : all)
    if (each.id == wanted) return {&each, {}};
  picked<Entry> found;
  if (wanted.empty()) return found;
  for (const Entry& each : all) {
    if (!each.name.starts_with(wanted) && !begins_id(each.id, wanted)) continue;
    found.entry = &each;
    found.candidates.push_back(each.name);
  }
  if (found.candidates.size() > 1) found.entry = nullptr;
  if (found.entry != nullptr) found.candidates.clear();
  return found;
}

}  // namespace strata::control
