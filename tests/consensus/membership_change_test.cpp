#include "consensus/membership_change.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::tests {
namespace {

using namespace consensus;

member one(std::uint64_t id) { return {node_id{id}, "h", static_cast<std::uint16_t>(5000 + id)}; }
member_log log(std::uint64_t id, std::uint32_t generation, std::uint64_t last_log_term, std::uint64_t flush,
               std::uint64_t term = 7) {
  return {node_id{id}, generation, consensus::term{term}, {consensus::term{last_log_term}, core::lsn{flush}}};
}

const configuration before{1, {one(1), one(2), one(3)}, std::nullopt};
const configuration changing{2, before.members, std::vector{one(1), one(3), one(4)}};
const configuration after{3, *changing.new_members, std::nullopt};

/// Of a branch whose former members are 2 and 7.
core::errc refusal(const configuration& now, std::uint64_t from, std::uint64_t to) {
  const auto stage = stage_of(now, {{2}, {7}}, node_id{from}, node_id{to});
  BOOST_REQUIRE(!stage);
  return stage.error().code;
}

change_goal goal_at(std::uint64_t last_log_term, std::uint64_t flush, std::uint64_t in) {
  return {{term{last_log_term}, core::lsn{flush}}, term{in}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(consensus_membership_change)

BOOST_AUTO_TEST_CASE(the_configuration_tells_where_a_replacement_stands) {
  BOOST_TEST((stage_of(before, {}, {2}, {4}).value() == change_stage::to_begin));
  BOOST_TEST((stage_of(changing, {}, {2}, {4}).value() == change_stage::to_finish));
  BOOST_TEST((stage_of(after, {{2}}, {2}, {4}).value() == change_stage::to_tidy));
  // A member again: the next replacement of it has not begun.
  BOOST_TEST((stage_of(before, {{4}}, {2}, {4}).value() == change_stage::to_begin));
  BOOST_TEST((members_after(before, {2}, one(4)) == after.members));
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused) {
  BOOST_TEST((refusal(before, 2, 2) == core::errc::invalid_argument));
  BOOST_TEST((refusal(before, 4, 5) == core::errc::invalid_argument));
  BOOST_TEST((refusal(before, 1, 2) == core::errc::invalid_argument));
  BOOST_TEST((refusal(changing, 1, 4) == core::errc::conflict));
  BOOST_TEST((refusal(changing, 2, 5) == core::errc::conflict));
  BOOST_TEST((refusal(changing, 4, 2) == core::errc::conflict));
}

BOOST_AUTO_TEST_CASE(a_safekeeper_that_never_was_a_member_is_not_one_that_was_replaced) {
  BOOST_TEST((stage_of(after, {{2}}, {2}, {1}).value() == change_stage::to_tidy));
  for (const std::uint64_t never : {5, 9}) {
    const auto stage = stage_of(after, {{2}}, node_id{never}, {1});
    BOOST_REQUIRE(!stage);
    BOOST_TEST((stage.error().code == core::errc::invalid_argument));
    BOOST_TEST(stage.error().detail ==
               "safekeeper " + std::to_string(never) + " is not a member of the branch; its safekeepers are 1, 3, 4");
  }
  BOOST_TEST((refusal(before, 9, 1) == core::errc::invalid_argument));
  BOOST_TEST((refusal(before, 7, 9) == core::errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(the_goal_is_the_furthest_log_of_a_majority_that_has_installed_the_change) {
  const auto goal = [](const std::vector<member_log>& reports) {
    return decide_change(changing, std::nullopt, {}, reports).goal;
  };
  BOOST_TEST(!goal({log(1, 2, 5, 100)}));
  // In generation 1 it may still get something committed; a new member is no old one.
  BOOST_TEST(!goal({log(1, 2, 5, 100), log(2, 1, 5, 120), log(4, 2, 5, 100)}));
  BOOST_TEST((goal({log(1, 2, 5, 100), log(3, 2, 5, 90, 8)}) == goal_at(5, 100, 8)));
  // A longer log of an older term has nothing more that is committed.
  BOOST_TEST((goal({log(1, 2, 5, 100), log(3, 2, 6, 90)}) == goal_at(6, 90, 7)));
}

BOOST_AUTO_TEST_CASE(without_a_goal_the_change_is_installed) {
  BOOST_TEST((decide_change(changing, std::nullopt, {}, {}).next == change_step::install));
  const auto decided = decide_change(changing, std::nullopt, {{4}}, {log(3, 2, 5, 100), log(4, 2, 5, 100, 6)});
  BOOST_TEST((decided.next == change_step::install));
  BOOST_TEST(decided.below_term.empty());
}

BOOST_AUTO_TEST_CASE(a_goal_that_is_set_stays) {
  const auto decided = decide_change(changing, goal_at(5, 100, 7), {}, {log(1, 2, 5, 200, 9), log(3, 2, 5, 200, 9)});
  BOOST_TEST((decided.goal == goal_at(5, 100, 7)));
}

BOOST_AUTO_TEST_CASE(members_below_the_term_of_the_goal_are_named) {
  const auto decided = decide_change(changing, std::nullopt, {{4}},
                                     {log(1, 2, 5, 100, 8), log(2, 2, 5, 100), log(3, 1, 5, 100), log(4, 2, 5, 100)});
  BOOST_TEST((decided.next == change_step::catch_up));
  // Number 3 has not installed the change: it is asked again when it has.
  BOOST_TEST((decided.below_term == std::vector<node_id>{{2}, {4}}));
}

BOOST_AUTO_TEST_CASE(it_finishes_when_the_required_one_and_a_majority_have_reached_the_goal) {
  const auto finishes = [&](const std::vector<member_log>& reports) {
    return decide_change(changing, goal_at(5, 100, 7), {{4}}, reports).next == change_step::finish;
  };
  BOOST_TEST(finishes({log(1, 2, 5, 100), log(4, 2, 5, 100)}));
  BOOST_TEST(finishes({log(1, 2, 6, 90), log(4, 2, 6, 90)}));
  BOOST_TEST(!finishes({log(1, 2, 5, 100), log(3, 2, 5, 100)}));
  BOOST_TEST(!finishes({log(1, 2, 5, 100), log(3, 2, 5, 100), log(4, 2, 5, 99)}));
  BOOST_TEST(!finishes({log(1, 2, 5, 100), log(4, 1, 5, 100)}));
  // The one that is replaced does not count.
  BOOST_TEST(!finishes({log(2, 2, 5, 100), log(4, 2, 5, 100)}));
  BOOST_TEST(!finishes({log(1, 2, 4, 200), log(3, 2, 5, 99), log(4, 2, 5, 100)}));
  // They would vote in a term that already has a proposer.
  BOOST_TEST(!finishes({log(1, 2, 5, 100), log(4, 2, 5, 100, 6)}));
  BOOST_TEST(!finishes({log(1, 2, 5, 100, 6), log(4, 2, 5, 100)}));
}

BOOST_AUTO_TEST_CASE(a_safekeeper_that_is_left_out_may_delete_its_copy) {
  BOOST_TEST(check_left_out({2}, after).has_value());
  BOOST_TEST(check_deletion({2}, after, after).has_value());
  // It has kept a newer configuration, without it as well.
  BOOST_TEST(check_deletion({2}, after, {7, {one(1), one(3), one(5)}, std::nullopt}).has_value());
}

BOOST_AUTO_TEST_CASE(a_member_keeps_its_copy) {
  const auto member = check_left_out({4}, after);
  BOOST_REQUIRE(!member);
  BOOST_TEST((member.error().code == core::errc::invalid_argument));
  BOOST_TEST(member.error().detail == "safekeeper 4 is a member of this configuration");
  // While members change those of both sets count.
  BOOST_TEST(!check_left_out({2}, changing));
  BOOST_TEST(!check_left_out({4}, changing));
}

BOOST_AUTO_TEST_CASE(a_member_of_a_configuration_that_is_not_older_keeps_its_copy) {
  const configuration again{5, {one(1), one(2), one(3)}, std::nullopt};
  const auto late = check_deletion({2}, after, again);
  BOOST_REQUIRE(!late);
  BOOST_TEST((late.error().code == core::errc::conflict));
  BOOST_TEST(late.error().detail == "safekeeper 2 is a member in generation 5, not older than 3");
}

BOOST_AUTO_TEST_CASE(without_a_required_one_a_majority_of_the_new_members_suffices) {
  const auto finishes = [&](const std::vector<member_log>& reports) {
    return decide_change(changing, goal_at(5, 100, 7), {}, reports).next == change_step::finish;
  };
  BOOST_TEST(finishes({log(1, 2, 5, 100), log(3, 2, 5, 100)}));
  BOOST_TEST(!finishes({log(1, 2, 5, 100), log(2, 2, 5, 100)}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
