#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace strata::cli {

inline constexpr std::size_t column_gap = 2;
/// Minimum width of a column that is narrowed.
inline constexpr std::size_t column_min = 8;

/// Characters, not bytes.
std::size_t text_width(const std::string& text);

/// Narrows the widest columns until a row has at most `available` characters (0: no limit) or all have column_min.
/// Returns whether any was narrowed.
bool fit_columns(std::vector<std::size_t>& widths, std::size_t available);

/// The cell, truncated to `width` characters with an ellipsis, or ~ in ASCII, as the last one.
std::string cut_cell(const std::string& cell, std::size_t width, bool unicode);

}  // namespace strata::cli
