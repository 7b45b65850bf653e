#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace strata::cli {

inline constexpr std::size_t column_gap = 2;
/// Narrower than this a column says nothing any more.
inline constexpr std::size_t column_min = 8;

/// Characters, not bytes.
std::size_t text_width(const std::string& text);

/// Narrows the widest columns until a row has at most `available` characters, or all are as narrow as they may be; 0:
/// there is no limit. Returns whether any was narrowed.
bool fit_columns(std::vector<std::size_t>& widths, std::size_t available);

/// The cell in at most `width` characters; the last one says that some are missing: an ellipsis, or ~ in ASCII.
std::string cut_cell(const std::string& cell, std::size_t width, bool unicode);

}  // namespace strata::cli
