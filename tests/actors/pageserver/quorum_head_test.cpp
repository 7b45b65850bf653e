#include <boost/test/unit_test.hpp>

#include "actors/pageserver/ingest/wal_gap.hpp"
#include "actors/pageserver/pages/basebackup.hpp"
#include "actors/pageserver/quorum/quorum_head.hpp"
#include "tests/actors/pageserver/pageserver_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using core::lsn;
using phase = messages::source_status::phase;
namespace pageserver = actors::pageserver;

std::vector<consensus::member> three() { return {{{1}, "h", 1001}, {{2}, "h", 1002}, {{3}, "h", 1003}}; }

/// A branch with three safekeepers; its WAL comes when the test says so.
struct written_branch : pageserver_fixture {
  messages::source_added shop = add("shop");
  core::timeline_id branch =
      get(manager, messages::create_branch{.tenant = shop.tenant, .ancestor = shop.timeline, .name = "work"})
          .value()
          .id;
  written_branch() {
    BOOST_REQUIRE(get(manager, messages::assign_safekeepers{shop.tenant, branch, three()}).has_value());
    all_have(lsn(0x1000));
  }

  void all_have(lsn at) { flushed = {{{1}, at}, {{2}, at}, {{3}, at}}; }
  void arrives(lsn at, std::uint8_t fill = 5) {
    BOOST_REQUIRE(
        get(source.receivers.back().timeline, actors::pageserver::ingest_batch{batch(0, at, fill)}).has_value());
  }
  void says(messages::source_status status) { tell(source.receivers.back().timeline, std::move(status)); }
  auto head(std::chrono::milliseconds wait) {
    auto answer = ask(open(shop, branch).actor, messages::resolve_point{{}, wait});
    run();
    return answer;
  }
  auto create(const std::string& name) {
    auto answer = ask(manager, messages::create_branch{.tenant = shop.tenant, .ancestor = branch, .name = name});
    run();
    return answer;
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_quorum_head, written_branch)

BOOST_AUTO_TEST_CASE(the_head_has_what_was_acknowledged_before_it_was_asked_for) {
  all_have(lsn(0x1200));
  auto asked = head(10s);
  BOOST_TEST(!asked.answered());
  arrives(lsn(0x1100));
  BOOST_TEST(!asked.answered());
  // What is acknowledged later is not waited for.
  all_have(lsn(0x1900));
  arrives(lsn(0x1200));
  BOOST_REQUIRE(asked.answered());
  BOOST_TEST(asked.outcome().value().at == lsn(0x1200));
  BOOST_TEST((asked.outcome().value().kept_until == clock.now() + defaults.lsn_lease_length));
}

BOOST_AUTO_TEST_CASE(the_head_that_has_not_arrived_is_refused_with_both_positions) {
  all_have(lsn(0x1200));
  arrives(lsn(0x1100));
  auto at_once = head(0s);
  auto later = head(5s);
  BOOST_REQUIRE(at_once.answered());
  BOOST_TEST(at_once.outcome().error().code == core::errc::unavailable);
  BOOST_TEST(has(at_once.outcome().error().detail,
                 "WAL up to 0/1200 may have been acknowledged by the safekeepers, 0/1100 has arrived"));
  advance(4s);
  BOOST_TEST(!later.answered());
  advance(2s);
  BOOST_REQUIRE(later.answered());
  BOOST_TEST(later.outcome().error().code == core::errc::unavailable);
}

BOOST_AUTO_TEST_CASE(an_idle_branch_is_answered_at_once_by_a_majority) {
  flushed.erase({2});
  auto idle = head(0s);
  BOOST_REQUIRE(idle.answered());
  BOOST_TEST(idle.outcome().value().at == lsn(0x1000));
}

BOOST_AUTO_TEST_CASE(a_part_of_a_record_is_no_commit) {
  all_have(lsn(0x1108));
  arrives(lsn(0x1100));
  auto asked = head(5s);
  BOOST_TEST(!asked.answered());
  says({.now = phase::streaming, .handed_over = lsn(0x1108)});
  BOOST_REQUIRE(asked.answered());
  BOOST_TEST(asked.outcome().value().at == lsn(0x1100));
}

BOOST_AUTO_TEST_CASE(the_head_is_not_known_while_too_few_safekeepers_answer) {
  flushed = {{{3}, lsn(0x1000)}};
  auto alone = head(0s);
  BOOST_REQUIRE(alone.answered());
  BOOST_TEST(alone.outcome().error().code == core::errc::unavailable);
  BOOST_TEST(has(alone.outcome().error().detail, "1 of 3 safekeepers answered"));
  auto waits = head(10s);
  BOOST_TEST(!waits.answered());
  all_have(lsn(0x1000));
  advance(1s);
  BOOST_REQUIRE(waits.answered());
  BOOST_TEST(waits.outcome().value().at == lsn(0x1000));
}

BOOST_AUTO_TEST_CASE(wal_that_was_not_acknowledged_after_all_is_not_waited_for) {
  // One of two answers has more; the third then tells that nobody else has it.
  flushed = {{{1}, lsn(0x1800)}, {{2}, lsn(0x1000)}};
  auto asked = head(10s);
  BOOST_TEST(!asked.answered());
  flushed[{3}] = lsn(0x1000);
  advance(1s);
  BOOST_REQUIRE(asked.answered());
  BOOST_TEST(asked.outcome().value().at == lsn(0x1000));
}

BOOST_AUTO_TEST_CASE(what_only_a_compute_can_settle_says_so) {
  all_have(lsn(0x1200));
  arrives(lsn(0x1100));
  says({.now = phase::idle, .source_head = lsn(0x1100)});
  BOOST_TEST(has(head(0s).outcome().error().detail, "starting a compute on the branch resolves it"));
  says({.now = phase::streaming, .source_head = lsn(0x1200)});
  BOOST_TEST(!has(head(0s).outcome().error().detail, "resolves it"));
}

BOOST_AUTO_TEST_CASE(a_branch_of_the_head_waits_for_it) {
  all_have(lsn(0x1200));
  arrives(lsn(0x1100));
  auto waits = create("child");
  BOOST_TEST(!waits.answered());
  arrives(lsn(0x1200));
  BOOST_REQUIRE(waits.answered());
  BOOST_TEST(waits.outcome().value().ancestor_lsn == lsn(0x1200));
  all_have(lsn(0x1300));
  auto refused = create("other");
  advance(11s);
  BOOST_REQUIRE(refused.answered());
  BOOST_TEST(refused.outcome().error().code == core::errc::unavailable);
  BOOST_TEST(has(refused.outcome().error().detail, "0/1300"));
  // Its name is free again.
  arrives(lsn(0x1300));
  BOOST_TEST(create("other").outcome());
}

BOOST_AUTO_TEST_CASE(an_archive_of_the_head_waits_for_it) {
  const auto backups = pageserver::spawn_backup_factory(system(), {.label = {}, .tenants = manager});
  all_have(lsn(0x1200));
  arrives(lsn(0x1100));
  const auto start = [&] {
    auto answer = ask(backups, messages::start_backup{.tenant = shop.tenant, .timeline = branch});
    run();
    return answer;
  };
  auto refused = start();
  BOOST_TEST(!refused.answered());
  advance(11s);
  BOOST_REQUIRE(refused.answered());
  BOOST_TEST(refused.outcome().error().code == core::errc::unavailable);
  BOOST_TEST(has(refused.outcome().error().detail, "0/1100 has arrived"));
  auto waits = start();
  BOOST_TEST(!waits.answered());
  arrives(lsn(0x1200));
  // The test's pages are no cluster that could be archived; it was not refused for its head.
  BOOST_REQUIRE(waits.answered());
  BOOST_TEST((waits.outcome().has_value() || waits.outcome().error().code != core::errc::unavailable));
  stop(backups);
}

BOOST_AUTO_TEST_CASE(a_branch_that_nobody_can_write_has_its_own_head) {
  flushed.clear();
  BOOST_TEST(get(open(shop, shop.timeline).actor, messages::resolve_point{}).value().at == lsn(0x1000));
  const auto child =
      get(manager, messages::create_branch{.tenant = shop.tenant, .ancestor = shop.timeline, .name = "c"}).value();
  BOOST_TEST(get(open(shop, child.id).actor, messages::resolve_point{}).value().at == lsn(0x1000));
}

BOOST_AUTO_TEST_CASE(a_timeline_that_stops_tells_those_who_wait_for_its_head) {
  all_have(lsn(0x1200));
  auto waits = head(10s);
  BOOST_TEST(!waits.answered());
  stop_server();
  BOOST_REQUIRE(waits.answered());
  BOOST_TEST(waits.outcome().error().code == core::errc::unavailable);
}

BOOST_AUTO_TEST_CASE(a_written_branch_is_known_at_least_until_it_was_made) {
  const auto made = info(shop.tenant, branch);
  BOOST_TEST((made.known_until == made.created));
  advance(40s);
  BOOST_TEST((info(shop.tenant, branch).known_until == made.created));
  const core::wall_time asked = clock.now();
  BOOST_TEST(head(0s).outcome());
  BOOST_TEST((info(shop.tenant, branch).known_until == asked - 1s));
}

BOOST_AUTO_TEST_CASE(missing_wal_is_the_last_error_of_the_branch_until_it_arrives) {
  all_have(lsn(0x5000));
  says({.now = phase::failed, .source_head = lsn(0x5000), .gap = messages::wal_gap{lsn(0x1000), lsn(0x4000)}});
  const std::string text =
      "the WAL from 0/1000 to 0/4000 is missing on all its safekeepers: the branch can be read up to 0/1000";
  BOOST_TEST(info(shop.tenant, branch).last_error == text + "; strata branch create NEW --from work@0/1000");
  BOOST_TEST(has(head(0s).outcome().error().detail, text));
  // What is here can be saved.
  BOOST_TEST(get(manager,
                 messages::create_branch{.tenant = shop.tenant, .ancestor = branch, .at = lsn(0x1000), .name = "saved"})
                 .has_value());
  says({.now = phase::streaming, .source_head = lsn(0x5000)});
  BOOST_TEST(info(shop.tenant, branch).last_error == "");
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// The rounds of questions are the test's.
struct rounds {
  int answered = 0;
  int asked = 0;
  lsn position{100};
  core::monotonic_time now{};
  pageserver::quorum_head heads{{.keep = [this](const auto&) { ++answered; },
                                 .handed_over = [this] { return position; },
                                 .committed = [] { return lsn(); },
                                 .state = [] { return std::string(); },
                                 .now = [this] { return now; },
                                 .ask = [this] { ++asked; }}};

  void find() { heads.find(10s, {}); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_quorum_head_rounds, rounds)

BOOST_AUTO_TEST_CASE(a_round_counts_for_those_who_came_before_it) {
  find();
  heads.round_begins();
  find();
  find();
  BOOST_TEST(asked == 3);
  heads.round_ended(lsn(100));
  BOOST_TEST(answered == 1);
  // One more round for all that came meanwhile, at once.
  BOOST_TEST(asked == 4);
  heads.round_begins();
  heads.round_ended(lsn(100));
  BOOST_TEST(answered == 3);
  BOOST_TEST(asked == 4);
  BOOST_TEST(!heads.awaited());
}

BOOST_AUTO_TEST_CASE(a_round_without_an_answer_is_repeated_by_the_tick_only) {
  find();
  heads.round_begins();
  heads.round_ended(core::error{core::errc::busy, "others are asked"});
  BOOST_TEST(asked == 1);
  heads.tick();
  BOOST_TEST(asked == 2);
  heads.round_begins();
  heads.round_ended(lsn(100));
  BOOST_TEST(answered == 1);
}

BOOST_AUTO_TEST_CASE(without_patience_one_round_is_waited_for_and_not_for_ever) {
  heads.find(0s, {});
  heads.tick();
  BOOST_TEST(heads.awaited());
  now += 1s;
  heads.tick();
  BOOST_TEST(heads.awaited());
  now += 1s;
  heads.tick();
  BOOST_TEST(!heads.awaited());
  BOOST_TEST(answered == 0);
  // A round that nobody was asked in is none.
  heads.find(0s, {});
  heads.round_begins();
  heads.round_ended(core::error{core::errc::busy, "others are asked"});
  BOOST_TEST(heads.awaited());
  heads.round_begins();
  heads.round_ended(lsn(101));
  BOOST_TEST(!heads.awaited());
}

BOOST_AUTO_TEST_CASE(the_least_of_all_rounds_is_enough) {
  find();
  heads.round_begins();
  heads.round_ended(lsn(300));
  heads.round_begins();
  heads.round_ended(lsn(200));
  heads.round_begins();
  heads.round_ended(lsn(400));
  heads.handed_over(position = lsn(199));
  BOOST_TEST(answered == 0);
  heads.handed_over(position = lsn(200));
  BOOST_TEST(answered == 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_wal_gap)

namespace {

const core::error removed{core::errc::out_of_range,
                          "stream WAL: WAL at 0/1018 is no longer on this safekeeper: its WAL begins at 0/4000000"};
const consensus::configuration members{.generation = 1, .members = three(), .new_members = {}};

}  // namespace

BOOST_AUTO_TEST_CASE(wal_is_gone_when_every_member_says_so) {
  pageserver::wal_gap_watch watch;
  BOOST_TEST(!watch.gap(members).has_value());
  watch.ended({1}, lsn(0x1000), removed);
  watch.ended({2}, lsn(0x1000), {core::errc::out_of_range, "WAL at 0/1018 is no longer on this safekeeper"});
  watch.ended({3}, lsn(0x1000), {core::errc::unavailable, "nothing answers there"});
  BOOST_TEST(!watch.gap(members).has_value());
  watch.ended(
      {3}, lsn(0x1000),
      {core::errc::out_of_range, "WAL at 0/1018 is no longer on this safekeeper: its WAL begins at 0/3000000 [more]"});
  BOOST_TEST((watch.gap(members) == messages::wal_gap{lsn(0x1000), lsn(0x3000000)}));
  // A connection that fails tells nothing new.
  watch.ended({1}, lsn(0x1000), {core::errc::unavailable, "nothing answers there"});
  BOOST_TEST(watch.gap(members));
  watch.progressed();
  BOOST_TEST(!watch.gap(members).has_value());
}

BOOST_AUTO_TEST_CASE(what_was_said_of_another_position_or_by_another_member_does_not_count) {
  pageserver::wal_gap_watch watch;
  watch.ended({1}, lsn(0x1000), removed);
  watch.ended({2}, lsn(0x1000), removed);
  watch.ended({3}, lsn(0x2000), removed);
  BOOST_TEST(!watch.gap(members).has_value());
  watch.ended({1}, lsn(0x2000), removed);
  watch.ended({4}, lsn(0x2000), removed);
  BOOST_TEST(!watch.gap(members).has_value());
  watch.ended({2}, lsn(0x2000), removed);
  BOOST_TEST((watch.gap(members) == messages::wal_gap{lsn(0x2000), lsn(0x4000000)}));
  auto changing = members;
  changing.new_members = {{three()[0], {{4}, "h", 1004}, {{5}, "h", 1005}}};
  BOOST_TEST(!watch.gap(changing).has_value());
}

BOOST_AUTO_TEST_CASE(a_gap_whose_end_is_not_known_is_told_without_it) {
  BOOST_TEST(pageserver::gap_error({lsn(0x1000), {}}, "dev") ==
             "the WAL after 0/1000 is missing on all its safekeepers: the branch can be read up to 0/1000; "
             "strata branch create NEW --from dev@0/1000");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
