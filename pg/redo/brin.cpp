#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void redo_brin(action&) { throw not_written(); }

}  // namespace strata::pg::redo
