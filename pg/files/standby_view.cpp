#include "pg/files/standby_view.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"
#include "pg/crc32c.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/record_position.hpp"

namespace strata::pg::files {
namespace {

constexpr std::uint64_t long_header_size = 40;
// src/include/access/xlogrecord.h
constexpr std::size_t link_offset = 8;
constexpr std::size_t crc_offset = 20;
constexpr std::size_t crc_size = 4;

}  // namespace

standby_view::standby_view(standby_wal wal, std::uint32_t segment_size)
    : wal_(std::move(wal)),
      segment_size_(segment_size),
      begin_(wal_.checkpoint - wal_.checkpoint.value % segment_size) {}

core::bytes standby_view::read(core::lsn from, std::size_t count) const {
  core::check(from >= begin_ && from < record(), "a standby's own WAL ends where the stream's begins");
  const std::uint64_t file = (from - begin_) / segment_size_;
  const std::uint64_t offset = from.value % segment_size_;
  const std::uint64_t size = std::min<std::uint64_t>({count, segment_size_ - offset, record() - from});
  // The second segment is zero up to a record that begins right after its first header.
  if (file >= wal_.segments.size()) return core::bytes(size);
  return wal_.segments[file].read(offset, size);
}

core::lsn standby_view::patched_end() const { return record() + wal::record_header_size + long_header_size; }

record_link_patch::record_link_patch(const standby_view& of) : record_(of.record()), segment_size_(of.segment_size()) {
  core::store_le(link_.data(), of.wal().checkpoint.value);
}

void record_link_patch::apply(core::lsn at, core::bytes_span wal) {
  const auto byte_at = [&](std::size_t byte) -> std::uint8_t* {
    const core::lsn position = wal::position_in_record(record_, byte, segment_size_);
    if (position < at || position - at >= wal.size()) return nullptr;
    return wal.data() + (position - at);
  };
  for (std::size_t i = 0; i < link_.size(); ++i) {
    std::uint8_t* found = byte_at(link_offset + i);
    if (found == nullptr) continue;
    difference_[i] = *found ^ link_[i];
    *found = link_[i];
  }
  // The CRC covers the header last, and only up to itself: from the first difference on.
  const std::uint32_t change = crc32c_update(0, difference_);
  for (std::size_t i = 0; i < crc_size; ++i)
    if (std::uint8_t* found = byte_at(crc_offset + i); found != nullptr)
      *found ^= static_cast<std::uint8_t>(change >> (8 * i));
}

}  // namespace strata::pg::files
