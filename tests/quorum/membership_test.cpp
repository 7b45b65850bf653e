#include <fstream>

#include "tests/quorum/membership_fixture.hpp"
#include "tests/support/sql_session.hpp"

using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(quorum_membership, membership_fixture)

BOOST_AUTO_TEST_CASE(a_healthy_member_is_replaced_under_load) {
  const int from = members().front(), to = spare();
  books.start();
  wait_for_transfers(200);
  const json done = replace(from, to);
  BOOST_TEST(done.at("generation") == 3);
  BOOST_TEST_MESSAGE(done.at("steps").dump(1));
  wait_for_transfers(200);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u, "the change was felt by sessions");
  audit();

  BOOST_TEST(spare() == from);
  BOOST_TEST(configuration().at("new_members").is_null());
  BOOST_TEST(cluster.compute().at("state") == "running");
  BOOST_TEST(!std::filesystem::exists(cluster.safekeeper_directory(from) / "timelines" /
                                      done.at("tenant_id").get<std::string>() /
                                      done.at("timeline_id").get<std::string>()));
  BOOST_TEST(safekeeper_list().at("can_lose") == 1);
  // Once more: there is nothing left to do.
  BOOST_TEST(replace(from, to).at("generation") == 3);

  any_one_may_be_lost();
  lose_the_compute();
  audit();

  // And back to the one that has deleted it.
  books.start();
  wait_for_transfers(50);
  BOOST_TEST(replace(to, from).at("generation") == 5);
  wait_for_transfers(50);
  books.stop();
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(a_lost_member_is_replaced) {
  const int from = members().back(), to = spare();
  books.start();
  wait_for_transfers(200);
  lose_safekeeper(from);
  wait_for_transfers(100);
  replace(from, to);
  wait_for_transfers(100);
  cluster.kill_compute();
  cluster.start_compute();
  wait_for_transfers(50);
  books.stop();
  audit();

  any_one_may_be_lost();
  lose_the_compute();
  audit();
}

