#include "control/child_process.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "control/failure.hpp"

namespace strata::control {

int run_child(const std::function<void()>& work) {
  try {
    work();
    return EXIT_SUCCESS;
  } catch (const failure& why) {
    std::fputs(why.text().c_str(), stderr);
  } catch (const std::exception& why) {
    std::fputs(failure(core::errc::io_error, "unexpected error", why.what(), "").text().c_str(), stderr);
  }
  return EXIT_FAILURE;
}

}  // namespace strata::control
