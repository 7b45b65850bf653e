#include "pg/redo/btree_format.hpp"

#include <cstring>

namespace strata::pg::redo {

namespace index_tuple {

parts split(core::bytes_view tuple) {
  tuple = at_start_of(tuple);
  const auto tid_item = core::load_le<std::uint16_t>(tuple.data() + 4);
  const bool alternative = core::load_le<std::uint16_t>(tuple.data() + info) & info_alternative_tid;
  if (!alternative || !(tid_item & tid_is_posting)) return {tuple, tuple.first(heap_tid_size), false};
  const std::size_t start = block(tuple);
  const std::size_t size = (tid_item & tid_count_mask) * heap_tid_size;
  require(start >= header_size && start <= tuple.size() && size > 0 && size <= tuple.size() - start,
          "posting list outside its tuple");
  return {tuple.first(start), tuple.subspan(start, size), true};
}

core::bytes join(core::bytes_view key, core::bytes_view heap_tids) {
  const std::size_t count = heap_tids.size() / heap_tid_size;
  require(count > 0 && count <= tid_count_mask, "posting list with a wrong number of entries");
  const std::size_t size = count == 1 ? key.size() : page::align8(key.size() + heap_tids.size());
  require(size <= info_size_mask, "index tuple too large");

  core::bytes joined(size);
  std::memcpy(joined.data(), key.data(), key.size());
  auto new_info = static_cast<std::uint16_t>(core::load_le<std::uint16_t>(key.data() + info) &
                                             ~(info_size_mask | info_alternative_tid));
  new_info |= static_cast<std::uint16_t>(size);
  if (count == 1) {
    std::memcpy(joined.data(), heap_tids.data(), heap_tid_size);
  } else {
    new_info |= info_alternative_tid;
    set_block(page::window(joined), static_cast<block_number>(key.size()));
    core::store_le(joined.data() + 4, static_cast<std::uint16_t>(count | tid_is_posting));
    std::memcpy(joined.data() + key.size(), heap_tids.data(), heap_tids.size());
  }
  core::store_le(joined.data() + info, new_info);
  return joined;
}

posting_split split_posting(core::bytes_view posting, core::bytes_view new_tuple, std::size_t place) {
  const parts old = split(posting);
  require(old.posting && place > 0 && place < old.count(), "place outside the posting list");
  new_tuple = at_start_of(new_tuple);
  posting_split result{core::bytes(posting.begin(), posting.end()), core::bytes(new_tuple.begin(), new_tuple.end())};

  std::uint8_t* list = result.posting.data() + old.key.size();
  std::uint8_t* slot = list + place * heap_tid_size;
  const core::bytes_view pushed_out = old.heap_tids.last(heap_tid_size);
  std::memmove(slot + heap_tid_size, slot, old.heap_tids.size() - (place + 1) * heap_tid_size);
  std::memcpy(slot, new_tuple.data(), heap_tid_size);
  std::memcpy(result.new_tuple.data(), pushed_out.data(), heap_tid_size);
  return result;
}

}  // namespace index_tuple

}  // namespace strata::pg::redo
