#pragma once

#include <boost/test/unit_test.hpp>

#include "tests/support/postgres_install.hpp"

namespace strata::tests {

/// Which minors of each major a case runs with.
enum class minors { newest, newest_and_oldest };

/// Adds a case to the suites <suite>_on_14 to <suite>_on_18, which are one ctest each, so that a major that is not
/// installed is one skipped test and hides no other. With `newest_and_oldest` the suites <suite>_on_14_oldest to
/// <suite>_on_18_oldest have it, too. On a build server (CI=true) a case whose major is missing fails.
class case_for_majors {
 public:
  using body = void (*)(const postgres_install&);
  case_for_majors(const char* suite, const char* name, const char* file, int line, minors which, body run);
};

/// Precondition of a test that needs all majors at once: with one missing it is skipped, and on a build server it runs
/// and fails.
boost::test_tools::assertion_result every_major_is_installed(boost::unit_test::test_unit_id);

}  // namespace strata::tests

/// STRATA_CASE_FOR_MAJORS(suite, name, minors::newest) { ... uses `install` ... }
#define STRATA_CASE_FOR_MAJORS(suite, name, which)                                                                \
  static void name(const strata::tests::postgres_install& install);                                               \
  static const strata::tests::case_for_majors name##_for_majors(#suite, #name, __FILE__, __LINE__, which, &name); \
  static void name([[maybe_unused]] const strata::tests::postgres_install& install)
