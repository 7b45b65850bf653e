#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void redo_hash(action&) { throw not_written(); }

}  // namespace strata::pg::redo
