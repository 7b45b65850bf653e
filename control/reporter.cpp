#include "control/reporter.hpp"

namespace strata::control {

reporter& no_reporter() {
  static reporter silent;
  return silent;
}

}  // namespace strata::control
