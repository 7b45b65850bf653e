#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/safekeeper_process/safekeeper_fixture.hpp"

using namespace strata;
using namespace strata::tests;
namespace cs = strata::consensus;

namespace {

struct one_safekeeper {
  one_safekeeper() { keeper.start(); }
  safekeeper_process keeper{1};
  wal_identity id;
  growing_wal wal;

  [[nodiscard]] nlohmann::json status() const { return keeper.api("GET", id.path()); }
  [[nodiscard]] std::string instance() const { return keeper.api("GET", "/v1/status").at("instance"); }
  /// What makes the timeline, with this safekeeper alone.
  [[nodiscard]] nlohmann::json creation() const {
    const auto self = keeper.member();
    return {{"tenant_id", core::to_string(id.tenant)},
            {"timeline_id", core::to_string(id.timeline)},
            {"mconf",
             {{"generation", 1}, {"members", {{{"id", self.id.value}, {"host", self.host}, {"port", self.port}}}}}},
            {"pg_version", 150020},
            {"system_id", test_system_id},
            {"wal_seg_size", 16 << 20}};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(safekeeper_process_safekeeper, one_safekeeper)

BOOST_AUTO_TEST_CASE(pushed_wal_is_kept_served_and_survives_a_kill) {
  wal.grow(300'000);
  {
    test_proposer proposer(keeper.wal_port(), id);
    BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
    proposer.push(wal.start(), wal.from(wal.start()), wal.end());
    const core::lsn first_end = wal.end();
    wal.grow(50'000);
    proposer.push(first_end, wal.from(first_end), first_end);

    // Only what is committed, unless the term is named.
    const core::bytes committed = stream_wal(keeper.wal_port(), id, wal.start(), first_end - wal.start());
    BOOST_TEST((core::bytes_view(committed).size() == first_end - wal.start()));
    BOOST_TEST(std::equal(committed.begin(), committed.end(), wal.from(wal.start()).begin()));
    const core::bytes all = stream_wal(keeper.wal_port(), id, wal.start(), wal.end() - wal.start(), " (term='1')");
    BOOST_TEST(std::equal(all.begin(), all.end(), wal.from(wal.start()).begin(), wal.from(wal.start()).end()));
    BOOST_TEST((lsn_of(status(), "flush_lsn") == wal.end()));
    BOOST_TEST((lsn_of(status(), "commit_lsn") == first_end));
    BOOST_TEST(status()["proposers"] == 1);
  }
  const auto port = keeper.wal_port();
  keeper.kill();
  keeper.start();
  BOOST_TEST(keeper.wal_port() == port);
  BOOST_TEST((lsn_of(status(), "flush_lsn") == wal.end()));
  test_proposer next(keeper.wal_port(), id);
  BOOST_TEST(!next.lead(only(keeper), {1}, wal.start()));
  test_proposer winner(keeper.wal_port(), id);
  BOOST_REQUIRE(winner.lead(only(keeper), {2}, wal.start()));
  const core::lsn from = wal.grow(10'000);
  winner.push(from, wal.from(from), wal.end());
  const core::bytes all = stream_wal(keeper.wal_port(), id, wal.start(), from - wal.start());
  BOOST_TEST(std::equal(all.begin(), all.begin() + 1000, wal.from(wal.start()).begin()));
  BOOST_TEST(keeper.stop() == 0);
}

BOOST_AUTO_TEST_CASE(nothing_acknowledged_is_lost_however_often_it_is_killed) {
  std::mt19937 random(7);
  wal.grow(8u << 20);
  core::lsn acknowledged = wal.start();
  for (std::uint64_t round = 1; round <= 12; ++round) {
    test_proposer proposer(keeper.wal_port(), id);
    BOOST_REQUIRE(proposer.lead(only(keeper), {round}, wal.start()));
    core::lsn at = round == 1 ? wal.start() : lsn_of(status(), "flush_lsn");
    BOOST_REQUIRE((at >= acknowledged));
    // Killed with appends on their way, written, half durable, or whatever they are then.
    for (auto appends = 1 + random() % 60; appends > 0 && at < wal.end(); --appends) {
      const std::size_t piece = std::min<std::size_t>(wal.end() - at, 1000 + random() % 60'000);
      proposer.say(cs::append{1, {round}, at, at + piece, acknowledged, {}}, wal.from(at).first(piece));
      at = at + piece;
      if (random() % 3 == 0) acknowledged = std::max(acknowledged, proposer.hear_one<cs::append_reply>().flush_lsn);
    }
    keeper.kill();
    keeper.start();
  }
  const core::lsn end = lsn_of(status(), "flush_lsn");
  BOOST_TEST((end >= acknowledged));
  BOOST_TEST((end > wal.start()));
  const std::string term = std::to_string(status()["acceptor_state"]["term"].get<std::uint64_t>());
  const core::bytes all = stream_wal(keeper.wal_port(), id, wal.start(), end - wal.start(), " (term='" + term + "')");
  BOOST_TEST(std::equal(all.begin(), all.end(), wal.from(wal.start()).begin()));
}

BOOST_AUTO_TEST_CASE(a_proposer_that_makes_nothing_is_told_that_the_timeline_is_not_here) {
  wal_client client(keeper.wal_port(), id);
  const std::string push = "START_WAL_PUSH (proto_version '3', allow_timeline_creation 'false')";
  for (int round = 0; round < 2; ++round) {
    client.query(push);
    const auto told = client.until_ready();
    BOOST_TEST_REQUIRE(told.size() == 2u);
    BOOST_TEST(told[0].tag == 'E');
    BOOST_TEST(told[0].text().find("42704") != std::string::npos, told[0].text());
    BOOST_TEST(told[1].tag == 'Z');
  }
  BOOST_TEST(keeper.status_of("GET", id.path()) == 404);
  keeper.api("POST", "/v1/tenant/timeline", creation());
  client.query(push);
  BOOST_TEST(client.next()->tag == 'W');
}

BOOST_AUTO_TEST_CASE(what_a_crash_has_left_of_a_creation_is_no_timeline) {
  keeper.stop();
  std::filesystem::create_directories(keeper.directory() / "timelines" / core::to_string(id.tenant) /
                                      core::to_string(id.timeline));
  keeper.start();
  BOOST_TEST(keeper.status_of("GET", id.path()) == 404);
  BOOST_TEST(keeper.status_of("POST", "/v1/tenant/timeline", creation()) == 200);
  BOOST_TEST(keeper.status_of("GET", id.path()) == 200);
}

BOOST_AUTO_TEST_CASE(an_emptied_directory_is_another_instance_and_is_not_given_what_was_meant_for_the_first) {
  const std::string first = instance();
  BOOST_TEST(first.size() == 32u);
  nlohmann::json wanted = creation();
  wanted["instance"] = first;
  BOOST_TEST(keeper.status_of("POST", "/v1/tenant/timeline", wanted) == 200);
  BOOST_TEST(keeper.status_of("POST", "/v1/tenant/timeline", wanted) == 200);
  keeper.kill();
  keeper.start();
  BOOST_TEST(instance() == first);
  BOOST_TEST(keeper.status_of("GET", id.path()) == 200);

  keeper.stop();
  std::filesystem::remove_all(keeper.directory());
  keeper.start();
  BOOST_TEST(instance() != first);
  BOOST_TEST(keeper.status_of("POST", "/v1/tenant/timeline", wanted) == 409);
  BOOST_TEST(keeper.status_of("GET", id.path()) == 404);
  wanted["instance"] = "0";
  BOOST_TEST(keeper.status_of("POST", "/v1/tenant/timeline", wanted) == 400);
  wanted["instance"] = instance();
  BOOST_TEST(keeper.status_of("POST", "/v1/tenant/timeline", wanted) == 200);
}

BOOST_AUTO_TEST_CASE(an_older_proposer_is_told_of_the_newer_term) {
  wal.grow(10'000);
  test_proposer old(keeper.wal_port(), id);
  BOOST_REQUIRE(old.lead(only(keeper), {1}, wal.start()));
  old.push(wal.start(), wal.from(wal.start()), wal.end());
  test_proposer newer(keeper.wal_port(), id);
  BOOST_REQUIRE(newer.lead(only(keeper), {2}, wal.start()));
  const core::lsn from = wal.grow(1000);
  old.say(cs::append{1, {1}, from, wal.end(), {}, {}}, wal.from(from));
  BOOST_TEST((old.hear_one<cs::append_reply>().in == cs::term{2}));
  BOOST_TEST((lsn_of(status(), "flush_lsn") == from));
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_ends_the_connection_with_the_reason) {
  wal.grow(10'000);
  test_proposer gap(keeper.wal_port(), id);
  BOOST_REQUIRE(gap.lead(only(keeper), {1}, wal.start()));
  gap.say(cs::append{1, {1}, wal.start() + 8, wal.end(), {}, {}}, wal.from(wal.start() + 8));
  BOOST_CHECK_THROW(gap.hear(), std::runtime_error);

  test_proposer stranger(keeper.wal_port(), id);
  stranger.say(
      cs::greeting{id.tenant, core::make_id<core::timeline_id>(), only(keeper), {150020, test_system_id, 16u << 20}});
  BOOST_CHECK_THROW(stranger.hear(), std::runtime_error);

  test_proposer rude(keeper.wal_port(), id);
  rude.say(cs::vote_request{1, {5}});
  BOOST_CHECK_THROW(rude.hear(), std::runtime_error);
  BOOST_TEST(status()["acceptor_state"]["term"] == 1);
}

BOOST_AUTO_TEST_CASE(damaged_wal_is_refused_and_nothing_of_it_counts) {
  wal.grow(20'000);
  core::bytes damaged(wal.from(wal.start()).begin(), wal.from(wal.start()).end());
  damaged[9000] ^= 1;
  test_proposer proposer(keeper.wal_port(), id);
  BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
  BOOST_CHECK_THROW(proposer.push(wal.start(), damaged, {}), std::runtime_error);
  BOOST_TEST((lsn_of(status(), "flush_lsn") < wal.end()));
}

BOOST_AUTO_TEST_CASE(the_commands_of_a_replication_client) {
  wal.grow(10'000);
  test_proposer proposer(keeper.wal_port(), id);
  BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  wal_client client(keeper.wal_port(), id);
  const auto ask = [&](const std::string& query) {
    client.query(query);
    std::string all;
    for (const auto& each : client.until_ready()) all += each.tag + each.text();
    return all;
  };
  BOOST_TEST(ask("IDENTIFY_SYSTEM").find(std::to_string(test_system_id)) != std::string::npos);
  BOOST_TEST(ask("TIMELINE_STATUS").find(core::to_string(wal.end())) != std::string::npos);
  BOOST_TEST(ask("SHOW wal_segment_size").find("16MB") != std::string::npos);
  BOOST_TEST(ask("SHOW nonsense").front() == 'E');
  BOOST_TEST(ask("SELECT 1").front() == 'E');
  BOOST_TEST(ask("START_WAL_PUSH").front() == 'E');
  BOOST_TEST(ask("START_REPLICATION PHYSICAL 0/8 (term='7')").front() == 'E');

  // A stream that is ended in order leaves the connection usable.
  client.query("START_REPLICATION PHYSICAL " + core::to_string(wal.start()));
  BOOST_TEST(client.next()->tag == 'W');
  client.connection().send(core::bytes{'c', 0, 0, 0, 4});
  for (auto each = client.next(); each && each->tag != 'Z'; each = client.next()) continue;
  BOOST_TEST(ask("IDENTIFY_SYSTEM").front() == 'T');

  wal_client stranger(keeper.wal_port(), wal_identity{});
  stranger.query("TIMELINE_STATUS");
  const auto nothing = stranger.until_ready();
  BOOST_TEST(nothing.size() == 3u);
  stranger.query("IDENTIFY_SYSTEM");
  BOOST_TEST(stranger.until_ready().front().tag == 'E');
}

BOOST_AUTO_TEST_CASE(the_management_api) {
  wal.grow(10'000);
  {
    test_proposer proposer(keeper.wal_port(), id);
    BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
    proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  }
  BOOST_TEST(keeper.api("GET", "/v1/status")["id"] == 1);
  BOOST_TEST(keeper.api("GET", "/v1/tenant/timeline").size() == 1u);
  BOOST_TEST(keeper.api("GET", "/v1/utilization")["timeline_count"] == 1);
  BOOST_TEST(keeper.api("GET", "/v1/debug_dump")["timelines"].size() == 1u);
  BOOST_TEST(keeper.api("GET", "/openapi.json").contains("paths"));
  BOOST_TEST(keeper.text("/metrics").find("strata_safekeeper_wal_in_bytes_total") != std::string::npos);
  BOOST_TEST(keeper.api("POST", id.path() + "/checkpoint")["timeline_id"] == core::to_string(id.timeline));
  BOOST_TEST(keeper.api("POST", id.path() + "/term_bump", {{"term", 9}})["acceptor_state"]["term"] == 9);
  const std::string range = "?from_lsn=" + core::to_string(wal.start()) + "&until_lsn=" + core::to_string(wal.end());
  BOOST_TEST(keeper.api("GET", id.path() + "/digest" + range)["crc32c"].is_number());
  BOOST_TEST(keeper.status_of("GET", id.path() + "/digest?from_lsn=0/8&until_lsn=FF/0") == 422);
  test_proposer fenced(keeper.wal_port(), id);
  BOOST_TEST(!fenced.lead(only(keeper), {9}, wal.start()));

  auto members =
      nlohmann::json{{"generation", 2}, {"members", {{{"id", 1}, {"host", "127.0.0.1"}, {"port", keeper.wal_port()}}}}};
  BOOST_TEST(keeper.api("PUT", id.path() + "/membership", {{"mconf", members}})["mconf"]["generation"] == 2);
  BOOST_TEST(keeper.status_of("PUT", id.path() + "/membership", {{"mconf", {{"generation", 3}}}}) == 400);

  const wal_identity made;
  BOOST_TEST(keeper.api("POST", "/v1/tenant/timeline",
                        {{"tenant_id", core::to_string(made.tenant)},
                         {"timeline_id", core::to_string(made.timeline)},
                         {"mconf", members},
                         {"start_lsn", "0/2000028"}})["commit_lsn"] == "0/2000028");

  // Deleted, it does not come back.
  keeper.api("DELETE", id.path());
  BOOST_TEST(keeper.status_of("GET", id.path()) == 404);
  test_proposer late(keeper.wal_port(), id);
  BOOST_CHECK_THROW(late.lead(only(keeper), {12}, wal.start()), std::runtime_error);
  keeper.kill();
  keeper.start();
  BOOST_TEST(keeper.status_of("GET", id.path()) == 404);
  BOOST_TEST(keeper.api("GET", "/v1/tenant/timeline").size() == 1u);
  keeper.api("DELETE", "/v1/tenant/" + core::to_string(made.tenant));
  BOOST_TEST(keeper.api("GET", "/v1/tenant/timeline").empty());
}

BOOST_AUTO_TEST_CASE(two_processes_do_not_share_a_directory) {
  safekeeper_process second(1, keeper.directory());
  BOOST_CHECK_THROW(second.start(), std::runtime_error);
  keeper.stop();
  safekeeper_process other(2, keeper.directory());
  BOOST_CHECK_THROW(other.start(), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
