#include <boost/test/unit_test.hpp>

#include "actors/broker/broker.hpp"
#include "actors/broker/broker_link.hpp"
#include "actors/broker/fan_out.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using actors::broker::fan_out;

fan_out::batch batch_of(std::size_t timelines, std::uint64_t term = 1) {
  std::vector<protocol::safekeeper_timeline_info> infos(timelines);
  for (auto& each : infos) each.term = term;
  return std::make_shared<const std::vector<protocol::safekeeper_timeline_info>>(std::move(infos));
}
std::uint64_t term_of(const fan_out::batch& of) { return of->front().term; }

BOOST_AUTO_TEST_SUITE(actors_broker_fan_out)

BOOST_AUTO_TEST_CASE(a_receiver_that_takes_gets_everything_in_order) {
  fan_out out;
  out.add(7);
  for (std::uint64_t term = 1; term <= 200; ++term) {
    BOOST_TEST(out.publish(batch_of(1, term)).size() == 1u);
    BOOST_TEST(!out.taken(7));
  }
  BOOST_TEST(out.dropped() == 0u);
}

BOOST_AUTO_TEST_CASE(one_that_does_not_keep_up_misses_the_oldest_and_the_others_nothing) {
  fan_out out;
  out.add(1);
  out.add(2);
  const std::uint64_t sent = fan_out::window + fan_out::waiting_max + 30;
  for (std::uint64_t term = 1; term <= sent; ++term) {
    const auto now = out.publish(batch_of(1, term));
    BOOST_TEST(now.size() == (term <= fan_out::window ? 2u : 1u));
    BOOST_TEST(!out.taken(2));
  }
  BOOST_TEST(out.dropped() == 30u);
  // It wakes up: the newest are there, oldest first.
  for (std::uint64_t term = sent - fan_out::waiting_max + 1; term <= sent; ++term) {
    const auto next = out.taken(1);
    BOOST_REQUIRE(next);
    BOOST_TEST(term_of(*next) == term);
  }
  BOOST_TEST(!out.taken(1));
}

BOOST_AUTO_TEST_CASE(what_waits_is_bounded_in_timelines_too) {
  fan_out out;
  out.add(1);
  for (std::size_t i = 0; i < fan_out::window + 5; ++i) out.publish(batch_of(10'000, i));
  BOOST_TEST(out.dropped() == 1u);
  const auto next = out.taken(1);
  BOOST_REQUIRE(next);
  BOOST_TEST(term_of(*next) == fan_out::window + 1);
}

BOOST_AUTO_TEST_CASE(taking_more_than_was_sent_opens_no_wider_window) {
  fan_out out;
  out.add(1);
  for (int i = 0; i < 100; ++i) BOOST_TEST(!out.taken(1));
  BOOST_TEST(!out.taken(2));
  std::size_t sent = 0;
  for (int i = 0; i < 50; ++i) sent += out.publish(batch_of(1)).size();
  BOOST_TEST(sent == fan_out::window);
}

BOOST_AUTO_TEST_CASE(a_message_is_checked_before_it_is_passed_on) {
  std::vector<protocol::safekeeper_timeline_info> infos(actors::broker::timelines_per_message_max);
  BOOST_TEST(actors::broker::check(infos));
  infos.front().wal_address = std::string(256, 'x');
  BOOST_TEST(!actors::broker::check(infos));
  infos.front().wal_address.clear();
  infos.emplace_back();
  BOOST_TEST(!actors::broker::check(infos));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
