#include "page_files/failure_log.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/page_files/made_map.hpp"
#include "tests/support/printing.hpp"

namespace strata::page_files {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(page_files_failure_log)

BOOST_AUTO_TEST_CASE(a_reason_is_logged_once_a_second_and_the_same_one_once_a_minute) {
  const page_map map = tests::made_map({100});
  const fill_table::fetch damaged{.file = 0, .first = 7, .count = 3};
  const fill_table::fetch other{.file = 0, .first = 8, .count = 1};
  const core::error why{core::errc::corrupt, "wrong checksum"};
  failure_log log;
  const auto begin = failure_log::clock::now();
  BOOST_TEST(log.line(map, damaged, why, begin) ==
             "fetch 3 pages from 7 of " + map.file(0).path + ": wrong checksum (corrupt)");
  BOOST_TEST(log.line(map, other, why, begin + 999ms).empty());
  BOOST_TEST(log.line(map, damaged, why, begin + 2s).empty());
  BOOST_TEST(log.line(map, damaged, why, begin + 59'999ms).empty());
  BOOST_TEST(!log.line(map, damaged, why, begin + 60s).empty());
  BOOST_TEST(log.line(map, other, why, begin + 60'999ms).empty());
  BOOST_TEST(!log.line(map, other, why, begin + 61s).empty());
  BOOST_TEST(!log.line(map, damaged, why, begin + 62s).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::page_files
