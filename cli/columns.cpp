#include "cli/columns.hpp"

#include <algorithm>
#include <numeric>

namespace strata::cli {
namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

}  // namespace

std::size_t text_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

bool fit_columns(std::vector<std::size_t>& widths, std::size_t available) {
  if (available == 0 || widths.empty()) return false;
  std::size_t total = std::accumulate(widths.begin(), widths.end(), column_gap * (widths.size() - 1));
  bool cut = false;
  for (; total > available; --total) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= column_min) break;
    --*widest;
    cut = true;
  }
  return cut;
}

std::string cut_cell(const std::string& cell, std::size_t width, bool unicode) {
  if (text_width(cell) <= width || width == 0) return cell;
  std::size_t characters = 0;
  std::size_t end = 0;
  // The one at `width` is where the mark goes.
  for (; end < cell.size(); ++end)
    if (begins_character(cell[end]) && ++characters == width) break;
  return cell.substr(0, end) + (unicode ? "…" : "~");
}

}  // namespace strata::cli
