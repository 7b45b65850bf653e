#include "core/check.hpp"

#include <cstdlib>

#include "core/log.hpp"

namespace strata::core {

void broken_invariant(std::string_view what, std::source_location where) {
  log(log_level::critical, std::string("broken invariant: ") + std::string(what) + " at " + where.file_name() + ":" +
                               std::to_string(where.line()));
  flush_log();
  std::abort();
}

}  // namespace strata::core
