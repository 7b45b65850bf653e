// Resource manager Sequence (Postgres: src/include/commands/sequence.h). Every record carries the whole page: one
// tuple.

#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void redo_sequence(action& of) {
  constexpr std::size_t locator_size = 12;
  constexpr std::uint32_t sequence_magic = 0x1717;
  if (of.operation() != 0x00) throw not_written();
  page::cursor main = of.main_data();
  main.skip(locator_size);
  of.init_page(8);
  of.page.special_area(8).store(0, sequence_magic);
  of.page.insert(1, main.take_rest());
}

}  // namespace strata::pg::redo
