#include "storage/side_files/side_file_rules.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace storage;
using numbers = std::vector<std::uint64_t>;

side_file_record version(std::uint64_t number, std::uint64_t at, bool proven = false,
                         const std::string& name = "postgresql.auto.conf") {
  side_file_record made;
  made.number = number;
  made.name = name;
  made.at = core::lsn(at);
  made.proven = proven;
  return made;
}

BOOST_AUTO_TEST_SUITE(storage_side_files_rules)

BOOST_AUTO_TEST_CASE(only_the_files_that_last_have_a_kind) {
  BOOST_TEST((*side_file_kind_of("postgresql.auto.conf") == side_file_kind::settings));
  BOOST_TEST((*side_file_kind_of("pg_stat/pgstat.stat") == side_file_kind::statistics));
  BOOST_TEST((*side_file_kind_of("pg_stat/db_16384.stat") == side_file_kind::statistics));
  BOOST_TEST((*side_file_kind_of("autoprewarm.blocks") == side_file_kind::prewarm));
  for (const char* name : {"", "PG_VERSION", "pg_stat/../pg_hba.conf", "pg_stat/db_.stat", "pg_stat/db_1x.stat",
                           "pg_stat/db_12345678901.stat", "../postgresql.conf", "pg_stat/", "db_1.stat"})
    BOOST_TEST(!side_file_kind_of(name), name);
}

BOOST_AUTO_TEST_CASE(the_newest_version_at_or_below_an_lsn_holds) {
  const std::vector<side_file_record> all{version(1, 100, true), version(2, 200), version(3, 200), version(4, 300)};
  const auto number_at = [&](std::uint64_t at, bool proven_only) {
    const auto* found = side_file_at(all, "postgresql.auto.conf", core::lsn(at), proven_only);
    return found == nullptr ? 0 : found->number;
  };
  BOOST_TEST(number_at(99, false) == 0u);
  BOOST_TEST(number_at(100, false) == 1u);
  BOOST_TEST(number_at(200, false) == 3u);
  BOOST_TEST(number_at(1000, false) == 4u);
  BOOST_TEST(number_at(1000, true) == 1u);
  BOOST_TEST((side_file_at(all, "pg_hba.conf", core::lsn::max(), false) == nullptr));
}

BOOST_AUTO_TEST_CASE(a_collection_keeps_what_the_horizon_the_points_and_the_head_need) {
  const std::vector<side_file_record> all{version(1, 100), version(2, 200), version(3, 300), version(4, 400),
                                          version(5, 500)};
  BOOST_TEST(removable_side_files(all, core::lsn(), {}) == numbers(), boost::test_tools::per_element());
  const numbers below{1, 2, 3};
  BOOST_TEST(removable_side_files(all, core::lsn(450), {}) == below, boost::test_tools::per_element());
  const std::vector<core::lsn> branch{core::lsn(250)};
  const numbers without_the_branch{1, 3};
  BOOST_TEST(removable_side_files(all, core::lsn(450), branch) == without_the_branch, boost::test_tools::per_element());
  const numbers all_but_the_head{1, 2, 3, 4};
  BOOST_TEST(removable_side_files(all, core::lsn::max(), {}) == all_but_the_head, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_last_proven_version_stays_whatever_came_after_it) {
  const std::vector<side_file_record> all{version(1, 100, true), version(2, 200, true), version(3, 300),
                                          version(4, 400)};
  const numbers expected{1, 3};
  BOOST_TEST(removable_side_files(all, core::lsn::max(), {}) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(of_too_many_versions_those_go_that_held_over_the_least_wal) {
  std::vector<side_file_record> all;
  const std::size_t versions_max = limits_of(side_file_kind::statistics).versions_max;
  // Every second one holds for one byte only.
  for (std::uint64_t i = 0; i < versions_max; ++i)
    all.push_back(version(i + 1, 1000 * (i / 2 + 1) + (i % 2 == 0 ? 0 : 999), false, "pg_stat/pgstat.stat"));
  BOOST_TEST(removable_side_files(all, core::lsn(), {}) == numbers(), boost::test_tools::per_element());
  all.push_back(version(100, 900'000, false, "pg_stat/pgstat.stat"));
  all.push_back(version(101, 900'001, false, "pg_stat/pgstat.stat"));
  const numbers shortest{2, 4};
  BOOST_TEST(removable_side_files(all, core::lsn(), {}) == shortest, boost::test_tools::per_element());
  // What a branch needs does not count.
  const std::vector<core::lsn> branches{all[1].at, core::lsn(900'000)};
  const auto with_branches = removable_side_files(all, core::lsn(), branches);
  BOOST_TEST((std::ranges::find(with_branches, 2u) == with_branches.end()));
  BOOST_TEST((std::ranges::find(with_branches, 100u) == with_branches.end()));
  BOOST_TEST(with_branches.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
