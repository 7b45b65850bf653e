#include "protocol/acceptor_summary.hpp"

#include <charconv>
#include <utility>
#include <vector>

namespace strata::protocol {
namespace {

core::error corrupt() { return {core::errc::corrupt, "read a peer's acceptor_state: it is invalid"}; }

template <class Number>
core::result<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return corrupt();
  return value;
}

/// Takes "name=value " from the front.
core::result<std::string_view> take_value(std::string_view& text, std::string_view name) {
  if (!text.starts_with(name) || text.substr(name.size(), 1) != "=") return corrupt();
  text.remove_prefix(name.size() + 1);
  const auto end = std::min(text.find(' '), text.size());
  const std::string_view value = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return value;
}

core::result<consensus::term_history> parse_history(std::string_view text) {
  std::vector<consensus::term_start> entries;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto at = entry.find('@');
    if (at == std::string_view::npos) return corrupt();
    STRATA_ASSIGN(const auto term, number_of<std::uint64_t>(entry.substr(0, at)));
    STRATA_ASSIGN(const core::lsn start, core::parse_lsn(entry.substr(at + 1)));
    entries.push_back({{term}, start});
  }
  if (!consensus::term_history::well_formed(entries)) return corrupt();
  return consensus::term_history(std::move(entries));
}

}  // namespace

std::string to_text(const acceptor_summary& of) {
  std::string text = "generation=" + std::to_string(of.generation) + " term=" + std::to_string(of.in.value) +
                     " flush_lsn=" + core::to_string(of.flush_lsn) + " commit_lsn=" + core::to_string(of.commit_lsn) +
                     " history=";
  bool first = true;
  for (const consensus::term_start& each : of.history.entries()) {
    if (!std::exchange(first, false)) text += ',';
    text += std::to_string(each.in.value) + "@" + core::to_string(each.at);
  }
  return text;
}

core::result<acceptor_summary> parse_acceptor_summary(std::string_view text) {
  acceptor_summary parsed;
  STRATA_ASSIGN(const auto generation, take_value(text, "generation"));
  STRATA_ASSIGN(parsed.generation, number_of<std::uint32_t>(generation));
  STRATA_ASSIGN(const auto term, take_value(text, "term"));
  STRATA_ASSIGN(parsed.in.value, number_of<std::uint64_t>(term));
  STRATA_ASSIGN(const auto flush, take_value(text, "flush_lsn"));
  STRATA_ASSIGN(parsed.flush_lsn, core::parse_lsn(flush));
  STRATA_ASSIGN(const auto commit, take_value(text, "commit_lsn"));
  STRATA_ASSIGN(parsed.commit_lsn, core::parse_lsn(commit));
  STRATA_ASSIGN(const auto history, take_value(text, "history"));
  STRATA_ASSIGN(parsed.history, parse_history(history));
  if (!text.empty()) return corrupt();
  return parsed;
}

}  // namespace strata::protocol
