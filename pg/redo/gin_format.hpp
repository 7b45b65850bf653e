#pragma once

#include "pg/redo/index_tuple.hpp"

/// Byte layout of GIN pages, and the codec of posting lists. Numbers of Postgres, never renumber.
namespace strata::pg::redo {

/// The special area of a GIN page.
namespace gin_links {
inline constexpr std::size_t size = 8;
inline constexpr std::size_t right = 0;
/// Items of an inner or uncompressed page of a posting tree; heap rows of a page of the pending list.
inline constexpr std::size_t count = 4;
inline constexpr std::size_t flags = 6;
}  // namespace gin_links

inline constexpr std::uint16_t gin_data = 0x01;  ///< of a posting tree
inline constexpr std::uint16_t gin_leaf = 0x02;
inline constexpr std::uint16_t gin_deleted = 0x04;
inline constexpr std::uint16_t gin_meta = 0x08;
inline constexpr std::uint16_t gin_list = 0x10;
inline constexpr std::uint16_t gin_list_full_row = 0x20;
inline constexpr std::uint16_t gin_incomplete_split = 0x40;
inline constexpr std::uint16_t gin_compressed = 0x80;

/// The body of a posting-tree page: the right bound, a heap tid, and from `content` on, items or segments.
namespace posting_tree {
inline constexpr std::size_t content = 8;
/// An inner page's item: child block, heap tid.
inline constexpr std::size_t item_size = 10;
}  // namespace posting_tree

/// A posting list, or segment of one: its first heap tid, the size of what follows, and the distances from each heap
/// tid to the next, 7 bits in each byte, the lowest first; padded to an even size.
namespace posting_list {
inline constexpr std::size_t header_size = 8;
inline constexpr std::size_t encoded_size = 6;  ///< field: the size of the distances
inline constexpr unsigned item_bits = 11;
/// Bits of a heap tid, and so of a distance: 43 bits fit into 7 bytes.
inline constexpr unsigned tid_bits = 32 + item_bits;
inline constexpr std::size_t longest_distance = 7;

/// A heap tid as a number: block, then item. Ordered as heap tids are.
using tid_number = std::uint64_t;
tid_number take_heap_tid(page::cursor& from);

/// Takes the segment that starts at the cursor, its padding included.
core::bytes_view take_segment(page::cursor& from);

/// Decodes the heap tids of a segment, which must ascend. Precondition: at least one.
class reader {
 public:
  explicit reader(core::bytes_view segment);
  [[nodiscard]] bool at_end() const { return at_end_; }
  [[nodiscard]] tid_number current() const { return current_; }
  void advance();

 private:
  page::cursor distances_;
  tid_number current_ = 0;
  bool at_end_ = false;
};

/// Decodes heap tids of 6 bytes each in sequence, which must ascend.
class plain_reader {
 public:
  explicit plain_reader(core::bytes_view heap_tids);
  [[nodiscard]] bool at_end() const { return at_end_; }
  [[nodiscard]] tid_number current() const { return current_; }
  void advance();

 private:
  page::cursor heap_tids_;
  tid_number current_ = 0;
  bool at_end_ = false;
};

/// Writes segments one after the other into a space that it never leaves.
class writer {
 public:
  explicit writer(core::bytes_span space) : space_(space) {}

  /// Copies segments unchanged.
  void copy(core::bytes_view segments);
  /// Encodes into one segment, which append() extends and finish_segment() ends.
  void append(tid_number next);
  void finish_segment();
  /// Everything written. No segment is unfinished.
  [[nodiscard]] core::bytes_view written() const { return space_.first(used_); }

 private:
  core::bytes_span take(std::size_t size);

  core::bytes_span space_;
  std::size_t used_ = 0;
  std::size_t segment_at_ = 0;
  bool in_segment_ = false;
  tid_number last_ = 0;
};

/// One segment of the heap tids of both, each once.
void merge(reader old, plain_reader added, writer& to);
/// One segment of these, or nothing if there are none.
void compress(plain_reader heap_tids, writer& to);

}  // namespace posting_list

}  // namespace strata::pg::redo
