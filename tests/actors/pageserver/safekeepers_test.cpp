#include <boost/test/unit_test.hpp>
#include <set>

#include "actors/pageserver/quorum/safekeeper_assignment.hpp"
#include "actors/pageserver/quorum/safekeeper_watch.hpp"
#include "tests/actors/pageserver/pageserver_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using actors::runtime::actor_base;
using actors::runtime::actor_setup;
using actors::runtime::pool_id;
using consensus::configuration;
using consensus::member;
using core::lsn;
namespace pageserver = actors::pageserver;

std::vector<member> keepers(std::uint64_t count) {
  std::vector<member> made;
  for (std::uint64_t id = count; id > 0; --id) made.push_back({{id}, "h", static_cast<std::uint16_t>(1000 + id)});
  return made;
}

struct branch_fixture : pageserver_fixture {
  messages::source_added shop = add("shop");
  core::timeline_id branch = make_branch("work");

  core::timeline_id make_branch(const std::string& name) {
    return get(manager, messages::create_branch{.tenant = shop.tenant, .ancestor = shop.timeline, .name = name})
        .value()
        .id;
  }
  auto assign(const core::timeline_id& timeline, std::vector<member> available) {
    return get(manager, messages::assign_safekeepers{shop.tenant, timeline, std::move(available)});
  }
  auto change(configuration to) {
    return get(manager, messages::change_safekeepers{shop.tenant, branch, std::move(to)});
  }
};

/// Keeps what it is told.
class played_watcher final : public actor_base<pageserver::watching_actor> {
 public:
  static constexpr const char* kind = "test.watcher";
  static constexpr pool_id pool = pool_id::wal;
  played_watcher(const actor_setup& setup, std::vector<std::uint64_t>* heard) : actor_base(setup), heard_(*heard) {}

 private:
  friend actor_base;
  void on(const pageserver::safekeeper_published& news) { heard_.push_back(news.info.safekeeper); }
  std::vector<std::uint64_t>& heard_;
};

/// Keeps who subscribes.
class played_broker final : public actor_base<messages::broker_link_actor> {
 public:
  static constexpr const char* kind = "test.broker";
  static constexpr pool_id pool = pool_id::wal;
  played_broker(const actor_setup& setup, std::vector<messages::broker_subscriber_actor>* all)
      : actor_base(setup), all_(*all) {}

 private:
  friend actor_base;
  void on(const messages::publish_timelines&) {}
  void on(const messages::subscribe_timelines& request) { all_.push_back(request.to); }
  std::vector<messages::broker_subscriber_actor>& all_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_safekeepers, branch_fixture)

BOOST_AUTO_TEST_CASE(a_moment_of_a_written_branch_is_known_by_the_word_of_a_majority) {
  BOOST_REQUIRE(assign(branch, keepers(3)).has_value());
  const auto timeline = open(shop, branch);
  const auto find = [&](core::wall_time time) {
    auto answer = ask(timeline.actor, messages::resolve_point{time, 10s});
    run();
    return answer;
  };
  advance(60s);
  const core::wall_time moment = clock.now() - 2s;
  // One may have acknowledged with the two that do not answer.
  flushed = {{{1}, lsn(0x1000)}};
  auto alone = find(moment);
  BOOST_TEST(!alone.answered());
  advance(11s);
  BOOST_REQUIRE(alone.answered());
  BOOST_TEST(!alone.outcome().value().at.valid());
  BOOST_TEST(alone.outcome().value().why.find("too few") != std::string::npos);
  // Two have WAL that is not here yet.
  flushed = {{{1}, lsn(0x1000)}, {{2}, lsn(0x1100)}};
  auto behind = find(moment);
  BOOST_TEST(!behind.answered());
  advance(1s);
  BOOST_TEST(!behind.answered());
  BOOST_REQUIRE(
      get(source.receivers.back().timeline, actors::pageserver::ingest_batch{batch(0, lsn(0x1100), 5)}).has_value());
  advance(1s);
  BOOST_REQUIRE(behind.answered());
  BOOST_TEST(behind.outcome().value().at == lsn(0x1100));
  // Nobody has more: what one alone has was acknowledged by nobody.
  flushed = {{{1}, lsn(0x1900)}, {{2}, lsn(0x1100)}, {{3}, lsn(0x1100)}};
  advance(60s);
  auto whole = find(clock.now() - 2s);
  advance(1s);
  BOOST_REQUIRE(whole.answered());
  BOOST_TEST(whole.outcome().value().at == lsn(0x1100));
}

