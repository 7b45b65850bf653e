#include "cli/membership_change.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace cli;
using consensus::configuration;
using consensus::member;
using consensus::node_id;

member one(std::uint64_t id) { return {node_id{id}, "h", static_cast<std::uint16_t>(5000 + id)}; }
member_log log(std::uint64_t id, std::uint32_t generation, std::uint64_t last_log_term, std::uint64_t flush,
               std::uint64_t term = 7) {
  return {node_id{id}, generation, term, {last_log_term, core::lsn{flush}}};
}

const configuration before{1, {one(1), one(2), one(3)}, std::nullopt};
const configuration changing{2, before.members, std::vector{one(1), one(3), one(4)}};
const configuration after{3, *changing.new_members, std::nullopt};

core::errc refusal(const configuration& now, std::uint64_t from, std::uint64_t to) {
  const auto stage = stage_of(now, node_id{from}, node_id{to});
  BOOST_REQUIRE(!stage);
  return stage.error().code;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cli_membership_change)

BOOST_AUTO_TEST_CASE(the_configuration_tells_where_a_replacement_stands) {
  BOOST_TEST(stage_of(before, {2}, {4}).value() == change_stage::to_begin);
  BOOST_TEST(stage_of(changing, {2}, {4}).value() == change_stage::to_finish);
  BOOST_TEST(stage_of(after, {2}, {4}).value() == change_stage::to_tidy);
  BOOST_TEST((members_after(before, {2}, one(4)) == after.members));
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused) {
  BOOST_TEST(refusal(before, 2, 2) == core::errc::invalid_argument);
  BOOST_TEST(refusal(before, 4, 5) == core::errc::invalid_argument);
  BOOST_TEST(refusal(before, 1, 2) == core::errc::invalid_argument);
  BOOST_TEST(refusal(changing, 1, 4) == core::errc::conflict);
  BOOST_TEST(refusal(changing, 2, 5) == core::errc::conflict);
  BOOST_TEST(refusal(changing, 4, 2) == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(the_goal_is_the_furthest_log_of_a_majority_that_has_gone_over) {
  BOOST_TEST(!goal_of(changing, {log(1, 2, 5, 100)}));
  // Of generation 1 it may still have something committed; a new member is no old one.
  BOOST_TEST(!goal_of(changing, {log(1, 2, 5, 100), log(2, 1, 5, 120), log(4, 2, 5, 100)}));
  BOOST_TEST((goal_of(changing, {log(1, 2, 5, 100), log(3, 2, 5, 90, 8)}) == change_goal{{5, core::lsn{100}}, 8}));
  // A longer log of an older term has nothing more that is committed.
  BOOST_TEST((goal_of(changing, {log(1, 2, 5, 100), log(3, 2, 6, 90)}) == change_goal{{6, core::lsn{90}}, 7}));
}

BOOST_AUTO_TEST_CASE(it_may_finish_when_the_new_one_and_a_majority_have_it) {
  const change_goal goal{{5, core::lsn{100}}, 7};
  const auto may = [&](const std::vector<member_log>& logs) { return may_finish(changing, {4}, goal, logs); };
  BOOST_TEST(may({log(1, 2, 5, 100), log(4, 2, 5, 100)}));
  BOOST_TEST(may({log(1, 2, 6, 90), log(4, 2, 6, 90)}));
  BOOST_TEST(!may({log(1, 2, 5, 100), log(3, 2, 5, 100)}));
  BOOST_TEST(!may({log(1, 2, 5, 100), log(3, 2, 5, 100), log(4, 2, 5, 99)}));
  BOOST_TEST(!may({log(1, 2, 5, 100), log(4, 1, 5, 100)}));
  // The one that goes does not count.
  BOOST_TEST(!may({log(2, 2, 5, 100), log(4, 2, 5, 100)}));
  BOOST_TEST(!may({log(1, 2, 4, 200), log(3, 2, 5, 99), log(4, 2, 5, 100)}));
  // They would vote in a term that somebody has already.
  BOOST_TEST(!may({log(1, 2, 5, 100), log(4, 2, 5, 100, 6)}));
  BOOST_TEST(!may({log(1, 2, 5, 100, 6), log(4, 2, 5, 100)}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
