#include "consensus/cluster_view.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::tests {
namespace {

using namespace consensus;
using core::lsn;

core::timeline_key key_of(std::uint8_t tenant, std::uint8_t timeline) {
  core::timeline_key made;
  made.tenant.value[0] = tenant;
  made.timeline.value[0] = timeline;
  return made;
}
const core::timeline_key dev = key_of(1, 1);
const core::timeline_key other = key_of(1, 2);

configuration of(std::uint32_t generation, const std::vector<std::uint64_t>& ids) {
  configuration made{.generation = generation};
  for (const auto id : ids) made.members.push_back({{id}, "h", static_cast<std::uint16_t>(7000 + id)});
  return made;
}

timeline_copy copy_of(const core::timeline_key& timeline, const configuration& members, std::uint64_t flush = 100) {
  return {.of = timeline,
          .members = members,
          .in = {3},
          .flush_lsn = lsn(flush),
          .commit_lsn = lsn(flush),
          .backup_lsn = {},
          .usable = true,
          .state = "active"};
}
observed_safekeeper up(std::uint64_t id, std::vector<timeline_copy> copies = {}) {
  observed_safekeeper made;
  made.status.id = {id};
  made.status.state = safekeeper_state::up;
  made.status.disk_full = false;
  made.status.timelines = copies.size();
  made.copies = std::move(copies);
  return made;
}
observed_safekeeper not_up(std::uint64_t id, safekeeper_state state) {
  observed_safekeeper made;
  made.status.id = {id};
  made.status.state = state;
  return made;
}
core::wall_time at(int seconds) { return core::wall_time(std::chrono::seconds(seconds)); }

const configuration three = of(1, {1, 2, 3});

}  // namespace

BOOST_AUTO_TEST_SUITE(consensus_cluster_view)

BOOST_AUTO_TEST_CASE(a_quorum_without_failures_tolerates_a_minority) {
  const auto view = view_cluster(
      {up(1, {copy_of(dev, three)}), up(2, {copy_of(dev, three, 60)}), up(3, {copy_of(dev, three)})}, {}, {});
  BOOST_REQUIRE(view.quorums.size() == 1u);
  const auto& quorum = view.quorums[0];
  BOOST_TEST((quorum.of == dev));
  BOOST_TEST(quorum.health.can_lose == 1);
  BOOST_TEST(view.health.text == "tolerates 1 failure");
  BOOST_TEST(quorum.lacking.empty());
  BOOST_REQUIRE(quorum.rows.size() == 3u);
  BOOST_TEST(quorum.rows[1].reported->lag_bytes == 40u);
  BOOST_TEST(quorum.rows[2].reported->lag_bytes == 0u);
  BOOST_TEST(quorum.branch == core::to_string(dev.tenant) + "/" + core::to_string(dev.timeline));
}

