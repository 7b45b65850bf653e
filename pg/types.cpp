#include "pg/types.hpp"

namespace strata::pg {

std::string to_string(const relation_fork& of) {
  static constexpr const char* suffix[] = {"", "_fsm", "_vm", "_init"};
  return std::to_string(of.tablespace) + "/" + std::to_string(of.database) + "/" + std::to_string(of.relation) +
         suffix[static_cast<std::size_t>(of.fork)];
}

}  // namespace strata::pg