BOOST_AUTO_TEST_CASE(a_branch_gets_safekeepers_once_and_is_followed_from_then_on) {
  BOOST_TEST(get(manager, messages::get_safekeepers{shop.tenant, branch}).error().code == core::errc::not_found);
  const auto assigned = assign(branch, keepers(3)).value();
  BOOST_TEST(assigned.members.generation == 1u);
  BOOST_TEST(assigned.members.members.size() == 3u);
  BOOST_TEST(assigned.start_lsn == lsn(0x1000));
  BOOST_TEST(assigned.cluster.system_id == 7u);
  BOOST_TEST(assigned.cluster.pg_version == 150000u);
  BOOST_TEST(assigned.cluster.wal_segment_size == 16u << 20);
  BOOST_REQUIRE(source.receivers.size() == 2u);
  BOOST_TEST(source.receivers.back().conninfo == "");
  // Again: the same, whoever is available by now.
  BOOST_TEST((assign(branch, keepers(1)).value().members == assigned.members));
  BOOST_TEST((assign(branch, {}).value().members == assigned.members));
  BOOST_TEST((get(manager, messages::get_safekeepers{shop.tenant, branch}).value().members == assigned.members));
  BOOST_TEST((info(shop.tenant, branch).safekeepers == assigned.members));
  BOOST_TEST(source.receivers.size() == 2u);

  restart_server();
  BOOST_TEST((get(manager, messages::get_safekeepers{shop.tenant, branch}).value().members == assigned.members));
  BOOST_TEST(source.receivers.size() == 2u);
}

BOOST_AUTO_TEST_CASE(two_who_ask_at_once_are_told_the_same) {
  auto one = ask(manager, messages::assign_safekeepers{shop.tenant, branch, keepers(3)});
  auto two = ask(manager, messages::assign_safekeepers{shop.tenant, branch, keepers(1)});
  run();
  BOOST_REQUIRE((one.answered() && two.answered()));
  BOOST_TEST((one.outcome().value().members == two.outcome().value().members));
  BOOST_TEST(source.receivers.size() == 2u);
}

