#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/actors/pageserver/pageserver_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using core::lsn;

struct small_layers : pageserver_fixture {
  small_layers() {
    auto options = defaults;
    options.checkpoint_distance_bytes = 16u << 10;
    options.compaction_threshold = 1000;
    shop = add("shop");
    BOOST_REQUIRE(get(manager, messages::set_tenant_options{shop.tenant, options}).has_value());
  }
  messages::source_added shop;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_timeline, pageserver_fixture)

BOOST_AUTO_TEST_CASE(whoever_waits_for_an_lsn_is_answered_when_its_batch_is_in) {
  const auto shop = add("shop");
  const auto timeline = open(shop, shop.timeline);
  auto near = ask(timeline.actor, messages::wait_lsn{lsn(0x1100), 60s});
  auto far = ask(timeline.actor, messages::wait_lsn{lsn(0x1200), 60s});
  run();
  BOOST_TEST(!near.answered());
  auto first = write(0, lsn(0x1100), 2);
  run();
  BOOST_REQUIRE(near.answered());
  BOOST_TEST(near.outcome().value().last_record_lsn == lsn(0x1100));
  BOOST_TEST(first.outcome().value().disk_consistent_lsn == lsn(0x1000));
  BOOST_TEST(!far.answered());
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1000)) == 1);
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1100)) == 2);
  // Nothing more comes: the deadline is kept, and the answer says how far it got.
  advance(59s);
  BOOST_TEST(!far.answered());
  advance(2s);
  BOOST_REQUIRE(far.answered());
  BOOST_REQUIRE(!far.outcome());
  BOOST_TEST(far.outcome().error().code == core::errc::timeout);
  BOOST_TEST(far.outcome().error().detail.find("0/1100") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_batch_that_does_not_go_on_is_refused_and_the_process_lives) {
  add("shop");
  auto early = write(0, lsn(0x1000), 2);
  run();
  BOOST_REQUIRE(!early.outcome());
  BOOST_TEST(early.outcome().error().code == core::errc::conflict);
  auto next = write(0, lsn(0x1100), 2);
  run();
  BOOST_TEST(next.outcome());
}

BOOST_AUTO_TEST_CASE(a_checkpoint_answers_when_all_is_on_disk) {
  const auto shop = add("shop");
  auto first = write(0, lsn(0x1100), 2);
  run();
  const auto done = get(open(shop, shop.timeline).actor, messages::checkpoint_timeline{}).value();
  BOOST_TEST(done.disk_consistent_lsn == lsn(0x1100));
  BOOST_TEST(info(shop.tenant, shop.timeline).disk_consistent_lsn == lsn(0x1100));
  // Nothing new: answered at once.
  BOOST_TEST(get(open(shop, shop.timeline).actor, messages::checkpoint_timeline{}));
}

BOOST_AUTO_TEST_CASE(old_data_is_flushed_although_nothing_new_arrives) {
  const auto shop = add("shop");
  auto first = write(0, lsn(0x1100), 2);
  run();
  advance(std::chrono::minutes(9));
  BOOST_TEST(info(shop.tenant, shop.timeline).disk_consistent_lsn == lsn(0x1000));
  advance(std::chrono::minutes(2));
  BOOST_TEST(info(shop.tenant, shop.timeline).disk_consistent_lsn == lsn(0x1100));
}

BOOST_FIXTURE_TEST_CASE(credit_is_withheld_while_layers_can_not_be_flushed, small_layers) {
  const auto path = timeline_directory(shop.tenant, shop.timeline);
  std::filesystem::rename(path, path + ".away");
  lsn at(0x1000);
  std::vector<decltype(write(0, at, 0))> batches;
  for (int i = 0; i < 6; ++i) {
    at = at + 0x100;
    batches.push_back(write(static_cast<std::uint32_t>(i), at, 3));
    run();
    if (!batches.back().answered()) break;
  }
  BOOST_TEST(!batches.back().answered());
  auto stuck = info(shop.tenant, shop.timeline);
  BOOST_TEST(stuck.last_error.find("flush") != std::string::npos);
  BOOST_TEST(stuck.disk_consistent_lsn == lsn(0x1000));
  BOOST_TEST((stuck.last_record_lsn == at));
  // What is in memory can be read, and a checkpoint says what is wrong.
  BOOST_TEST(read(*open(shop, shop.timeline).store, 0, at) == 3);
  BOOST_TEST(!get(open(shop, shop.timeline).actor, messages::checkpoint_timeline{}).has_value());
  std::filesystem::rename(path + ".away", path);
  advance(60s);
  BOOST_REQUIRE(batches.back().answered());
  BOOST_TEST((batches.back().outcome().value().disk_consistent_lsn > lsn(0x1000)));
  BOOST_TEST(info(shop.tenant, shop.timeline).last_error == "");
}

