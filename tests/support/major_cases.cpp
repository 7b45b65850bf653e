#include "tests/support/major_cases.hpp"

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace strata::tests {
namespace {

namespace boost_test = boost::unit_test;

/// On a build server nothing may be left out in silence.
bool everything_must_run() {
  const char* value = std::getenv("CI");
  return value != nullptr && std::string_view(value) == "true";
}

/// Which installation of a major: install_of or oldest_install_of.
using choice = const postgres_install* (*)(int major);

std::string missing(int major, choice choose) {
  return (choose == oldest_install_of ? "no older minor of Postgres " : "no Postgres ") + std::to_string(major) +
         " is installed; scripts/install-postgres-majors does that";
}

boost::test_tools::assertion_result may_run(int major, choice choose) {
  if (choose(major) != nullptr || everything_must_run()) return true;
  // ctest looks for this word (cmake/ListTestCases.cmake).
  std::cout << "SKIPPED: " << missing(major, choose) << std::endl;
  boost::test_tools::assertion_result no(false);
  no.message() << missing(major, choose);
  return no;
}

boost_test::test_suite& suite_for(const std::string& name, int major, choice choose, const char* file,
                                  std::size_t line) {
  auto& master = boost_test::framework::master_test_suite();
  if (const auto known = master.get(name); known != boost_test::INV_TEST_UNIT_ID)
    return boost_test::framework::get<boost_test::test_suite>(known);
  auto* made = new boost_test::test_suite(name, file, line);
  made->add_precondition([major, choose](boost_test::test_unit_id) { return may_run(major, choose); });
  master.add(made);
  return *made;
}

}  // namespace

case_for_majors::case_for_majors(const char* suite, const char* name, const char* file, int line, minors which,
                                 body run) {
  const auto add = [&](int major, const std::string& suffix, choice choose) {
    const std::string suite_name = std::string(suite) + "_on_" + std::to_string(major) + suffix;
    const auto chosen = [run, major, choose] {
      const postgres_install* install = choose(major);
      BOOST_REQUIRE_MESSAGE(install != nullptr, missing(major, choose));
      BOOST_TEST_MESSAGE("Postgres " << install->version << " of " << install->bin.string());
      run(*install);
    };
    const auto at = static_cast<std::size_t>(line);
    suite_for(suite_name, major, choose, file, at).add(boost_test::make_test_case(chosen, name, file, at));
  };
  for (const int major : all_majors) {
    add(major, "", install_of);
    if (which == minors::newest_and_oldest) add(major, "_oldest", oldest_install_of);
  }
}

boost::test_tools::assertion_result every_major_is_installed(boost_test::test_unit_id) {
  for (const int major : all_majors)
    if (auto answer = may_run(major, install_of); !answer) return answer;
  return true;
}

}  // namespace strata::tests