// Empty, it would vote in terms in which it has voted.
BOOST_AUTO_TEST_CASE(a_member_whose_directory_was_emptied_has_no_voice_until_it_is_replaced) {
  const int from = members().back(), to = spare();
  books.start();
  wait_for_transfers(100);
  const pid_t before = cluster.safekeeper(from);
  lose_safekeeper(from);
  cluster.wait_for_new_safekeeper(from, before);
  wait_until_lacking(from);
  wait_for_transfers(100);
  commands_tell(from);
  lose_the_compute();
  wait_for_transfers(100);
  BOOST_TEST(!std::filesystem::exists(timeline_on(from)));

  replace(from, to);
  wait_until("all is well", [&] { return safekeeper_list().at("can_lose") == 1; });
  // And it is good enough to take somebody else's place.
  replace(members().front(), from);
  wait_for_transfers(100);
  books.stop();
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(a_member_that_lost_only_the_timeline_has_no_voice_until_it_is_replaced) {
  const int from = members().front(), to = spare();
  books.start();
  wait_for_transfers(100);
  const pid_t before = cluster.safekeeper(from);
  cluster.signal_safekeeper(from, SIGSTOP);
  BOOST_REQUIRE(std::filesystem::remove_all(timeline_on(from)) > 0);
  cluster.signal_safekeeper(from, SIGKILL);
  cluster.wait_for_new_safekeeper(from, before);
  wait_until_lacking(from);
  // Neither the server nor the compute makes it anew.
  cluster.strata().kill();
  cluster.strata().start();
  lose_the_compute();
  wait_for_transfers(100);
  wait_until_lacking(from);
  commands_tell(from);
  wait_until("the compute's agent says it", [&] {
    return cluster.compute().at("detail").get<std::string>().find("strata safekeeper replace dev --from " +
                                                                  std::to_string(from)) != std::string::npos;
  });
  BOOST_TEST(!std::filesystem::exists(timeline_on(from)));
  replace(from, to);
  wait_until("the compute's agent has nothing to say", [&] { return cluster.compute().at("detail") == ""; });
  wait_for_transfers(50);
  books.stop();
  audit();
  any_one_may_be_lost();
}

BOOST_AUTO_TEST_CASE(without_a_compute_the_new_member_fetches_the_wal) {
  const int from = members().front(), to = spare();
  books.start();
  wait_for_transfers(200);
  books.stop();
  cluster.kill_compute();
  replace(from, to);
  const auto now = members();
  // What the new member has must do: of the two others one is gone.
  const int other = now.front() == to ? now.back() : now.front();
  cluster.signal_safekeeper(other, SIGSTOP);
  cluster.start_compute();
  audit();
  cluster.signal_safekeeper(other, SIGCONT);
}

BOOST_AUTO_TEST_CASE(wal_that_the_others_have_removed_is_not_needed) {
  const int from = members().front(), to = spare();
  sql_session session(cluster.conninfo());
  session.execute("CREATE TABLE filler AS SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 150000) i");
  const std::string path = cluster.strata().timeline_path("s", "dev");
  // Object storage and the pageserver have it, so the first segments go.
  wait_until("every member has removed WAL", [&] {
    cluster.strata().api("PUT", path + "/checkpoint");
    const auto now = members();
    return std::ranges::all_of(now, [&](int id) {
      const json timeline = cluster.safekeeper_api(id, "POST", path + "/checkpoint");
      return lsn_from(timeline.at("wal_begin_lsn").get<std::string>()) >
             lsn_from(timeline.at("timeline_start_lsn").get<std::string>());
    });
  });
  books.start();
  wait_for_transfers(100);
  replace(from, to);
  wait_for_transfers(100);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u);
  const json pulled = cluster.safekeeper_api(to, "GET", path);
  BOOST_TEST((lsn_from(pulled.at("local_start_lsn").get<std::string>()) >
              lsn_from(pulled.at("timeline_start_lsn").get<std::string>())));
  any_one_may_be_lost();
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(changes_follow_each_other_quickly) {
  books.start();
  wait_for_transfers(50);
  for (int round = 0; round < 6; ++round) replace(members()[round % 3], spare());
  wait_for_transfers(50);
  BOOST_TEST(configuration().at("generation") == 13);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u);
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(it_goes_on_where_it_stood_or_back) {
  const auto before = members();
  const int from = before.front(), to = spare();
  // The new member stops after the change has begun: it can't be finished.
  const std::string path = cluster.strata().timeline_path("s", "dev") + "/safekeepers";
  json changing = configuration();
  const auto begin_by_hand = [&] {
    changing = configuration();
    json next = json::array();
    for (const json& each : changing.at("members"))
      if (each.at("id") != from) next.push_back(each);
    std::ifstream file(cluster.safekeeper_directory(to) / "safekeeper.json");
    const std::string wal = json::parse(file).at("wal");
    next.push_back({{"id", to}, {"host", "127.0.0.1"}, {"port", std::stoi(wal.substr(wal.rfind(':') + 1))}});
    cluster.strata().api("PUT", path,
                         {{"generation", changing.at("generation").get<int>() + 1},
                          {"members", changing.at("members")},
                          {"new_members", next}});
  };
  books.start();
  wait_for_transfers(50);
  begin_by_hand();
  const finished other = cluster.strata().cli(
      {"safekeeper", "replace", "dev", "--from", std::to_string(before.back()), "--to", std::to_string(to)});
  BOOST_TEST(other.exit_code == 4, other.err);
  cluster.strata().ask({"safekeeper", "replace", "dev", "--abandon"});
  BOOST_TEST(members() == before, boost::test_tools::per_element());
  BOOST_TEST(configuration().at("generation") == 3);
  wait_for_transfers(50);

  begin_by_hand();
  BOOST_TEST(replace(from, to).at("generation") == 5);
  wait_for_transfers(50);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u);
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(it_is_refused_without_a_majority) {
  const auto before = members();
  cluster.signal_safekeeper(before[0], SIGSTOP);
  cluster.signal_safekeeper(before[1], SIGSTOP);
  const finished refused = cluster.strata().cli(
      {"safekeeper", "replace", "dev", "--from", std::to_string(before[0]), "--to", std::to_string(spare())});
  BOOST_TEST(refused.exit_code == 6, refused.err);
  BOOST_TEST(configuration().at("generation") == 1);
  for (int i = 0; i < 2; ++i) cluster.signal_safekeeper(before[i], SIGCONT);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_spare_is_added_to_a_directory_of_three) {
  membership_fixture the("3");
  const auto before = the.members();
  the.books.start();
  the.cluster.strata().stop();
  the.cluster.strata().set_arguments({"--safekeepers", "4"});
  the.cluster.strata().start();
  BOOST_TEST(the.members() == before, boost::test_tools::per_element());
  BOOST_TEST(the.safekeeper_list().at("safekeepers").size() == 4u);
  the.replace(before.front(), the.spare());
  the.wait_for_transfers(50);
  the.books.stop();
  BOOST_TEST(the.books.uncertain() == 0u);
  the.audit();
}
