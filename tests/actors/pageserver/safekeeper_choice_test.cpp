#include "actors/pageserver/ingest/safekeeper_choice.hpp"

#include <boost/test/unit_test.hpp>

using namespace strata;
using namespace strata::actors::pageserver;
using namespace std::chrono_literals;
using core::lsn;

namespace {

constexpr lsn here(0x1000000);

struct fixture {
  choice_options options;
  consensus::configuration members{1, {{{1}, "a", 101}, {{2}, "b", 102}, {{3}, "c", 103}}, {}};
  safekeeper_choice choice{members, options};
  core::monotonic_time now{1h};

  void publish(std::uint64_t id, lsn commit, std::uint32_t generation = 1) {
    choice.published({.safekeeper = id,
                      .generation = generation,
                      .commit_lsn = commit,
                      .wal_address = "host" + std::to_string(id) + ":10" + std::to_string(id)},
                     now);
  }
  /// Whom it would connect to; 0: nobody.
  [[nodiscard]] std::uint64_t wants(lsn last_record = here) const {
    const auto to = choice.next(now, last_record);
    return to ? to->id.value : 0;
  }
  std::uint64_t connect(lsn last_record = here) {
    const auto to = choice.next(now, last_record);
    if (!to) return 0;
    choice.started(*to, now, last_record);
    return to->id.value;
  }
  /// Lets time pass second by second while the connection shows that it lives.
  void pass(std::chrono::seconds time, lsn commit) {
    for (; time > 0s; time -= 1s) {
      now += 1s;
      choice.heard(now, commit, std::nullopt);
    }
  }
  std::string leaves() {
    const auto why = choice.reason_to_leave(now);
    return why ? to_string(*why) : "";
  }
  static std::string text(leave_reason why) { return to_string(why); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_safekeeper_choice, fixture)

BOOST_AUTO_TEST_CASE(the_one_with_the_most_committed_wal_is_chosen_at_its_published_address) {
  publish(1, here + 1);
  publish(3, here + 3);
  publish(2, here + 2);
  const auto to = choice.next(now, here);
  BOOST_REQUIRE(to.has_value());
  BOOST_TEST(to->id.value == 3u);
  BOOST_TEST(to->host == "host3");
  BOOST_TEST(to->port == 103);
}

BOOST_AUTO_TEST_CASE(who_has_committed_nothing_or_has_no_address_is_not_eligible) {
  publish(1, lsn());
  choice.published({.safekeeper = 2, .generation = 1, .commit_lsn = here + 9, .wal_address = ""}, now);
  choice.published({.safekeeper = 2, .generation = 1, .commit_lsn = here + 9, .wal_address = "b:0"}, now);
  choice.published({.safekeeper = 2, .generation = 1, .commit_lsn = here + 9, .wal_address = ":12"}, now);
  publish(3, here + 1);
  BOOST_TEST(wants() == 3u);
}

BOOST_AUTO_TEST_CASE(addresses_may_be_of_the_sixth_version) {
  choice.published({.safekeeper = 2, .generation = 1, .commit_lsn = here + 9, .wal_address = "[::1]:77"}, now);
  const auto to = choice.next(now, here);
  BOOST_REQUIRE(to.has_value());
  BOOST_TEST(to->host == "::1");
  BOOST_TEST(to->port == 77);
}

BOOST_AUTO_TEST_CASE(without_news_the_members_are_tried_in_turn) {
  BOOST_TEST(connect() == 1u);
  choice.lost(now);
  BOOST_TEST(connect() == 2u);
  choice.lost(now);
  BOOST_TEST(connect() == 3u);
  choice.lost(now);
  BOOST_TEST(connect() == 0u);  // all wait for their next attempt
  now += options.retry_first;
  BOOST_TEST(connect() == 1u);
}

BOOST_AUTO_TEST_CASE(in_its_turn_a_member_is_looked_for_where_it_said_last_that_it_is) {
  publish(2, here + 2);
  now += options.no_wal_timeout + 1ms;
  BOOST_TEST(connect() == 1u);
  choice.lost(now);
  const auto moved = choice.next(now, here);
  BOOST_REQUIRE(moved.has_value());
  BOOST_TEST(moved->id.value == 2u);
  BOOST_TEST(moved->host == "host2");
  BOOST_TEST(moved->port == 102);
  // Nobody answers there: then where the configuration says.
  choice.started(*moved, now, here);
  now += options.no_keepalives + 1ms;
  choice.lost(now);
  now += options.retry_max;
  BOOST_TEST(connect() == 3u);
  choice.lost(now);
  BOOST_TEST(connect() == 1u);
  choice.lost(now);
  const auto configured = choice.next(now, here);
  BOOST_REQUIRE(configured.has_value());
  BOOST_TEST(configured->host == "b");
}

BOOST_AUTO_TEST_CASE(news_that_are_old_count_for_nothing) {
  publish(3, here + 3);
  now += options.no_wal_timeout + 1ms;
  BOOST_TEST(wants() == 1u);
}

BOOST_AUTO_TEST_CASE(attempts_come_less_and_less_often_until_wal_is_taken) {
  members.members.resize(1);
  choice = safekeeper_choice(members, options);
  auto expected = options.retry_first;
  for (int i = 0; i < 20; ++i) {
    BOOST_REQUIRE(connect() == 1u);
    choice.lost(now);
    BOOST_TEST(wants() == 0u);
    now += expected - 1ms;
    BOOST_TEST(wants() == 0u);
    now += 1ms;
    BOOST_TEST(wants() == 1u);
    expected = std::min(expected + expected / 2, options.retry_max);
  }
  BOOST_TEST((expected == options.retry_max));
  BOOST_REQUIRE(connect() == 1u);
  choice.progressed();
  choice.lost(now);
  now += options.retry_first;
  BOOST_TEST(wants() == 1u);
}

BOOST_AUTO_TEST_CASE(one_that_begins_to_publish_is_tried_at_once_one_that_goes_on_is_not) {
  for (int i = 0; i < 12; ++i) {
    while (connect() == 0u) now += options.retry_first;
    choice.lost(now);
  }
  BOOST_TEST(wants() == 0u);
  publish(2, here + 8);
  BOOST_TEST(connect() == 2u);
  choice.lost(now);
  publish(2, here + 8);
  BOOST_TEST(wants() == 0u);
}

BOOST_AUTO_TEST_CASE(a_connection_that_lived_for_long_may_be_made_again_at_once_but_others_come_first) {
  publish(1, here + 9);
  BOOST_REQUIRE(connect() == 1u);
  pass(60s, here + 9);
  choice.lost(now);
  publish(1, here + 9);
  BOOST_TEST(wants() == 1u);  // the others have said nothing
  publish(2, here + 1);
  BOOST_TEST(wants() == 2u);
}

BOOST_AUTO_TEST_CASE(silence_is_a_reason_while_connecting_too) {
  BOOST_REQUIRE(connect() == 1u);
  now += options.no_keepalives;
  BOOST_TEST(leaves() == "");
  now += 1ms;
  BOOST_TEST(leaves() == text(leave_reason::no_keepalives));
  choice.lost(now);
  BOOST_TEST(wants() == 2u);
}

BOOST_AUTO_TEST_CASE(who_speaks_is_not_left_for_silence) {
  BOOST_REQUIRE(connect() == 1u);
  pass(20s, here);
  BOOST_TEST(leaves() == "");
}

BOOST_AUTO_TEST_CASE(nobody_is_blamed_while_we_do_not_listen) {
  BOOST_REQUIRE(connect() == 1u);
  choice.heard(now, here + 8, std::nullopt);
  now += 1h;
  publish(2, here + 16);
  choice.not_listening(now);
  BOOST_TEST(leaves() == "");
}

BOOST_AUTO_TEST_CASE(what_a_silent_one_published_is_forgotten) {
  publish(1, here + 9);
  BOOST_REQUIRE(connect() == 1u);
  now += options.no_keepalives + 1ms;
  publish(1, here + 9);
  choice.lost(now);
  BOOST_TEST(wants() == 2u);
}

BOOST_AUTO_TEST_CASE(one_that_still_connects_is_waited_for_whatever_others_have) {
  BOOST_REQUIRE(connect() == 1u);
  now += 1s;
  publish(2, here + 2 * options.lag_bytes_max);
  BOOST_TEST(leaves() == "");
  choice.heard(now, here, std::nullopt);
  BOOST_TEST(leaves() == text(leave_reason::lagging_wal));
}

BOOST_AUTO_TEST_CASE(lag_is_a_reason_from_the_limit_on) {
  BOOST_REQUIRE(connect() == 1u);
  choice.heard(now, here, std::nullopt);
  publish(2, here + (options.lag_bytes_max - 1));
  BOOST_TEST(leaves() == "");
  publish(2, here + options.lag_bytes_max);
  BOOST_TEST(leaves() == text(leave_reason::lagging_wal));
  choice.lost(now);
  BOOST_TEST(wants() == 2u);
}

BOOST_AUTO_TEST_CASE(lag_is_measured_against_what_it_published_itself_too) {
  BOOST_REQUIRE(connect() == 1u);
  choice.heard(now, here, std::nullopt);
  publish(1, here + 5);
  publish(2, here + options.lag_bytes_max);
  BOOST_TEST(leaves() == "");
}

BOOST_AUTO_TEST_CASE(one_that_has_not_said_how_much_it_has_does_not_lag) {
  BOOST_REQUIRE(connect() == 1u);
  choice.heard(now, lsn(), std::nullopt);
  publish(2, here + 2 * options.lag_bytes_max);
  BOOST_TEST(leaves() == "");
}

BOOST_AUTO_TEST_CASE(no_wal_while_another_has_more_is_a_reason_from_when_that_was_seen) {
  BOOST_REQUIRE(connect() == 1u);
  pass(10s, here);
  for (int second = 0; second <= 3; ++second) {
    publish(2, here + 8);
    BOOST_TEST(leaves() == "");
    pass(1s, here);
  }
  publish(2, here + 8);
  BOOST_TEST(leaves() == text(leave_reason::no_wal));
}

BOOST_AUTO_TEST_CASE(one_that_owes_wal_is_measured_from_its_last_wal) {
  BOOST_REQUIRE(connect() == 1u);
  pass(4s, here + 8);
  publish(2, here + 16);
  BOOST_TEST(leaves() == text(leave_reason::no_wal));
}

BOOST_AUTO_TEST_CASE(new_wal_begins_the_time_anew) {
  BOOST_REQUIRE(connect() == 1u);
  for (int second = 0; second < 20; ++second) {
    pass(1s, here);
    choice.heard(now, here + static_cast<std::uint64_t>(second) * 8, here + static_cast<std::uint64_t>(second) * 8);
    publish(2, here + 1000);
    BOOST_TEST(leaves() == "");
  }
}

BOOST_AUTO_TEST_CASE(another_that_has_no_more_is_no_reason) {
  BOOST_REQUIRE(connect() == 1u);
  for (int second = 0; second < 100; ++second) {
    pass(1s, here + 8);
    publish(2, here + 8);
    BOOST_TEST(leaves() == "");
  }
}

BOOST_AUTO_TEST_CASE(when_nobody_publishes_anything_the_next_one_gets_a_look) {
  BOOST_REQUIRE(connect() == 1u);
  pass(30s, here);
  BOOST_TEST(leaves() == "");
  pass(1s, here);
  BOOST_TEST(leaves() == text(leave_reason::another_look));
  choice.lost(now);
  BOOST_TEST(wants() == 2u);
}

BOOST_AUTO_TEST_CASE(the_only_member_is_not_left_for_a_look_at_itself) {
  members.members.resize(1);
  choice = safekeeper_choice(members, options);
  BOOST_REQUIRE(connect() == 1u);
  pass(100s, here);
  BOOST_TEST(leaves() == "");
}

BOOST_AUTO_TEST_CASE(a_timeline_that_rests_is_left_alone_until_there_is_wal) {
  BOOST_REQUIRE(connect() == 1u);
  pass(1s, here);
  choice.caught_up(now);
  BOOST_TEST(wants() == 0u);
  now += options.idle_poll / 2;
  publish(2, here);
  BOOST_TEST(wants() == 0u);
  publish(2, here + 8);
  BOOST_TEST(wants() == 2u);
}

BOOST_AUTO_TEST_CASE(a_timeline_that_rests_is_looked_at_now_and_then_and_when_somebody_waits) {
  BOOST_REQUIRE(connect() == 1u);
  choice.caught_up(now);
  now += options.idle_poll - 1ms;
  BOOST_TEST(wants() == 0u);
  now += 1ms;
  BOOST_TEST(connect() == 2u);
  choice.caught_up(now);
  BOOST_TEST(wants() == 0u);
  choice.wanted();
  BOOST_TEST(connect() == 3u);
  choice.caught_up(now);
  BOOST_TEST(wants() == 0u);
}

BOOST_AUTO_TEST_CASE(strangers_are_heard_only_if_they_may_be_of_a_newer_generation) {
  publish(9, here + 100);
  BOOST_TEST(wants() == 1u);
  publish(9, here + 100, 2);
  BOOST_TEST(wants() == 9u);
}

BOOST_AUTO_TEST_CASE(who_is_no_member_any_more_is_left) {
  publish(1, here + 1);
  BOOST_REQUIRE(connect() == 1u);
  pass(1s, here + 1);
  choice.change_members({2, {{{2}, "b", 102}, {{4}, "d", 104}}, {}});
  BOOST_TEST(leaves() == text(leave_reason::not_a_member));
  choice.lost(now);
  publish(1, here + 100);
  BOOST_TEST(wants() == 2u);
}

BOOST_AUTO_TEST_CASE(while_members_change_those_of_both_sets_are_candidates) {
  choice.change_members({2, {{{1}, "a", 101}}, std::vector<consensus::member>{{{5}, "e", 105}}});
  BOOST_TEST(connect() == 1u);
  choice.lost(now);
  BOOST_TEST(connect() == 5u);
}

BOOST_AUTO_TEST_SUITE_END()
