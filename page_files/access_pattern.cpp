#include "page_files/access_pattern.hpp"

#include <algorithm>

namespace strata::page_files {

access_pattern::reader& access_pattern::find(std::uint32_t file, std::uint32_t first, std::uint32_t count) {
  auto& set = readers_[file % sets];
  reader* oldest = &set.front();
  for (reader& each : set) {
    if (each.accesses != 0 && each.file == file && first <= each.next + gap_max && first + count + gap_max >= each.next)
      return each;
    if (each.accesses == 0 || (oldest->accesses != 0 && now_ - each.used_at > now_ - oldest->used_at)) oldest = &each;
  }
  *oldest = {.file = file, .next = first, .ahead_end = first};
  return *oldest;
}

access_pattern::pages access_pattern::observe(std::uint32_t file, std::uint32_t first, std::uint32_t count,
                                              std::uint32_t file_pages) {
  reader& by = find(file, first, count);
  by.used_at = ++now_;
  const std::uint32_t end = first + count;
  if (end <= by.next && by.accesses != 0) return {};
  by.run = std::min(by.run + count, scan_min);
  by.accesses = std::min(by.accesses + 1, accesses_min);
  by.next = end;
  by.ahead_end = std::max(by.ahead_end, end);
  if (by.accesses < accesses_min) return {};

  const std::uint32_t window = std::clamp(2 * by.run, window_min, window_max);
  if (by.ahead_end - end > window / 2) return {};
  const std::uint32_t to = std::min(file_pages, by.run == scan_min ? file_pages : end + window);
  const pages ahead{by.ahead_end, to > by.ahead_end ? to - by.ahead_end : 0};
  by.ahead_end = std::max(by.ahead_end, to);
  return ahead.count == 0 ? pages{} : ahead;
}

}  // namespace strata::page_files