BOOST_AUTO_TEST_CASE(stopping_flushes_and_a_restart_goes_on_where_it_ended) {
  const auto shop = add("shop");
  auto first = write(0, lsn(0x1100), 2);
  run();
  restart_server();
  const auto again = info(shop.tenant, shop.timeline);
  BOOST_TEST((again.state == messages::timeline_state::active));
  BOOST_TEST(again.last_record_lsn == lsn(0x1100));
  BOOST_TEST(again.disk_consistent_lsn == lsn(0x1100));
  BOOST_REQUIRE(source.receivers.size() == 1u);
  auto second = write(0, lsn(0x1200), 3);
  run();
  BOOST_TEST(second.outcome());
  const auto timeline = open(shop, shop.timeline);
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1000)) == 1);
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1100)) == 2);
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1200)) == 3);
}

BOOST_AUTO_TEST_CASE(the_source_is_not_behind_by_what_came_in_before_a_restart) {
  const auto shop = add("shop");
  auto first = write(0, lsn(0x1100), 2);
  run();
  restart_server();
  tell(source.receivers.back().timeline, messages::source_status{.source_head = lsn(0x1180)});
  BOOST_TEST(info(shop.tenant, shop.timeline).source.value().received == lsn(0x1100));
}

BOOST_AUTO_TEST_CASE(a_receiver_that_has_ended_is_started_again_after_a_pause) {
  const auto shop = add("shop");
  tell(source.receivers.back().timeline, messages::source_status{.now = messages::source_status::phase::streaming});
  caf::anon_send_exit(source.receiver_actors.back(), caf::exit_reason::kill);
  run();
  BOOST_TEST((info(shop.tenant, shop.timeline).source->now == messages::source_status::phase::failed));
  advance(29s);
  BOOST_TEST(source.receivers.size() == 1u);
  advance(2s);
  BOOST_REQUIRE(source.receivers.size() == 2u);
  auto next = write(0, lsn(0x1100), 2);
  run();
  BOOST_TEST(next.outcome());
  advance(60s);
  BOOST_TEST(source.receivers.size() == 2u);
}

BOOST_AUTO_TEST_CASE(those_who_wait_are_told_when_the_timeline_stops) {
  const auto shop = add("shop");
  auto waiting = ask(open(shop, shop.timeline).actor, messages::wait_lsn{lsn(0x9000), 60s});
  run();
  stop_server();
  BOOST_REQUIRE(waiting.answered());
  BOOST_TEST(waiting.outcome().error().code == core::errc::unavailable);
}

BOOST_AUTO_TEST_CASE(a_leased_lsn_stays_readable_until_the_lease_ends) {
  const auto shop = add("shop");
  for (std::uint64_t i = 1; i <= 4; ++i) {
    auto written = write(0, lsn(0x1000 + 0x100 * i), static_cast<std::uint8_t>(1 + i));
    run();
    const auto timeline = open(shop, shop.timeline);
    BOOST_REQUIRE(get(timeline.actor, messages::checkpoint_timeline{}).has_value());
  }
  const auto timeline = open(shop, shop.timeline);
  BOOST_REQUIRE(get(timeline.actor, messages::lease_lsn{lsn(0x1100)}).has_value());
  const auto collected = get(timeline.actor, messages::collect_garbage{0}).value();
  BOOST_TEST(collected.cutoff == lsn(0x1400));
  BOOST_TEST(timeline.store->check_readable(lsn(0x1100)));
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1100)) == 2);
  BOOST_TEST(!timeline.store->check_readable(lsn(0x1200)).has_value());
  advance(std::chrono::minutes(11));
  BOOST_REQUIRE(get(timeline.actor, messages::collect_garbage{0}).has_value());
  BOOST_TEST(!timeline.store->check_readable(lsn(0x1100)).has_value());
  BOOST_TEST(!get(timeline.actor, messages::lease_lsn{lsn(0x1100)}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
