// Resource manager Generic, for indexes of extensions (Postgres: src/include/access/generic_xlog.h). The data is a list
// of byte ranges.

#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void redo_generic(action& of) {
  page::cursor data = of.data();
  page::window whole(of.bytes);
  while (data.left() > 0) {
    const std::size_t offset = data.take<std::uint16_t>();
    const std::size_t length = data.take<std::uint16_t>();
    whole.write(offset, data.take_bytes(length));
  }
  of.page.require_sane_header();
  whole.fill(of.page.lower(), of.page.upper() - of.page.lower(), 0);
}

}  // namespace strata::pg::redo
