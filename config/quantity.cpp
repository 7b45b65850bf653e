#include "config/quantity.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>

namespace strata::config {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t second = 1000;
constexpr std::uint64_t minute = 60 * second;
constexpr std::uint64_t hour = 60 * minute;
constexpr std::uint64_t day = 24 * hour;
constexpr std::uint64_t duration_max = 1000 * 365 * day;

constexpr std::array duration_units{
    unit{"ms", 1},       unit{"msec", 1},      unit{"millisecond", 1}, unit{"milliseconds", 1}, unit{"s", second},
    unit{"sec", second}, unit{"secs", second}, unit{"second", second}, unit{"seconds", second}, unit{"m", minute},
    unit{"min", minute}, unit{"mins", minute}, unit{"minute", minute}, unit{"minutes", minute}, unit{"h", hour},
    unit{"hr", hour},    unit{"hour", hour},   unit{"hours", hour},    unit{"d", day},          unit{"day", day},
    unit{"days", day},   unit{"w", 7 * day},   unit{"week", 7 * day},  unit{"weeks", 7 * day},
};
constexpr std::array size_units{
    unit{"b", 1},
    unit{"k", 1u << 10},
    unit{"kb", 1u << 10},
    unit{"kib", 1u << 10},
    unit{"m", 1u << 20},
    unit{"mb", 1u << 20},
    unit{"mib", 1u << 20},
    unit{"g", 1u << 30},
    unit{"gb", 1u << 30},
    unit{"gib", 1u << 30},
    unit{"t", 1ull << 40},
    unit{"tb", 1ull << 40},
    unit{"tib", 1ull << 40},
};

void skip_blanks(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

template <std::size_t Count>
const unit* find_unit(const std::array<unit, Count>& units, std::string_view name) {
  std::string lower;
  for (const char c : name) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const unit& candidate : units)
    if (candidate.name == lower) return &candidate;
  return nullptr;
}

/// Sums up "<number>[ ]<unit>" terms; nullopt for anything else, or a sum over `limit`.
template <std::size_t Count>
std::optional<std::uint64_t> parse_terms(std::string_view text, const std::array<unit, Count>& units,
                                         std::uint64_t limit, bool several) {
  std::uint64_t sum = 0;
  bool first = true;
  skip_blanks(text);
  while (!text.empty()) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    skip_blanks(text);
    std::size_t letters = 0;
    while (letters < text.size() && std::isalpha(static_cast<unsigned char>(text[letters])) != 0) ++letters;
    const unit bare{"", 1};
    const unit* found = letters == 0 && first ? &bare : find_unit(units, text.substr(0, letters));
    if (found == nullptr || (letters == 0 && !text.empty())) return std::nullopt;
    if (number > (limit - sum) / found->factor) return std::nullopt;
    sum += number * found->factor;
    text.remove_prefix(letters);
    skip_blanks(text);
    if (!several && !text.empty()) return std::nullopt;
    first = false;
  }
  if (first) return std::nullopt;
  return sum;
}

core::error malformed(std::string_view text, std::string_view what, std::string_view example) {
  return {core::errc::invalid_argument,
          "\"" + std::string(text) + "\" is not a " + std::string(what) + "; write it as " + std::string(example)};
}

}  // namespace

core::result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = parse_terms(text, duration_units, duration_max, true);
  if (!value) return malformed(text, "duration", "\"10 min\", \"7 d\" or \"250 ms\"");
  return std::chrono::milliseconds(*value);
}

std::string duration_text(std::chrono::milliseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count());
  for (const auto& [name, factor] : {unit{"d", day}, unit{"h", hour}, unit{"m", minute}, unit{"s", second}})
    if (count != 0 && count % factor == 0) return std::to_string(count / factor) + std::string(name);
  return std::to_string(count) + "ms";
}

core::result<std::uint64_t> parse_size(std::string_view text) {
  const auto value = parse_terms(text, size_units, std::numeric_limits<std::uint64_t>::max(), false);
  if (!value) return malformed(text, "size", "\"128 MiB\" or a number of bytes");
  return *value;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array names{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t step = 0;
  while (value >= 1024 && step + 1 < names.size()) {
    value /= 1024;
    ++step;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), step == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, names.at(step));
  return text.data();
}

}  // namespace strata::config
