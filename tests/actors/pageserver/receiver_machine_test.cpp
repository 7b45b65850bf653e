#include "actors/pageserver/ingest/receiver_machine.hpp"

#include <boost/test/unit_test.hpp>
#include <utility>
#include <vector>

using strata::actors::pageserver::receiver_machine;
using state = receiver_machine::state;

namespace {

receiver_machine listening() {
  receiver_machine made;
  made.connect();
  made.connected();
  return made;
}

using begin = void (receiver_machine::*)();
const std::vector<std::pair<begin, state>> jobs{{&receiver_machine::import_piece, state::importing},
                                                {&receiver_machine::open_decoder, state::opening},
                                                {&receiver_machine::go_to_disk, state::waiting_for_disk}};

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_pageserver_receiver_machine)

BOOST_AUTO_TEST_CASE(a_receiver_listens_once_it_is_connected) {
  receiver_machine of;
  BOOST_TEST(of.is_idle());
  BOOST_TEST(of.may_connect());
  of.connect();
  BOOST_TEST((of.now() == state::connecting));
  BOOST_TEST(of.job_runs());
  BOOST_TEST(!of.is_idle());
  of.connected();
  BOOST_TEST(of.listens());
  BOOST_TEST(!of.may_connect());
  of.disconnected();
  BOOST_TEST(of.may_connect());
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_not_made_leaves_it_idle) {
  receiver_machine of;
  of.connect();
  of.disconnected();
  BOOST_TEST((of.now() == state::idle));
}

BOOST_AUTO_TEST_CASE(nothing_is_taken_in_while_a_job_runs) {
  for (const auto& [starts, in] : jobs) {
    receiver_machine of = listening();
    (of.*starts)();
    BOOST_TEST((of.now() == in));
    BOOST_TEST(of.job_runs());
    BOOST_TEST(!of.listens());
    of.job_done();
    BOOST_TEST(of.listens());
    BOOST_TEST(!of.job_runs());
  }
}

BOOST_AUTO_TEST_CASE(two_batches_are_without_an_answer_at_most) {
  receiver_machine of = listening();
  for (int i = 0; i < receiver_machine::in_flight_max; ++i) {
    BOOST_TEST(of.may_hand_over());
    of.handed_over();
  }
  BOOST_TEST(!of.may_hand_over());
  of.wait_for_credit();
  BOOST_TEST(!of.listens());
  BOOST_TEST(!of.job_runs());
  BOOST_TEST(of.answered());
  BOOST_TEST(of.listens());
  BOOST_TEST(of.may_hand_over());
  BOOST_TEST(!of.answered());  // nobody waited for this one
  BOOST_TEST(of.in_flight() == 0);
}

BOOST_AUTO_TEST_CASE(an_answer_that_comes_while_a_job_runs_does_not_end_it) {
  receiver_machine of = listening();
  of.handed_over();
  of.go_to_disk();
  BOOST_TEST(!of.answered());
  BOOST_TEST((of.now() == state::waiting_for_disk));
}

BOOST_AUTO_TEST_CASE(it_connects_again_when_the_last_batch_was_answered) {
  receiver_machine of = listening();
  of.handed_over();
  of.wait_for_credit();
  of.disconnected();
  BOOST_TEST(of.is_idle());
  BOOST_TEST(!of.may_connect());
  BOOST_TEST(!of.answered());
  BOOST_TEST(of.may_connect());
}

BOOST_AUTO_TEST_CASE(a_refused_source_is_not_connected_to_until_it_is_resumed) {
  receiver_machine of = listening();
  BOOST_TEST(!of.resume());
  of.refuse();
  BOOST_TEST((of.now() == state::refused));
  BOOST_TEST(of.is_idle());
  of.disconnected();
  BOOST_TEST(!of.may_connect());
  BOOST_TEST(of.resume());
  BOOST_TEST(of.may_connect());
}

BOOST_AUTO_TEST_SUITE_END()
