// Resource manager XLOG: only the full-page images touch blocks, and apply() restores them.

#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void redo_xlog(action& of) {
  constexpr std::uint8_t image_for_hint = 0xA0, image = 0xB0;
  require(of.operation() != image, "full-page image without an image");
  if (of.operation() != image_for_hint) throw not_written();
  // From 15 on, with full_page_writes off, the record only states that a hint was set.
  of.moves_lsn = false;
}

}  // namespace strata::pg::redo
