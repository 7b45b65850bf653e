#include "page_files/fill_table.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "tests/page_files/made_map.hpp"

namespace strata::tests {
namespace {

using page_files::fill_table;
using page_files::page_map;
using verdicts = std::map<fill_table::ticket, std::optional<core::errc>>;

/// A table over one file of 1,000 pages (and a second one) with what it has said.
struct table_fixture {
  page_map map = made_map({1000, 1000});
  fill_table table{map, {}};

  verdicts decided() {
    verdicts all;
    while (const auto next = table.next_verdict()) BOOST_TEST_REQUIRE(all.emplace(next->of, next->denied).second);
    return all;
  }
  std::vector<fill_table::fetch> fetches() {
    std::vector<fill_table::fetch> all;
    while (const auto next = table.next_fetch()) all.push_back(*next);
    return all;
  }
  fill_table::fetch only_fetch() {
    const auto all = fetches();
    BOOST_TEST_REQUIRE(all.size() == 1u);
    return all.front();
  }
  bool allowed(fill_table::ticket ticket) {
    const auto all = decided();
    return all.size() == 1 && all.contains(ticket) && !all.at(ticket);
  }
  bool quiet() { return decided().empty(); }
};

const verdicts both_allowed{{1, std::nullopt}, {2, std::nullopt}};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(page_files_fill_table, table_fixture)

BOOST_AUTO_TEST_CASE(an_access_goes_on_once_its_pages_are_filled) {
  table.want(0, 5, 2, 1);
  BOOST_TEST(quiet());
  const auto fetch = only_fetch();
  BOOST_TEST(fetch.first == 5u);
  BOOST_TEST(fetch.count == 2u);
  BOOST_TEST(fetches().empty());
  BOOST_TEST(quiet());
  BOOST_TEST(table.writable(fetch.id).steady == 2u);
  table.filled(fetch.id);
  BOOST_TEST(allowed(1));
  BOOST_TEST((map.present(0, 5) && map.present(0, 6) && !map.present(0, 4) && !map.present(0, 7)));
  table.want(0, 5, 2, 2);
  BOOST_TEST(allowed(2));
}

BOOST_AUTO_TEST_CASE(an_access_waits_for_the_claims_of_others_and_fetches_the_rest) {
  table.want(0, 10, 4, 1);
  const auto first = only_fetch();
  table.want(0, 12, 4, 2);
  const auto second = only_fetch();
  BOOST_TEST(second.first == 14u);
  BOOST_TEST(second.count == 2u);
  table.filled(second.id);
  BOOST_TEST(quiet());
  table.filled(first.id);
  BOOST_TEST((decided() == both_allowed));
}

BOOST_AUTO_TEST_CASE(a_large_access_is_fetched_in_pieces_and_within_the_pages_in_flight) {
  fill_table small(map, {.pages_max = 200});
  small.want(0, 0, 1000, 1);
  const auto first = small.next_fetch();
  const auto second = small.next_fetch();
  BOOST_TEST_REQUIRE((first && second));
  BOOST_TEST(first->count == page_files::page_range::count_max);
  BOOST_TEST(second->count == 200 - page_files::page_range::count_max);
  BOOST_TEST(!small.next_fetch());
  small.filled(second->id);
  const auto third = small.next_fetch();
  BOOST_TEST_REQUIRE(third.has_value());
  BOOST_TEST(third->first == 200u);
}

BOOST_AUTO_TEST_CASE(pages_at_the_limit_are_never_filled) {
  table.lower_limit(0, 100);
  table.want(0, 100, 1, 1);
  BOOST_TEST(allowed(1));
  table.want(0, 99, 2, 2);
  const auto fetch = only_fetch();
  BOOST_TEST(fetch.first == 99u);
  BOOST_TEST(fetch.count == 1u);
  table.lower_limit(0, 1000);
  table.want(0, 500, 1, 3);
  BOOST_TEST(allowed(3));
}

BOOST_AUTO_TEST_CASE(a_growth_waits_for_a_claim_above_the_new_limit_and_drops_its_pages) {
  table.want(0, 98, 6, 1);
  const auto fetch = only_fetch();
  table.lower_limit(0, 100);
  // A write at 102 while an old page 102 is on its way.
  table.want(0, 102, 1, 2);
  BOOST_TEST(quiet());
  BOOST_TEST(table.writable(fetch.id).count == 2u);
  table.filled(fetch.id);
  BOOST_TEST(!map.present(0, 100));
  BOOST_TEST((decided() == both_allowed));
}

BOOST_AUTO_TEST_CASE(a_truncation_waits_for_the_claims_that_reach_into_what_it_cuts) {
  table.want(0, 98, 3, 1);
  const auto across = only_fetch();
  table.want(0, 90, 2, 2);
  const auto below = only_fetch();
  table.want(0, 700, 1, 3);
  const auto above = only_fetch();
  table.shrink(0, 100, 9);
  BOOST_TEST(quiet());
  table.filled(above.id);
  BOOST_TEST(allowed(3));
  table.filled(across.id);
  BOOST_TEST((decided() == verdicts{{1, std::nullopt}, {9, std::nullopt}}));
  table.filled(below.id);
  BOOST_TEST(allowed(2));
}

BOOST_AUTO_TEST_CASE(a_truncation_does_not_wait_for_the_page_below_it) {
  table.want(0, 99, 1, 1);
  const auto below = only_fetch();
  table.shrink(0, 100, 2);
  BOOST_TEST(allowed(2));
  table.shrink(0, 99, 3);
  BOOST_TEST(quiet());
  table.failed(below.id, core::errc::timeout);
  BOOST_TEST((decided() == verdicts{{1, core::errc::timeout}, {3, std::nullopt}}));
}

BOOST_AUTO_TEST_CASE(above_a_truncation_only_what_is_asked_for_is_filled_and_not_steadily) {
  table.shrink(0, 100, 1);
  BOOST_TEST(allowed(1));
  table.want_ahead(0, 90, 100);
  const auto ahead = only_fetch();
  BOOST_TEST(ahead.first == 90u);
  BOOST_TEST(ahead.count == 10u);
  BOOST_TEST(table.writable(ahead.id).steady == 10u);
  table.want(0, 99, 3, 2);
  const auto asked = only_fetch();
  BOOST_TEST(asked.first == 100u);
  BOOST_TEST(table.writable(asked.id).count == 2u);
  BOOST_TEST(table.writable(asked.id).steady == 0u);
  // A claim of after the truncation does not hold up the next one of the same size.
  table.shrink(0, 300, 3);
  BOOST_TEST(allowed(3));
}

BOOST_AUTO_TEST_CASE(a_claim_from_before_a_truncation_is_no_longer_steady_after_it) {
  table.want(0, 98, 4, 1);
  const auto fetch = only_fetch();
  BOOST_TEST(table.writable(fetch.id).steady == 4u);
  table.shrink(0, 100, 2);
  BOOST_TEST(table.writable(fetch.id).steady == 2u);
  BOOST_TEST(table.writable(fetch.id).count == 4u);
}

BOOST_AUTO_TEST_CASE(a_page_is_not_fetched_after_all_of_a_large_access_that_came_before) {
  fill_table small(map, {.fetches_max = 2});
  small.want(0, 0, 1000, 1);
  small.want(1, 7, 1, 2);
  const auto first = small.next_fetch();
  const auto second = small.next_fetch();
  BOOST_TEST_REQUIRE((first && second));
  BOOST_TEST(first->file == 0u);
  BOOST_TEST(second->file == 1u);
}

BOOST_AUTO_TEST_CASE(a_failed_fetch_denies_those_that_waited_when_it_began_and_no_others) {
  table.want(0, 5, 1, 1);
  table.want(0, 6, 1, 2);
  const auto all = fetches();
  BOOST_TEST_REQUIRE(all.size() == 2u);
  table.want(0, 5, 2, 3);
  table.failed(all[0].id, core::errc::timeout);
  BOOST_TEST((decided() == verdicts{{1, core::errc::timeout}}));
  const auto again = only_fetch();
  BOOST_TEST(again.first == 5u);
  table.filled(all[1].id);
  BOOST_TEST(allowed(2));
  table.filled(again.id);
  BOOST_TEST(allowed(3));
}

BOOST_AUTO_TEST_CASE(a_fetch_for_nobody_comes_after_those_that_are_asked_for) {
  table.want_ahead(1, 0, 1000);
  table.want(0, 5, 1, 1);
  const auto all = fetches();
  BOOST_TEST_REQUIRE(all.size() > 2u);
  BOOST_TEST(all[0].file == 0u);
  BOOST_TEST(all[1].file == 1u);
  std::uint32_t ahead = 0;
  for (std::size_t i = 1; i < all.size(); ++i) ahead += all[i].count;
  BOOST_TEST(ahead == 1000u);
  BOOST_TEST(!table.has_ahead());
}

BOOST_AUTO_TEST_CASE(what_is_wanted_ahead_behind_the_asked_for_page_comes_with_it) {
  table.want(0, 5, 1, 1);
  table.want_ahead(0, 6, 16);
  const auto fetch = only_fetch();
  BOOST_TEST(fetch.first == 5u);
  BOOST_TEST(fetch.count == 17u);
}

BOOST_AUTO_TEST_CASE(pages_ahead_leave_room_for_those_that_are_asked_for) {
  fill_table small(map, {.pages_max = 300, .pages_ahead_max = 200});
  small.want_ahead(0, 0, 1000);
  std::uint32_t ahead = 0;
  while (const auto next = small.next_fetch()) ahead += next->count;
  BOOST_TEST(ahead == 200u);
  small.want(1, 0, 1, 1);
  BOOST_TEST(small.next_fetch().has_value());
}

BOOST_AUTO_TEST_CASE(a_forgotten_ticket_is_never_decided) {
  table.want(0, 5, 1, 1);
  const auto fetch = only_fetch();
  table.forget(1);
  table.filled(fetch.id);
  BOOST_TEST(quiet());
  BOOST_TEST(map.present(0, 5));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
