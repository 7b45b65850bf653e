#include "storage/layers/arena.hpp"

#include <algorithm>

namespace strata::storage {

namespace {
constexpr std::size_t chunk_size_bytes = 256u << 10;
constexpr std::size_t chunks_kept = 8;
}  // namespace

core::bytes_view arena::copy(core::bytes_view of) {
  while (current_ < chunks_.size() && chunks_[current_].size - used_ < of.size()) {
    ++current_;
    used_ = 0;
  }
  if (current_ == chunks_.size()) {
    const std::size_t size = std::max(chunk_size_bytes, of.size());
    chunks_.push_back({std::make_unique_for_overwrite<std::uint8_t[]>(size), size});
    used_ = 0;
  }
  std::uint8_t* to = chunks_[current_].bytes.get() + used_;
  std::copy(of.begin(), of.end(), to);
  used_ += of.size();
  return {to, of.size()};
}

void arena::reset() {
  std::erase_if(chunks_, [](const chunk& each) { return each.size > chunk_size_bytes; });
  if (chunks_.size() > chunks_kept) chunks_.resize(chunks_kept);
  current_ = 0;
  used_ = 0;
}

}  // namespace strata::storage