BOOST_AUTO_TEST_CASE(only_a_safekeeper_that_answered_counts) {
  for (const auto state : {safekeeper_state::unreachable, safekeeper_state::down, safekeeper_state::starting}) {
    auto silent = not_up(2, state);
    // What it reported before says nothing about now.
    silent.copies = {copy_of(dev, three)};
    const auto view = view_cluster({up(1, {copy_of(dev, three)}), silent, up(3, {copy_of(dev, three)})}, {}, {});
    BOOST_TEST(view.health.can_lose == 0);
    const bool is_silent = state == safekeeper_state::unreachable;
    BOOST_TEST(view.health.text ==
               std::string("tolerates no failure: safekeeper 2 ") + (is_silent ? "does not answer" : "is down"));
    const auto& row = view.quorums[0].rows[1];
    BOOST_TEST(row.state == to_string(state));
    BOOST_TEST(!row.reported.has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_state_that_was_never_set_is_unreachable) {
  BOOST_TEST((safekeeper_status().state == safekeeper_state::unreachable));
  observed_safekeeper blank;
  blank.status.id = {2};
  const auto view = view_cluster({up(1, {copy_of(dev, three)}), blank, up(3, {copy_of(dev, three)})}, {}, {});
  BOOST_TEST(view.health.can_lose == 0);
}

BOOST_AUTO_TEST_CASE(a_member_that_no_one_looked_at_is_unknown_and_does_not_count) {
  const auto view = view_cluster({up(1, {copy_of(dev, three)}), up(3, {copy_of(dev, three)})}, {}, {});
  BOOST_TEST(view.health.can_lose == 0);
  BOOST_TEST(view.quorums[0].rows[1].state == "unknown");
}

BOOST_AUTO_TEST_CASE(a_member_without_its_copy_lacks_it) {
  const auto view = view_cluster({up(1, {copy_of(dev, three)}), up(2), up(3, {copy_of(dev, three)})}, {}, {});
  BOOST_TEST(view.quorums[0].lacking == std::vector<std::uint64_t>{2}, boost::test_tools::per_element());
  BOOST_TEST(view.quorums[0].rows[1].state == "missing");
  BOOST_TEST(view.health.text == "tolerates no failure: safekeeper 2 is missing the branch");
}

BOOST_AUTO_TEST_CASE(broken_full_and_unreachable_members_do_not_count) {
  auto broken = up(1, {copy_of(dev, three)});
  broken.copies[0].usable = false;
  broken.copies[0].state = "broken: why";
  auto full = up(2, {copy_of(dev, three)});
  full.status.disk_full = true;
  auto moved = up(3, {copy_of(dev, three)});
  moved.status.unreachable_at["h:7003"] = "refused";
  const auto view = view_cluster({broken, full, moved}, {}, {});
  BOOST_TEST(view.health.can_lose == -1);
  const auto& rows = view.quorums[0].rows;
  BOOST_TEST(rows[0].state == "broken: why");
  BOOST_TEST(rows[1].state == "active; disk full");
  BOOST_TEST(rows[2].state == "active; unreachable at h:7003: refused");
  // Another timeline's address is no failure of this one.
  moved.status.unreachable_at = {{"h:1", "refused"}};
  BOOST_TEST(
      view_cluster({up(1, {copy_of(dev, three)}), up(2, {copy_of(dev, three)}), moved}, {}, {}).health.can_lose == 1);
}

BOOST_AUTO_TEST_CASE(a_disk_of_which_nothing_is_known_does_not_count) {
  auto mute = up(2, {copy_of(dev, three)});
  mute.status.disk_full.reset();
  const auto view = view_cluster({up(1, {copy_of(dev, three)}), mute, up(3, {copy_of(dev, three)})}, {}, {});
  BOOST_TEST(view.health.can_lose == 0);
  BOOST_TEST(view.quorums[0].rows[1].state == "active; free disk space unknown");
}

BOOST_AUTO_TEST_CASE(the_newest_configuration_counts_wherever_it_is) {
  const configuration newer = of(5, {1, 2, 4});
  const auto from_safekeeper =
      view_cluster({up(1, {copy_of(dev, newer)}), up(2, {copy_of(dev, three)})}, {{dev, "shop/dev", three}}, {});
  BOOST_TEST((from_safekeeper.quorums[0].members == newer));
  BOOST_TEST(from_safekeeper.quorums[0].branch == "shop/dev");
  const auto from_server = view_cluster({up(1, {copy_of(dev, three)})}, {{dev, "shop/dev", newer}}, {});
  BOOST_TEST((from_server.quorums[0].members == newer));
}

BOOST_AUTO_TEST_CASE(a_branch_that_every_safekeeper_has_lost_is_shown) {
  const auto view = view_cluster({up(1), up(2), up(3)}, {{dev, "shop/dev", three}}, {});
  BOOST_REQUIRE(view.quorums.size() == 1u);
  BOOST_TEST(view.quorums[0].lacking.size() == 3u);
  BOOST_TEST(view.health.can_lose == -1);
}

BOOST_AUTO_TEST_CASE(branches_without_safekeepers_have_no_quorum) {
  const auto view = view_cluster({up(1)}, {{dev, "shop/main", {}}, {other, "shop/x", configuration{}}}, {});
  BOOST_TEST(view.quorums.empty());
}

BOOST_AUTO_TEST_CASE(a_copy_without_a_readable_configuration_is_broken_where_others_know_the_members) {
  auto unreadable = copy_of(dev, {});
  unreadable.usable = false;
  unreadable.state = "broken: damaged";
  const auto view =
      view_cluster({up(1, {unreadable}), up(2, {copy_of(dev, three)}), up(3, {copy_of(dev, three)})}, {}, {});
  BOOST_REQUIRE(view.quorums.size() == 1u);
  BOOST_TEST(view.health.text == "tolerates no failure: safekeeper 1 has a broken copy");
  BOOST_TEST(view_cluster({up(1, {unreadable})}, {}, {}).quorums.empty());
}

BOOST_AUTO_TEST_CASE(the_cluster_is_as_healthy_as_its_worst_timeline) {
  const auto view = view_cluster({up(1, {copy_of(dev, three), copy_of(other, of(1, {1}))}),
                                  up(2, {copy_of(dev, three)}), up(3, {copy_of(dev, three)})},
                                 {}, {});
  BOOST_TEST(view.quorums.size() == 2u);
  BOOST_TEST(view.health.text == "tolerates no failure: too few safekeepers");
}

BOOST_AUTO_TEST_CASE(without_timelines_all_safekeepers_together_count) {
  BOOST_TEST(view_cluster({up(1), up(2), up(3)}, {}, {}).health.text == "tolerates 1 failure");
  BOOST_TEST(view_cluster({up(1), not_up(2, safekeeper_state::unreachable), up(3)}, {}, {}).health.text ==
             "tolerates no failure: safekeeper 2 does not answer");
  BOOST_TEST(view_cluster({up(1), not_up(2, safekeeper_state::down), up(3)}, {}, {}).health.text ==
             "tolerates no failure: safekeeper 2 is down");
  BOOST_TEST(view_cluster({}, {}, {}).health.text == "no safekeepers");
  BOOST_TEST(view_cluster({}, {}, {}).health.can_lose == -1);
}

BOOST_AUTO_TEST_CASE(sources_that_could_not_be_listed_are_part_of_the_health) {
  const auto view = view_cluster({up(1), up(2), up(3)}, {}, {{dev.tenant, "shop", "no metadata"}});
  BOOST_TEST(view.unlisted.size() == 1u);
  BOOST_TEST(view.health.text == "tolerates 1 failure; the branches of shop are unknown: no metadata");
}

BOOST_AUTO_TEST_CASE(states_have_names) {
  using enum safekeeper_state;
  for (const auto each : {unreachable, down, starting, up})
    BOOST_TEST((parse_safekeeper_state(to_string(each)) == each));
  BOOST_TEST(!parse_safekeeper_state("Up").has_value());
  BOOST_TEST(!parse_safekeeper_state("").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(consensus_observation_times)

BOOST_AUTO_TEST_CASE(a_state_lasts_since_the_first_look_that_found_it) {
  observation_times times;
  const auto look = [&](int second, safekeeper_state state) {
    std::vector<observed_safekeeper> seen{not_up(2, state)};
    times.note(at(second), seen);
    return seen[0].status;
  };
  using enum safekeeper_state;
  BOOST_TEST((look(10, safekeeper_state::up).since == at(10)));
  BOOST_TEST((look(20, safekeeper_state::up).since == at(10)));
  const auto silent = look(30, unreachable);
  BOOST_TEST((silent.since == at(30)));
  BOOST_TEST((silent.last_answer == at(20)));
  const auto still = look(40, unreachable);
  BOOST_TEST((still.since == at(30)));
  BOOST_TEST((still.last_answer == at(20)));
  const auto gone = look(50, down);
  BOOST_TEST((gone.since == at(50)));
  BOOST_TEST((gone.last_answer == at(20)));
  const auto back = look(60, safekeeper_state::up);
  BOOST_TEST((back.since == at(60)));
  BOOST_TEST((back.last_answer == at(60)));
}

BOOST_AUTO_TEST_CASE(the_state_of_another_process_or_instance_begins_with_it) {
  observation_times times;
  const core::instance_id first{{1}}, second{{2}};
  const auto look = [&](int second_of_look, std::int64_t process, const core::instance_id& instance) {
    std::vector<observed_safekeeper> seen{up(2)};
    seen[0].status.process = process;
    seen[0].status.instance = instance;
    times.note(at(second_of_look), seen);
    return seen[0].status;
  };
  look(10, 100, first);
  BOOST_TEST((look(20, 100, first).since == at(10)));
  BOOST_TEST((look(30, 101, first).since == at(30)));
  BOOST_TEST((look(40, 101, first).since == at(30)));
  // The same process id again, on an emptied directory.
  BOOST_TEST((look(50, 101, second).since == at(50)));
  BOOST_TEST((look(60, 101, {}).since == at(50)));
  BOOST_TEST((look(70, 101, second).since == at(50)));
  BOOST_TEST((look(71, 101, {}).since == at(50)));
  BOOST_TEST((look(72, 101, first).since == at(72)));
  BOOST_TEST((look(73, 101, second).since == at(73)));
  BOOST_TEST((look(80, 102, second).last_answer == at(80)));
}

BOOST_AUTO_TEST_CASE(one_that_never_answered_has_no_last_answer) {
  observation_times times;
  std::vector<observed_safekeeper> seen{not_up(2, safekeeper_state::unreachable)};
  times.note(at(10), seen);
  times.note(at(20), seen);
  BOOST_TEST((seen[0].status.since == at(10)));
  BOOST_TEST(!seen[0].status.last_answer.has_value());
}

BOOST_AUTO_TEST_CASE(one_that_left_the_directory_is_forgotten) {
  observation_times times;
  std::vector<observed_safekeeper> seen{up(1), up(2)};
  times.note(at(10), seen);
  std::vector<observed_safekeeper> fewer{up(1)};
  times.note(at(20), fewer);
  std::vector<observed_safekeeper> again{up(1), not_up(2, safekeeper_state::down)};
  times.note(at(30), again);
  BOOST_TEST((again[0].status.since == at(10)));
  BOOST_TEST((again[1].status.since == at(30)));
  BOOST_TEST(!again[1].status.last_answer.has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
