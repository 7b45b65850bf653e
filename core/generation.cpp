#include "core/generation.hpp"

#include <array>
#include <cstdio>

namespace strata::core {

std::string to_string(generation of) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08X", of.value);
  return text.data();
}

}  // namespace strata::core
