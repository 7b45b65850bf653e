#include "page_files/access_pattern.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <random>
#include <set>

namespace strata::tests {
namespace {

using page_files::access_pattern;
constexpr std::uint32_t segment = 131072;

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_access_pattern)

BOOST_AUTO_TEST_CASE(a_reader_becomes_sequential_at_its_third_access_and_a_scan_after_two_megabytes) {
  access_pattern pattern;
  BOOST_TEST(pattern.observe(1, 0, 1, segment).count == 0u);
  BOOST_TEST(pattern.observe(1, 1, 1, segment).count == 0u);
  const auto first = pattern.observe(1, 2, 1, segment);
  BOOST_TEST(first.first == 3u);
  BOOST_TEST(first.count == access_pattern::window_min);
  std::uint32_t end = first.first + first.count;
  bool whole = false;
  for (std::uint32_t page = 3; page < 400; ++page)
    if (const auto ahead = pattern.observe(1, page, 1, segment); ahead.count != 0) {
      // Without a gap, and no page twice.
      BOOST_TEST_REQUIRE(ahead.first == end);
      end = ahead.first + ahead.count;
      if (end == segment) {
        BOOST_TEST(page + 1 >= access_pattern::scan_min);
        whole = true;
      } else {
        BOOST_TEST_REQUIRE(ahead.count <= access_pattern::window_max);
      }
    }
  BOOST_TEST(whole);
}

BOOST_AUTO_TEST_CASE(random_access_fetches_nothing_ahead) {
  auto pattern = std::make_unique<access_pattern>();
  std::mt19937 random(1);
  std::uint32_t ahead = 0;
  for (int i = 0; i < 10'000; ++i) ahead += pattern->observe(i % 5, random() % segment, 1, segment).count;
  BOOST_TEST(ahead < 100u);
}

BOOST_AUTO_TEST_CASE(the_same_page_again_is_no_progress) {
  access_pattern pattern;
  for (int i = 0; i < 100; ++i) BOOST_TEST(pattern.observe(1, 7, 1, segment).count == 0u);
}

BOOST_AUTO_TEST_CASE(two_scans_of_a_file_and_one_of_another_do_not_disturb_each_other) {
  access_pattern pattern;
  std::set<std::uint32_t> ahead;
  for (std::uint32_t i = 0; i < 20; ++i) {
    for (const std::uint32_t start : {0u, 50'000u}) {
      const auto pages = pattern.observe(3, start + i, 1, segment);
      for (std::uint32_t page = 0; page < pages.count; ++page) BOOST_TEST(ahead.insert(pages.first + page).second);
    }
    (void)pattern.observe(3 + 256, 100 + i, 1, segment);
  }
  BOOST_TEST(ahead.contains(20));
  BOOST_TEST(ahead.contains(50'020));
  BOOST_TEST(!ahead.contains(120));
}

BOOST_AUTO_TEST_CASE(nothing_is_fetched_ahead_behind_the_end) {
  access_pattern pattern;
  for (std::uint32_t page = 0; page < 10; ++page) {
    const auto ahead = pattern.observe(1, page, 1, 10);
    BOOST_TEST(ahead.first + ahead.count <= 10u);
  }
}

BOOST_AUTO_TEST_CASE(a_reader_that_skips_what_is_in_its_cache_is_still_sequential) {
  access_pattern pattern;
  std::uint32_t ahead = 0;
  for (std::uint32_t page = 0; page < 80; page += access_pattern::gap_max + 1)
    ahead += pattern.observe(1, page, 1, segment).count;
  BOOST_TEST(ahead > 0u);
  access_pattern far;
  for (std::uint32_t page = 0; page < 80; page += access_pattern::gap_max + 2)
    BOOST_TEST(far.observe(1, page, 1, segment).count == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
