#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "core/bytes.hpp"
#include "core/lsn.hpp"

namespace strata::wal {

/// The newest WAL of a stream, in memory: appended at one end, released at the other, read in between without copying.
/// Never holds more than `capacity` bytes (rounded up to whole blocks); a caller of append() checks room() first.
class window {
 public:
  explicit window(std::size_t capacity, std::size_t block_size = std::size_t{1} << 20)
      : block_size_(block_size), blocks_max_(capacity / block_size + (capacity % block_size != 0)) {}

  [[nodiscard]] std::size_t block_size() const { return block_size_; }
  /// Empties the window; the next byte is at `at`.
  void restart(core::lsn at);

  [[nodiscard]] core::lsn begin() const { return begin_; }
  [[nodiscard]] core::lsn end() const { return end_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] bool holds(core::lsn from, core::lsn to) const { return begin_ <= from && from <= to && to <= end_; }

  /// How many bytes append() accepts now.
  [[nodiscard]] std::size_t room() const;
  /// Precondition: bytes.size() <= room().
  void append(core::bytes_view bytes);
  /// Releases the bytes before `to` (bounded by end()). Room grows by whole blocks.
  void release(core::lsn to);

  /// The bytes [from, to) in place, valid until the next call of append, release or restart. At most two parts for
  /// ranges up to block_size(). Precondition: holds(from, to) and to - from <= block_size().
  struct parts {
    std::array<core::bytes_view, 2> part;
    std::size_t count = 0;
  };
  [[nodiscard]] parts view(core::lsn from, core::lsn to) const;

 private:
  using block = std::unique_ptr<std::uint8_t[]>;

  std::size_t block_size_;
  std::size_t blocks_max_;
  std::deque<block> blocks_;
  block spare_;       ///< the last block released: a steady stream allocates nothing
  core::lsn origin_;  ///< position of the first byte of the first block
  core::lsn begin_;
  core::lsn end_;
};

}  // namespace strata::wal
