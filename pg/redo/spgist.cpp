#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void redo_spgist(action&) { throw not_written(); }

}  // namespace strata::pg::redo
