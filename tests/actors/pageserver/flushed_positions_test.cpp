#include <boost/test/unit_test.hpp>

#include "actors/pageserver/quorum/flushed_positions.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {

using namespace actors::pageserver;
using core::lsn;

BOOST_AUTO_TEST_SUITE(actors_pageserver_flushed_positions)

BOOST_AUTO_TEST_CASE(what_may_have_been_acknowledged_is_bounded_by_a_majority) {
  const auto member = [](std::uint64_t id) { return consensus::member{{id}, "h", 1}; };
  consensus::configuration three{.generation = 1, .members = {member(1), member(2), member(3)}, .new_members = {}};
  const auto bound = [&](const std::map<consensus::node_id, lsn>& flushed) {
    return acknowledged_at_most(three, flushed);
  };
  BOOST_TEST(bound({{{1}, lsn(300)}, {{2}, lsn(200)}, {{3}, lsn(100)}}).value() == lsn(200));
  // One that does not answer may have anything: with it, the furthest that does is a majority.
  BOOST_TEST(bound({{{1}, lsn(300)}, {{3}, lsn(100)}}).value() == lsn(300));
  BOOST_TEST(!bound({{{2}, lsn(200)}}).has_value());
  BOOST_TEST(!bound({}).has_value());
  // While members change, both sets count: what neither set can have was not acknowledged.
  three.new_members = {{member(3), member(4), member(5)}};
  BOOST_TEST(bound({{{1}, lsn(300)}, {{2}, lsn(200)}, {{3}, lsn(100)}, {{4}, lsn(100)}, {{5}, lsn(50)}}).value() ==
             lsn(100));
  BOOST_TEST(bound({{{1}, lsn(300)}, {{2}, lsn(200)}, {{3}, lsn(100)}}).value() == lsn(200));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
