#include <boost/test/unit_test.hpp>

#include "actors/pageserver/pages/basebackup.hpp"
#include "tests/actors/pageserver/pageserver_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using core::lsn;
using phase = messages::source_status::phase;

struct points : pageserver_fixture {
  points() { shop = add("shop"); }

  /// A commit of that second, by the source's clock, which ends at `at`.
  void commit(lsn at, std::chrono::seconds second) {
    auto made = batch(0, at, 2);
    made->add_commit_time(pg::timestamp_of(when(second)), at);
    BOOST_REQUIRE(get(source.receivers.back().timeline, actors::pageserver::ingest_batch{made}).has_value());
  }
  core::wall_time when(std::chrono::seconds second) { return begin + second; }
  /// The source says that everything up to that second is here.
  void word(std::chrono::seconds second, phase now = phase::streaming, const std::string& error = "") {
    tell(source.receivers.back().timeline, messages::source_status{.now = now,
                                                                   .source_head = head,
                                                                   .last_error = error,
                                                                   .known_until = when(second),
                                                                   .last_message = clock.monotonic()});
  }
  auto find(decltype(messages::resolve_point::at) at, std::chrono::milliseconds timeout = 10s) {
    return ask(open(shop, shop.timeline).actor, messages::resolve_point{at, timeout});
  }
  auto find_time(std::chrono::seconds second, std::chrono::milliseconds timeout = 10s) {
    auto answer = find(when(second), timeout);
    run();
    return answer;
  }

  messages::source_added shop;
  core::wall_time begin = clock.now();
  lsn head;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_points, points)

BOOST_AUTO_TEST_CASE(a_moment_between_commits_is_found_at_once_and_leased) {
  commit(lsn(0x1100), 10s);
  commit(lsn(0x1200), 20s);
  auto found = find_time(15s, 0s);
  BOOST_REQUIRE(found.answered());
  const auto& point = found.outcome().value();
  BOOST_TEST(point.at == lsn(0x1100));
  BOOST_TEST((point.kept_until == clock.now() + defaults.lsn_lease_length));
}

