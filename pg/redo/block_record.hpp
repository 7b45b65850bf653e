#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::redo {

/// The slice of a WAL record that one of its blocks needs for redo: the block's own image or data, the main data, and
/// the addresses (not the contents) of the record's other blocks. No redo function reads another block's contents.
/// This is what Strata stores per (block, LSN). Views point into the record or the stored bytes it was built from.
struct block_record {
  wal::resource_manager manager{};
  std::uint8_t info = 0;
  transaction_id xid = 0;
  std::uint8_t block_id = 0;  ///< which reference of the record this slice is for
  bool will_init = false;
  bool has_image = false;  ///< an image to apply; images only for consistency checks are left out
  wal::page_image image;
  core::bytes_view data;
  core::bytes_view main_data;

  struct address {
    bool present = false;
    fork in_fork = fork::main;
    bool same_relation = false;  ///< same tablespace, database and relation number as this block
    block_number block = 0;
  };
  /// By reference id. Of references with larger ids only this block's own and the next one are needed.
  std::array<address, 8> addresses{};
  address distant_own;   ///< when this block's id is 8 or more
  address distant_next;  ///< when it is 7 or more

  /// Whether older versions do not matter for this block.
  [[nodiscard]] bool initial() const { return will_init || has_image; }
  [[nodiscard]] const address& own() const { return block_id < addresses.size() ? addresses[block_id] : distant_own; }
  /// The reference with the next id; not present if this is the last one.
  [[nodiscard]] const address& next() const {
    return block_id + std::size_t{1} < addresses.size() ? addresses[block_id + std::size_t{1}] : distant_next;
  }
  [[nodiscard]] block_number block() const { return own().block; }
};

/// The slice of `from` for its block reference number `index` (position in from.blocks).
block_record slice(const wal::record& from, std::size_t index);

/// The stored form (docs/formats/values.md). encoded_size() is exact, encode() writes exactly that much.
std::size_t encoded_size(const block_record& of);
void encode(const block_record& of, std::uint8_t* to);
core::result<block_record> decode_block_record(core::bytes_view stored);

}  // namespace strata::pg::redo
