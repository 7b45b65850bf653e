#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/bytes.hpp"
#include "core/error.hpp"

/// What the targets share: how they fail, and memory in which AddressSanitizer sees every access outside.
namespace strata::tests::fuzz {

/// Ends the process, which is how a target tells libFuzzer that it found something. Not assert(): it must hold in every
/// build.
inline void demand(bool holds, std::string_view what, std::string_view detail = {}) {
  if (holds) [[likely]]
    return;
  std::fprintf(stderr, "demand failed: %.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(detail.size()), detail.data());
  std::abort();
}

/// Bytes in a heap block that ends with them. `shift` moves their beginning off the alignment of the heap.
class exact_copy {
 public:
  explicit exact_copy(core::bytes_view from, std::size_t shift = 0)
      : memory_(new std::uint8_t[from.size() + shift]), bytes_(memory_.get() + shift, from.size()) {
    if (!from.empty()) std::memcpy(bytes_.data(), from.data(), from.size());
  }
  [[nodiscard]] core::bytes_view view() const { return bytes_; }
  [[nodiscard]] core::bytes_span span() { return bytes_; }

 private:
  std::unique_ptr<std::uint8_t[]> memory_;
  core::bytes_span bytes_;
};

inline bool equal(core::bytes_view a, core::bytes_view b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// What was read is refused for what it is, in a short text of printable characters.
inline void demand_refusal(const core::error& refused) {
  constexpr std::size_t text_max = 400;
  demand(refused.code == core::errc::corrupt || refused.code == core::errc::unsupported, "error code of a refusal",
         refused.detail);
  demand(refused.detail.size() <= text_max, "length of an error's text", refused.detail);
  for (const char c : refused.detail) demand(c >= ' ' && c <= '~', "an error's text holds bytes", refused.detail);
}

}  // namespace strata::tests::fuzz

/// Called by libFuzzer for each input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
