#pragma once

#include "pg/redo/gin_format.hpp"
#include "tests/pg/redo/redo_sample.hpp"

/// Posting lists for tests.
namespace strata::tests {

namespace lists = pg::redo::posting_list;
using lists::tid_number;
using tids = std::vector<tid_number>;

inline tid_number tid(std::uint64_t block, std::uint16_t item) { return block << lists::item_bits | item; }

/// In 6 bytes each.
inline core::bytes plain(const tids& all) {
  payload bytes;
  for (const tid_number each : all)
    bytes.put(static_cast<std::uint16_t>(each >> 27))
        .put(static_cast<std::uint16_t>(each >> 11))
        .put(static_cast<std::uint16_t>(each & 0x7FF));
  return bytes;
}

/// One segment.
inline core::bytes segment_of(const tids& all) {
  core::bytes space(pg::page_size);
  lists::writer to(space);
  lists::compress(lists::plain_reader(plain(all)), to);
  return {to.written().begin(), to.written().end()};
}

/// A segment with these bytes for distances.
inline core::bytes raw_segment(core::bytes_view distances, std::uint16_t first_item = 1) {
  payload raw;
  raw.put<std::uint32_t>(0).put(first_item).put(static_cast<std::uint16_t>(distances.size())).put_bytes(distances);
  return raw;
}

}  // namespace strata::tests
