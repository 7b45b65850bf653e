#include "pg/redo/index_tuple.hpp"

namespace strata::pg::redo {

namespace index_tuple {

core::bytes_view at_start_of(core::bytes_view bytes) {
  require(bytes.size() >= header_size, "index tuple shorter than its header");
  const std::size_t size = core::load_le<std::uint16_t>(bytes.data() + info) & info_size_mask;
  require(size >= header_size && size <= bytes.size(), "index tuple with a wrong size");
  return bytes.first(size);
}

core::bytes_view take(page::cursor& from) { return from.take_bytes(at_start_of(from.rest()).size()); }

block_number block(core::bytes_view tuple) {
  require(tuple.size() >= header_size, "index tuple shorter than its header");
  return block_number{core::load_le<std::uint16_t>(tuple.data())} << 16 |
         core::load_le<std::uint16_t>(tuple.data() + 2);
}

void set_block(page::window tuple, block_number block) {
  tuple.store(0, static_cast<std::uint16_t>(block >> 16));
  tuple.store(2, static_cast<std::uint16_t>(block));
}

}  // namespace index_tuple

core::bytes_view index_item(const page::slotted_page& page, page::item_number at) {
  return index_tuple::at_start_of(page.item(at).view());
}

}  // namespace strata::pg::redo
