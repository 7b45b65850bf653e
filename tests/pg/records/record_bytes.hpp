#pragma once

#include <memory>
#include <stdexcept>
#include <variant>

#include "core/bytes.hpp"
#include "pg/wal/record.hpp"

namespace strata::tests {

/// Main data put together field by field.
class record_bytes {
 public:
  template <class T>
  record_bytes& le(T value) {
    core::append_le(bytes_, value);
    return *this;
  }
  record_bytes& u16(std::uint16_t value) { return le(value); }
  record_bytes& u32(std::uint32_t value) { return le(value); }
  record_bytes& u64(std::uint64_t value) { return le(value); }
  record_bytes& i64(std::int64_t value) { return le(value); }
  record_bytes& u8(std::uint8_t value) { return le(value); }
  record_bytes& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  record_bytes& text(std::string_view of) {
    bytes_.insert(bytes_.end(), of.begin(), of.end());
    return *this;
  }
  [[nodiscard]] const core::bytes& bytes() const { return bytes_; }

 private:
  core::bytes bytes_;
};

/// A record without blocks whose main data lies in memory of exactly its size.
struct held_record {
  held_record(pg::wal::resource_manager manager, std::uint8_t info, core::bytes_view data, pg::transaction_id xid = 0)
      : bytes(data.begin(), data.end()), record(std::make_unique<pg::wal::record>()) {
    bytes.shrink_to_fit();
    record->manager = manager;
    record->info = info;
    record->xid = xid;
    record->start = core::lsn(0x3000028);
    record->main_data = bytes;
  }
  operator const pg::wal::record&() const { return *record; }  // NOLINT: stands for the record

  core::bytes bytes;
  std::unique_ptr<pg::wal::record> record;
};

/// Decoding must fail with errc::corrupt for every shorter length and for one byte more; `decode` takes a held_record.
template <class Decode>
bool only_the_exact_length_is_accepted(pg::wal::resource_manager manager, std::uint8_t info, const core::bytes& data,
                                       Decode decode) {
  for (std::size_t size = 0; size <= data.size() + 1; ++size) {
    core::bytes cut = data;
    cut.resize(size);
    const held_record record(manager, info, cut, 1000);
    const auto decoded = decode(record);
    if (decoded.has_value() != (size == data.size())) return false;
    if (!decoded && decoded.error().code != core::errc::corrupt) return false;
  }
  return true;
}

/// What was decoded, which must be this alternative.
template <class Part, class Decoded>
const Part& part(const Decoded& decoded) {
  if (!decoded) throw std::runtime_error(core::to_string(decoded.error()));
  return std::get<Part>(*decoded);
}

}  // namespace strata::tests
