#include "wal/window.hpp"

#include <algorithm>
#include <cstring>

#include "core/check.hpp"

namespace strata::wal {

void window::restart(core::lsn at) {
  blocks_.clear();
  origin_ = begin_ = end_ = at;
}

std::size_t window::room() const { return blocks_max_ * block_size_ - static_cast<std::size_t>(end_ - origin_); }

void window::append(core::bytes_view bytes) {
  core::check(bytes.size() <= room(), "more WAL than the window has room for");
  while (!bytes.empty()) {
    const std::size_t offset = static_cast<std::size_t>(end_ - origin_);
    if (offset == blocks_.size() * block_size_)
      blocks_.push_back(spare_ ? std::move(spare_) : block(new std::uint8_t[block_size_]));
    const std::size_t inside = offset % block_size_;
    const std::size_t count = std::min(bytes.size(), block_size_ - inside);
    std::memcpy(blocks_.back().get() + inside, bytes.data(), count);
    end_ = end_ + count;
    bytes = bytes.subspan(count);
  }
}

void window::release(core::lsn to) {
  begin_ = std::max(begin_, std::min(to, end_));
  while (!blocks_.empty() && begin_ - origin_ >= block_size_) {
    spare_ = std::move(blocks_.front());
    blocks_.pop_front();
    origin_ = origin_ + block_size_;
  }
}

window::parts window::view(core::lsn from, core::lsn to) const {
  core::check(holds(from, to) && to - from <= block_size_, "a view of WAL that the window does not hold");
  parts found;
  for (core::lsn at = from; at < to;) {
    const std::size_t offset = static_cast<std::size_t>(at - origin_);
    const std::size_t inside = offset % block_size_;
    const std::size_t count = std::min(static_cast<std::size_t>(to - at), block_size_ - inside);
    found.part[found.count++] = {blocks_[offset / block_size_].get() + inside, count};
    at = at + count;
  }
  return found;
}

}  // namespace strata::wal
