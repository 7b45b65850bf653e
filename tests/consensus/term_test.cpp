#include "consensus/term.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/consensus/printing.hpp"

namespace strata::consensus {

BOOST_AUTO_TEST_SUITE(consensus_term)

BOOST_AUTO_TEST_CASE(is_well_formed_when_terms_ascend_and_positions_do_not_descend) {
  using entries = std::vector<term_start>;
  BOOST_TEST(term_history::well_formed(entries{}));
  BOOST_TEST(term_history::well_formed(entries{{{1}, at(8)}, {{4}, at(8)}, {{5}, at(9)}}));
  BOOST_TEST(!term_history::well_formed(entries{{{0}, at(8)}}));
  BOOST_TEST(!term_history::well_formed(entries{{{1}, at(0)}}));
  BOOST_TEST(!term_history::well_formed(entries{{{1}, at(8)}, {{1}, at(9)}}));
  BOOST_TEST(!term_history::well_formed(entries{{{2}, at(8)}, {{1}, at(9)}}));
  BOOST_TEST(!term_history::well_formed(entries{{{1}, at(8)}, {{2}, at(7)}}));
}

BOOST_AUTO_TEST_CASE(knows_who_wrote_last_in_a_log_that_ends_somewhere) {
  const term_history of = history({{1, 10}, {3, 20}, {4, 20}});
  BOOST_TEST(of.last_term_at(at(9)) == term{0});
  BOOST_TEST(of.last_term_at(at(10)) == term{1});
  BOOST_TEST(of.last_term_at(at(19)) == term{1});
  BOOST_TEST(of.last_term_at(at(20)) == term{4});
  BOOST_TEST(of.up_to(at(9)) == term_history());
  BOOST_TEST(of.up_to(at(19)) == history({{1, 10}}));
  BOOST_TEST(of.up_to(at(20)) == of);
  BOOST_TEST(of.with({{5}, at(30)}) == history({{1, 10}, {3, 20}, {4, 20}, {5, 30}}));
  BOOST_TEST(of.start() == at(10));
  BOOST_TEST(term_history().start() == at(0));
}

BOOST_AUTO_TEST_CASE(logs_are_the_same_up_to_their_common_point) {
  const term_history proposer = history({{1, 10}, {3, 30}, {5, 50}});
  // The same reigns: as far as the shorter log reaches.
  BOOST_TEST(common_point(history({{1, 10}, {3, 30}}), at(40), proposer) == at(40));
  // The last reign in common went on longer in our log than in the proposer's, and the other way round.
  BOOST_TEST(common_point(history({{1, 10}, {3, 30}}), at(60), proposer) == at(50));
  BOOST_TEST(common_point(history({{1, 10}, {2, 20}}), at(60), proposer) == at(20));
  BOOST_TEST(common_point(history({{1, 10}, {4, 45}}), at(60), proposer) == at(30));
  // Entries behind the end of the log have not written in it.
  BOOST_TEST(common_point(history({{1, 10}, {2, 20}}), at(15), proposer) == at(15));
  BOOST_TEST(common_point(history({{1, 10}, {3, 30}, {5, 50}}), at(20), proposer) == at(20));
  // Nothing in common.
  BOOST_TEST(common_point(history({{2, 10}}), at(15), proposer) == at(0));
  BOOST_TEST(common_point(term_history(), at(0), proposer) == at(0));
  // In the same term it is all of it, which is what keeps a reconnect from cutting.
  BOOST_TEST(common_point(proposer, at(70), proposer) == at(70));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::consensus
