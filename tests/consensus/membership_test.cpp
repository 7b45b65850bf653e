#include "consensus/membership.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "tests/consensus/printing.hpp"
#include "tests/support/printing.hpp"

namespace strata::consensus {

namespace {

std::vector<member> nodes(std::initializer_list<std::uint64_t> ids) {
  std::vector<member> made;
  for (const std::uint64_t id : ids) made.push_back({{id}, "127.0.0.1", static_cast<std::uint16_t>(5000 + id)});
  return made;
}
std::function<bool(node_id)> only(std::set<std::uint64_t> ids) {
  return [ids = std::move(ids)](node_id id) { return ids.contains(id.value); };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(consensus_membership)

BOOST_AUTO_TEST_CASE(a_quorum_is_a_majority_of_each_set) {
  const configuration three{1, nodes({1, 2, 3}), std::nullopt};
  BOOST_TEST(!three.is_quorum(only({1})));
  BOOST_TEST(three.is_quorum(only({1, 3})));
  BOOST_TEST(!three.is_quorum(only({1, 7, 8})));
  const configuration four{1, nodes({1, 2, 3, 4}), std::nullopt};
  BOOST_TEST(!four.is_quorum(only({1, 2})));
  BOOST_TEST(four.is_quorum(only({1, 2, 3})));
  const configuration joint{2, nodes({1, 2, 3}), nodes({3, 4, 5})};
  BOOST_TEST(!joint.is_quorum(only({1, 2, 3})));
  BOOST_TEST(!joint.is_quorum(only({3, 4, 5})));
  BOOST_TEST(joint.is_quorum(only({1, 3, 4})));
}

BOOST_AUTO_TEST_CASE(a_position_counts_when_a_quorum_reached_it) {
  std::map<std::uint64_t, std::uint64_t> reached{{1, 10}, {2, 20}, {3, 30}, {4, 5}, {5, 40}};
  const auto position = [&](node_id id) { return at(reached[id.value]); };
  BOOST_TEST((configuration{1, nodes({1, 2, 3}), std::nullopt}.quorum_position(position)) == at(20));
  BOOST_TEST((configuration{1, nodes({1, 2, 3, 4}), std::nullopt}.quorum_position(position)) == at(10));
  BOOST_TEST((configuration{2, nodes({1, 2, 3}), nodes({3, 4, 5})}.quorum_position(position)) == at(20));
  BOOST_TEST((configuration{2, nodes({2, 3, 5}), nodes({1, 2, 4})}.quorum_position(position)) == at(10));
  BOOST_TEST(configuration().quorum_position(position) == at(0));
}

BOOST_AUTO_TEST_CASE(tells_how_many_may_still_be_lost) {
  const configuration five{1, nodes({1, 2, 3, 4, 5}), std::nullopt};
  BOOST_TEST(five.can_lose(only({1, 2, 3, 4, 5})) == 2);
  BOOST_TEST(five.can_lose(only({1, 2, 3})) == 0);
  BOOST_TEST(five.can_lose(only({1, 2})) == -1);
  BOOST_TEST(five.can_lose(only({})) == -1);
  const configuration joint{2, nodes({1, 2, 3}), nodes({2, 3, 4, 5, 6})};
  BOOST_TEST(joint.can_lose(only({1, 2, 3, 4, 5, 6})) == 1);
  BOOST_TEST(joint.can_lose(only({1, 2, 3, 4})) == 0);
  BOOST_TEST(joint.can_lose(only({1, 2, 3})) == -1);
}

BOOST_AUTO_TEST_CASE(refuses_sets_that_can_be_no_quorum) {
  const auto refuses = [](const configuration& of) {
    const auto checked = check(of);
    return !checked && checked.error().code == core::errc::invalid_argument;
  };
  BOOST_TEST(refuses({1, {}, std::nullopt}));
  BOOST_TEST(refuses({1, nodes({1, 2, 1}), std::nullopt}));
  BOOST_TEST(refuses({1, nodes({0, 2}), std::nullopt}));
  BOOST_TEST(refuses({1, nodes({1}), nodes({})}));
  BOOST_TEST(refuses({1, nodes({1}), nodes({2, 2})}));
  std::vector<member> many;
  for (std::uint64_t id = 1; id <= members_max + 1; ++id) many.push_back({{id}, "h", 1});
  BOOST_TEST(refuses({1, many, std::nullopt}));
  many.pop_back();
  BOOST_TEST(!refuses({1, many, std::nullopt}));
}

BOOST_AUTO_TEST_CASE(changes_in_two_steps) {
  const configuration first{4, nodes({1, 2, 3}), std::nullopt};
  const auto joint = begin_change(first, nodes({2, 3, 4}));
  BOOST_REQUIRE(joint.has_value());
  BOOST_TEST((*joint == configuration{5, nodes({1, 2, 3}), nodes({2, 3, 4})}));
  BOOST_TEST(joint->changing());
  BOOST_TEST(joint->contains({4}));
  BOOST_TEST((joint->all() == nodes({1, 2, 3, 4})));
  BOOST_TEST((finish_change(*joint) == configuration{6, nodes({2, 3, 4}), std::nullopt}));
  BOOST_TEST((abandon_change(*joint) == configuration{6, nodes({1, 2, 3}), std::nullopt}));
  const auto again = begin_change(*joint, nodes({5}));
  BOOST_REQUIRE(!again.has_value());
  BOOST_TEST(again.error().code == core::errc::conflict);
  BOOST_TEST(begin_change(first, {}).error().code == core::errc::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::consensus