BOOST_AUTO_TEST_CASE(a_moment_that_has_not_been_seen_is_no_older_state) {
  commit(lsn(0x1100), 10s);
  word(30s);
  BOOST_TEST(find_time(30s, 0s).outcome().value().at == lsn(0x1100));
  // The stream stalls: what was committed since is not known.
  auto stalled = find_time(31s);
  BOOST_TEST(!stalled.answered());
  advance(9s);
  BOOST_TEST(!stalled.answered());
  advance(2s);
  BOOST_REQUIRE(stalled.answered());
  BOOST_TEST(!stalled.outcome().value().at.valid());
  BOOST_TEST((stalled.outcome().value().known_until == when(30s)));
  BOOST_TEST(stalled.outcome().value().why.find("have arrived; streaming") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_lost_source_is_named_with_its_error) {
  commit(lsn(0x1100), 10s);
  word(30s, phase::waiting_to_retry, "connection refused");
  auto lost = find_time(31s, 0s);
  BOOST_REQUIRE(lost.answered());
  BOOST_TEST(lost.outcome().value().why.find("reconnect to the source (connection refused)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_behind_is_named_as_the_reason) {
  commit(lsn(0x1100), 10s);
  tell(source.receivers.back().timeline,
       messages::source_status{.now = phase::streaming, .known_until = when(30s), .clock_ahead = -40s});
  auto late = find_time(60s, 0s);
  BOOST_REQUIRE(late.answered());
  BOOST_TEST(late.outcome().value().why.find("the source's clock is 40s behind this server's") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(whoever_waits_is_answered_by_the_word_or_by_a_later_commit) {
  commit(lsn(0x1100), 10s);
  auto by_word = find_time(30s);
  auto by_commit = find_time(40s);
  BOOST_TEST(!by_word.answered());
  word(29s);
  BOOST_TEST(!by_word.answered());
  word(30s);
  BOOST_REQUIRE(by_word.answered());
  BOOST_TEST(by_word.outcome().value().at == lsn(0x1100));
  commit(lsn(0x1200), 40s);
  BOOST_TEST(!by_commit.answered());
  commit(lsn(0x1300), 41s);
  BOOST_REQUIRE(by_commit.answered());
  BOOST_TEST(by_commit.outcome().value().at == lsn(0x1200));
}

BOOST_AUTO_TEST_CASE(an_idle_source_without_a_commit_is_known_by_its_words) {
  auto first = find_time(20s);
  BOOST_TEST(!first.answered());
  word(20s);
  BOOST_REQUIRE(first.answered());
  BOOST_TEST(first.outcome().value().at == lsn(0x1000));
  BOOST_TEST(find_time(19s, 0s).outcome().error().code == core::errc::out_of_range);
}

BOOST_AUTO_TEST_CASE(after_a_restart_the_last_commit_is_what_is_known) {
  commit(lsn(0x1100), 10s);
  word(30s);
  restart_server();
  const auto again = info(shop.tenant, shop.timeline);
  BOOST_TEST((again.known_until == when(10s)));
  BOOST_TEST(find_time(10s, 0s).outcome().value().at == lsn(0x1100));
  BOOST_TEST(!find_time(11s, 0s).outcome().value().at.valid());
}

BOOST_AUTO_TEST_CASE(a_stopping_timeline_tells_those_who_wait) {
  commit(lsn(0x1100), 10s);
  auto waiting = find_time(60s);
  stop_server();
  BOOST_REQUIRE(waiting.answered());
  BOOST_TEST(waiting.outcome().error().code == core::errc::unavailable);
}

BOOST_AUTO_TEST_CASE(an_lsn_beyond_the_head_is_refused_unless_the_source_has_it) {
  commit(lsn(0x1100), 10s);
  const auto refused = [](auto& answer) {
    return answer.answered() && answer.outcome().error().code == core::errc::out_of_range;
  };
  head = lsn(0x1200);
  word(11s);
  auto on_its_way = find(lsn(0x1200));
  auto too_far = find(lsn(0x1201));
  run();
  BOOST_TEST(!too_far.answered());  // the source may have written it just now
  advance(2s);
  BOOST_TEST(refused(too_far));
  BOOST_TEST(!on_its_way.answered());
  commit(lsn(0x1200), 12s);
  BOOST_REQUIRE(on_its_way.answered());
  BOOST_TEST(on_its_way.outcome().value().at == lsn(0x1200));
  BOOST_TEST(get(open(shop, shop.timeline).actor, messages::resolve_point{}).value().at == lsn(0x1200));
  auto just_written = find(lsn(0x1300));
  run();
  commit(lsn(0x1300), 13s);
  BOOST_REQUIRE(just_written.answered());
  BOOST_TEST(just_written.outcome().value().at == lsn(0x1300));
  auto never = find(lsn(0x1400), 0s);
  run();
  BOOST_TEST(refused(never));
}

BOOST_AUTO_TEST_CASE(an_lsn_at_which_no_record_ends_is_the_record_before_it) {
  commit(lsn(0x1100), 10s);
  tell(source.receivers.back().timeline, messages::source_status{.handed_over = lsn(0x1128)});
  BOOST_TEST(
      (get(open(shop, shop.timeline).actor, messages::resolve_point{lsn(0x1128), 0s}).value().at == lsn(0x1100)));
  BOOST_TEST(!get(open(shop, shop.timeline).actor, messages::resolve_point{lsn(0x1129), 0s}).has_value());
}

BOOST_AUTO_TEST_CASE(a_branch_that_nobody_writes_is_known_to_its_end) {
  commit(lsn(0x1100), 10s);
  commit(lsn(0x1200), 20s);
  const auto child =
      get(manager,
          messages::create_branch{.tenant = shop.tenant, .ancestor = shop.timeline, .at = lsn(0x1100), .name = "c"})
          .value();
  advance(100s);
  const auto found = get(open(shop, child.id).actor, messages::resolve_point{when(90s), 0s}).value();
  BOOST_TEST(found.at == lsn(0x1100));
  BOOST_TEST(!get(open(shop, child.id).actor, messages::resolve_point{when(200s), 0s}).value().at.valid());
}

BOOST_AUTO_TEST_CASE(a_resolved_point_outlives_a_collection_and_a_clock_that_jumps) {
  for (std::uint64_t i = 1; i <= 4; ++i) {
    commit(lsn(0x1000 + 0x100 * i), std::chrono::seconds(10 * i));
    BOOST_REQUIRE(get(open(shop, shop.timeline).actor, messages::checkpoint_timeline{}).has_value());
  }
  const auto timeline = open(shop, shop.timeline);
  BOOST_TEST(find_time(25s).outcome().value().at == lsn(0x1200));
  clock.set(clock.now() + 720h);
  BOOST_REQUIRE(get(timeline.actor, messages::collect_garbage{0}).has_value());
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1200)) == 2);
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1300)) == -1);
}