BOOST_AUTO_TEST_CASE(what_can_not_have_safekeepers_says_what_to_do) {
  const auto root = assign(shop.timeline, keepers(3));
  BOOST_REQUIRE(!root);
  BOOST_TEST(root.error().code == core::errc::conflict);
  BOOST_TEST(root.error().detail.find("create a branch") != std::string::npos);
  const auto none = assign(branch, {});
  BOOST_REQUIRE(!none);
  BOOST_TEST(none.error().code == core::errc::unavailable);
  BOOST_TEST(none.error().detail.find("--safekeepers 3") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_branch_of_a_branch_with_safekeepers_has_none) {
  BOOST_REQUIRE(assign(branch, keepers(3)).has_value());
  flushed = {{{1}, lsn(0x1000)}, {{2}, lsn(0x1000)}};
  const auto child = get(manager, messages::create_branch{.tenant = shop.tenant, .ancestor = branch, .name = "child"});
  BOOST_TEST(!info(shop.tenant, child.value().id).safekeepers.has_value());
}

BOOST_AUTO_TEST_CASE(timelines_are_spread_over_many_safekeepers) {
  storage::timeline_record record;
  record.ancestor = core::make_id<core::timeline_id>();
  std::set<std::uint64_t> used;
  for (int i = 0; i < 256; ++i) {
    record.id.value.front() = static_cast<std::uint8_t>(i);
    const auto made = pageserver::first_safekeepers(record, keepers(7)).value();
    BOOST_TEST(made.members.size() == pageserver::safekeepers_wanted);
    for (const auto& each : made.members) used.insert(each.id.value);
  }
  BOOST_TEST(used.size() == 7u);
  BOOST_TEST(pageserver::first_safekeepers(record, keepers(2)).value().members.size() == 2u);
}

BOOST_AUTO_TEST_CASE(members_change_one_generation_at_a_time) {
  auto next = assign(branch, keepers(3)).value().members;
  next.generation = 3;
  BOOST_TEST(change(next).error().code == core::errc::conflict);
  next.generation = 2;
  next.new_members = keepers(4);
  const auto changed = change(next);
  BOOST_TEST((changed.value().members == next));
  BOOST_TEST((change(next).value().members == next));  // repeated
  BOOST_TEST(changed.value().former.empty());
  auto other = next;
  other.new_members = keepers(5);
  BOOST_TEST(change(other).error().code == core::errc::conflict);
  BOOST_TEST((assign(branch, keepers(1)).value().members == next));
  restart_server();
  BOOST_TEST((get(manager, messages::get_safekeepers{shop.tenant, branch}).value().members == next));
}

BOOST_AUTO_TEST_CASE(a_member_that_was_left_out_is_a_former_one) {
  auto next = assign(branch, keepers(3)).value().members;
  const auto four = keepers(4);
  next.generation = 2;
  next.new_members = {four[0], four[1], four[2]};
  BOOST_REQUIRE(change(next).has_value());
  next = {.generation = 3, .members = *next.new_members};
  const std::vector<consensus::node_id> first{four[3].id};
  BOOST_TEST((change(next).value().former == first));
  restart_server();
  BOOST_TEST((get(manager, messages::get_safekeepers{shop.tenant, branch}).value().former == first));
  // A member again, it is no former one.
  next.generation = 4;
  next.new_members = keepers(3);
  BOOST_TEST(change(next).value().former.empty());
}

BOOST_AUTO_TEST_CASE(members_that_can_not_be_are_refused) {
  configuration to{.generation = 1, .members = keepers(3)};
  to.members[0].port = 0;
  BOOST_TEST(change(to).error().code == core::errc::invalid_argument);
  to.members = keepers(2);
  to.members[0].id = to.members[1].id;
  BOOST_TEST(change(to).error().code == core::errc::invalid_argument);
  to.members.clear();
  BOOST_TEST(change(to).error().code == core::errc::invalid_argument);
  // Safekeepers of somewhere else may be the first ones, too.
  to.members = keepers(1);
  BOOST_TEST(change(to));
  BOOST_TEST(source.receivers.size() == 2u);
}

BOOST_AUTO_TEST_CASE(who_waits_on_a_branch_waits_once_it_has_safekeepers) {
  const auto timeline = open(shop, branch);
  auto refused = ask(timeline.actor, messages::wait_lsn{lsn(0x1100), 60s});
  run();
  BOOST_REQUIRE(refused.answered());
  BOOST_TEST(refused.outcome().error().code == core::errc::out_of_range);
  BOOST_REQUIRE(assign(branch, keepers(3)).has_value());
  auto waits = ask(timeline.actor, messages::wait_lsn{lsn(0x1100), 60s});
  run();
  BOOST_TEST(!waits.answered());
  auto written = write(0, lsn(0x1100), 9);
  run();
  BOOST_REQUIRE(waits.answered());
  BOOST_TEST(waits.outcome().value().last_record_lsn == lsn(0x1100));
}

BOOST_AUTO_TEST_CASE(a_branch_keeps_what_is_its_own_over_restarts_and_hands_it_on) {
  BOOST_REQUIRE(assign(branch, keepers(3)).has_value());
  auto first = write(0, lsn(0x1100), 9);
  run();
  BOOST_REQUIRE(first.outcome().has_value());
  const auto child = get(
      manager, messages::create_branch{.tenant = shop.tenant, .ancestor = branch, .at = lsn(0x1100), .name = "child"});
  auto second = write(0, lsn(0x1200), 10);
  run();
  const auto look = [&] {
    BOOST_TEST(read(*open(shop, shop.timeline).store, 0, lsn(0x1000)) == 1);
    BOOST_TEST(read(*open(shop, branch).store, 0, lsn(0x1000)) == 1);
    BOOST_TEST(read(*open(shop, branch).store, 0, lsn(0x1100)) == 9);
    BOOST_TEST(read(*open(shop, branch).store, 0, lsn(0x1200)) == 10);
    BOOST_TEST(read(*open(shop, child.value().id).store, 0, lsn(0x1100)) == 9);
  };
  look();
  restart_server();
  BOOST_TEST(info(shop.tenant, branch).last_record_lsn == lsn(0x1200));
  look();
}

BOOST_AUTO_TEST_CASE(what_is_published_reaches_the_receiver_of_its_timeline) {
  std::vector<messages::broker_subscriber_actor> subscribers;
  std::vector<std::uint64_t> here;
  std::vector<std::uint64_t> there;
  const auto broker = actors::runtime::spawn<played_broker>(system(), {}, &subscribers);
  const auto watch = pageserver::spawn_safekeeper_watch(system(), {.label = {}, .broker = broker});
  const auto one = actors::runtime::spawn<played_watcher>(system(), {}, &here);
  const auto two = actors::runtime::spawn<played_watcher>(system(), {}, &there);
  run();
  BOOST_REQUIRE(subscribers.size() == 1u);
  const auto other = core::make_id<core::timeline_id>();
  tell(watch, pageserver::watch_timeline{shop.tenant, branch, one});
  tell(watch, pageserver::watch_timeline{shop.tenant, other, two});
  const auto publish = [&](std::uint64_t from) {
    tell(subscribers.front(),
         messages::timelines_published{{{.safekeeper = from, .tenant = shop.tenant, .timeline = branch},
                                        {.safekeeper = from + 1, .tenant = shop.tenant, .timeline = other},
                                        {.safekeeper = from + 2, .tenant = shop.tenant, .timeline = shop.timeline}}});
  };
  publish(1);
  run();
  BOOST_TEST((here == std::vector<std::uint64_t>{1}));
  BOOST_TEST((there == std::vector<std::uint64_t>{2}));
  // The one that ended is forgotten, its follower is not.
  const auto next = actors::runtime::spawn<played_watcher>(system(), {}, &there);
  tell(watch, pageserver::watch_timeline{shop.tenant, branch, next});
  stop(one);
  publish(5);
  run();
  BOOST_TEST((here == std::vector<std::uint64_t>{1}));
  BOOST_TEST((there == std::vector<std::uint64_t>{2, 5, 6}));
  for (const auto& actor : {one, two, next}) stop(actor);
  stop(watch);
  stop(broker);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
