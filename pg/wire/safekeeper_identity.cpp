#include "pg/wire/safekeeper_identity.hpp"

#include <algorithm>
#include <charconv>

namespace strata::pg::wire {
namespace {

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

}  // namespace

std::string to_text(const safekeeper_identity& of) {
  return std::to_string(of.id) + " " + core::to_string(of.instance) + " " + std::to_string(of.process);
}

std::optional<safekeeper_identity> parse_safekeeper_identity(std::string_view text) {
  const auto id = whole_number<std::uint64_t>(take_word(text));
  const auto instance = core::parse_id<core::instance_id>(take_word(text));
  const auto process = whole_number<pid_t>(text);
  if (!id || !instance || !process) return std::nullopt;
  return safekeeper_identity{*id, *instance, *process};
}

core::result<void> check_identity(const safekeeper_identity& expected, const safekeeper_identity& answering) {
  const std::string self = "safekeeper " + std::to_string(expected.id);
  if (expected.id != 0 && answering.id != expected.id)
    return core::error{core::errc::conflict,
                       "safekeeper " + std::to_string(answering.id) + " answers there, not " + self};
  if (expected.instance.valid() && answering.instance != expected.instance)
    return core::error{core::errc::conflict,
                       "another " + self + " answers there: its directory is not the one of this cluster"};
  if (expected.process > 0 && answering.process != expected.process)
    return core::error{core::errc::conflict,
                       "another " + self + " answers there: process " + std::to_string(answering.process) +
                           ", on a copy of the directory that process " + std::to_string(expected.process) + " has"};
  return {};
}

}  // namespace strata::pg::wire
