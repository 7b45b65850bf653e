#include "control/postgres_directories.hpp"

#include "control/failure.hpp"
#include "host/postgres_install.hpp"

namespace strata::control {

std::string checked_pg_bin(const std::string& directories, const std::string& option) {
  return need(host::check_directories(directories), "can't use " + option,
              "name directories with the program postgres, separated by ':'");
}

}  // namespace strata::control
