#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/blocking.hpp"

namespace {

/// In tests a wait on a thread that must not block ends the process, also that of a program that a test starts.
[[maybe_unused]] const int set = ::setenv(strata::core::end_process_on_blocking_variable, "1", 1);

bool name_all_tests() {
  boost::unit_test::framework::master_test_suite().p_name.value = "strata";
  return true;
}

}  // namespace

// Written out: the macros that define it work before the first include only, and a precompiled header is the first.
int main(int count, char** arguments) { return boost::unit_test::unit_test_main(name_all_tests, count, arguments); }
