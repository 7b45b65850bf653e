#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void redo_gin(action&) { throw not_written(); }

}  // namespace strata::pg::redo
