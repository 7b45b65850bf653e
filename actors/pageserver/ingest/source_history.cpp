#include "actors/pageserver/ingest/source_history.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace strata::actors::pageserver {

namespace {

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

core::result<std::vector<left_timeline>> parse_history(std::string_view text) {
  std::vector<left_timeline> history;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto id_text = next_word(line);
    if (id_text.empty() || id_text.front() == '#') continue;
    left_timeline left;
    const auto [end, failure] = std::from_chars(id_text.data(), id_text.data() + id_text.size(), left.id);
    const auto at = core::parse_lsn(next_word(line));
    const bool ascends = history.empty() || (left.id > history.back().id && at && *at >= history.back().end);
    if (failure != std::errc() || end != id_text.data() + id_text.size() || left.id == 0 || !at || !ascends)
      return core::error{core::errc::corrupt, "read the source's timeline history: line \"" +
                                                  std::string(id_text.substr(0, 32)) + "...\" is invalid"};
    left.end = *at;
    history.push_back(left);
  }
  return history;
}

core::result<std::uint32_t> timeline_to_read(std::uint32_t timeline, const std::vector<left_timeline>& history,
                                             const followed_position& followed) {
  if (followed.timeline != 0 && followed.timeline != timeline) {
    const auto ours = std::find_if(history.begin(), history.end(),
                                   [&](const left_timeline& left) { return left.id == followed.timeline; });
    if (ours == history.end())
      return not_the_same_server("it is on timeline " + std::to_string(timeline) +
                                 ", which does not descend from timeline " + std::to_string(followed.timeline) +
                                 " that was followed to " + to_string(followed.at));
    if (ours->end < followed.at)
      return not_the_same_server("its timeline " + std::to_string(timeline) + " forked from timeline " +
                                 std::to_string(followed.timeline) + " at " + to_string(ours->end) +
                                 ", and that one was followed to " + to_string(followed.at));
  }
  for (const left_timeline& left : history)
    if (left.end > followed.read_from) return left.id;
  return timeline;
}

core::error not_the_same_server(const std::string& why) {
  return {core::errc::conflict, "it is not the same server: " + why +
                                    " (restored from a backup or a snapshot, or another server at this address?). It "
                                    "is no longer followed; received data stays readable. To follow the new server, "
                                    "add it under a new name; if the original server is back: strata source resume"};
}

}  // namespace strata::actors::pageserver
