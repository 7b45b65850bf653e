#pragma once

#include <cstdint>
#include <string>

namespace strata::cli {

/// "1 compute", "2 computes", "3 mismatches"; `several` where an s is not enough.
inline std::string counted(std::uint64_t number, const std::string& one, const std::string& several = "") {
  return std::to_string(number) + " " + (number == 1 ? one : several.empty() ? one + "s" : several);
}

}  // namespace strata::cli
