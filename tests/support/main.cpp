#define BOOST_TEST_MODULE strata
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/blocking.hpp"

namespace {

/// In tests a wait on a thread that must not block ends the process, also that of a program that a test starts.
[[maybe_unused]] const int set = ::setenv(strata::core::end_process_on_blocking_variable, "1", 1);

}  // namespace