BOOST_AUTO_TEST_CASE(what_holds_a_point_keeps_it_as_long_as_it_lives) {
  for (std::uint64_t i = 1; i <= 4; ++i) {
    commit(lsn(0x1000 + 0x100 * i), std::chrono::seconds(10 * i));
    BOOST_REQUIRE(get(open(shop, shop.timeline).actor, messages::checkpoint_timeline{}).has_value());
  }
  const auto timeline = open(shop, shop.timeline);
  // Any actor will do.
  const auto holder = actors::runtime::spawn_housekeeping(system(), {.interval = 1h});
  BOOST_REQUIRE(
      get(timeline.actor, messages::hold_lsn{lsn(0x1100), caf::actor_cast<caf::strong_actor_ptr>(holder)}).has_value());
  BOOST_TEST(!get(timeline.actor, messages::hold_lsn{lsn(0x1500), caf::actor_cast<caf::strong_actor_ptr>(holder)})
                  .has_value());
  for (int round = 0; round < 3; ++round) {
    advance(std::chrono::minutes(20));
    BOOST_REQUIRE(get(timeline.actor, messages::collect_garbage{0}).has_value());
    BOOST_TEST(read(*timeline.store, 0, lsn(0x1100)) == 2);
  }
  stop(holder);
  BOOST_REQUIRE(get(timeline.actor, messages::collect_garbage{0}).has_value());
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1100)) == -1);
}

BOOST_AUTO_TEST_CASE(collection_stops_while_the_clocks_disagree_and_says_so) {
  auto options = defaults;
  options.gc_horizon_bytes = 1;
  options.pitr_interval = 15s;
  BOOST_REQUIRE(get(manager, messages::set_tenant_options{shop.tenant, options}).has_value());
  for (std::uint64_t i = 1; i <= 4; ++i) {
    commit(lsn(0x1000 + 0x100 * i), std::chrono::seconds(10 * i));
    BOOST_REQUIRE(get(open(shop, shop.timeline).actor, messages::checkpoint_timeline{}).has_value());
  }
  const auto timeline = open(shop, shop.timeline);
  const auto says = [&](std::optional<std::chrono::microseconds> ahead) {
    tell(source.receivers.back().timeline, messages::source_status{.clock_ahead = ahead});
  };
  says(-720h);
  BOOST_TEST(get(timeline.actor, messages::collect_garbage{}).error().code == core::errc::conflict);
  BOOST_TEST(info(shop.tenant, shop.timeline).last_error.find("the source's clock is 30d behind") != std::string::npos);
  BOOST_TEST(timeline.store->check_readable(lsn(0x1100)));
  // It agrees again: the window counts from the newest commit, at second 40.
  says(1s);
  clock.set(clock.now() + 720h);
  BOOST_TEST(get(timeline.actor, messages::collect_garbage{}).value().cutoff == lsn(0x1200));
  BOOST_TEST(info(shop.tenant, shop.timeline).last_error == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
