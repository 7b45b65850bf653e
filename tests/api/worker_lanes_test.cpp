#include "api/worker_lanes.hpp"

#include <boost/test/unit_test.hpp>
#include <future>

namespace strata::api {
namespace {

BOOST_AUTO_TEST_SUITE(api_worker_lanes)

BOOST_AUTO_TEST_CASE(a_lane_that_is_full_refuses_and_the_others_go_on) {
  lane_sizes sizes = default_lane_sizes();
  sizes[static_cast<std::size_t>(lane::changes)] = {2, 1};
  worker_lanes lanes(sizes);
  std::promise<void> opened;
  const auto gate = opened.get_future().share();
  std::atomic<int> ran = 0;
  for (int i = 0; i < 2; ++i) {
    std::promise<void> begun;
    BOOST_TEST(lanes.push(lane::changes, "", [&] {
      begun.set_value();
      gate.wait();
      ++ran;
    }));
    begun.get_future().wait();
  }
  BOOST_TEST(lanes.push(lane::changes, "", [&] { ++ran; }));
  BOOST_TEST(!lanes.push(lane::changes, "", [&] { ++ran; }));
  for (const lane other : {lane::liveness, lane::process, lane::queries, lane::long_work, lane::export_start}) {
    std::promise<void> done;
    BOOST_TEST(lanes.push(other, "", [&] { done.set_value(); }));
    done.get_future().wait();
  }
  opened.set_value();
  lanes.stop();
  BOOST_TEST(ran == 3);
  BOOST_TEST(!lanes.push(lane::liveness, "", [] {}));
}

BOOST_AUTO_TEST_CASE(a_group_gets_a_quarter_and_those_of_others_pass_by_what_it_has_beyond) {
  lane_sizes sizes = default_lane_sizes();
  sizes[static_cast<std::size_t>(lane::changes)] = {8, 8};
  worker_lanes lanes(sizes);
  std::promise<void> opened;
  const auto gate = opened.get_future().share();
  std::atomic<int> running = 0;
  std::atomic<int> running_max = 0;
  std::atomic<int> ran = 0;
  const auto slow = [&] {
    const int now = ++running;
    int most = running_max;
    while (now > most && !running_max.compare_exchange_weak(most, now)) {
    }
    gate.wait();
    --running;
    ++ran;
  };
  for (int i = 0; i < 4; ++i) BOOST_TEST(lanes.push(lane::changes, "slow", slow));
  BOOST_TEST(!lanes.push(lane::changes, "slow", slow));
  for (int i = 0; i < 20; ++i) {
    std::promise<void> done;
    BOOST_TEST(lanes.push(lane::changes, i % 2 == 0 ? "other" : "", [&] { done.set_value(); }));
    done.get_future().wait();
  }
  BOOST_TEST(ran == 0);
  opened.set_value();
  lanes.stop();
  BOOST_TEST(ran == 4);
  BOOST_TEST(running_max == 2);
}

BOOST_AUTO_TEST_CASE(every_lane_has_threads) {
  for (const lane_size& each : default_lane_sizes()) {
    BOOST_TEST(each.threads > 0u);
    BOOST_TEST(each.waiting_max > 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::api
