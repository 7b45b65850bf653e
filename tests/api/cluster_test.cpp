#include <boost/test/unit_test.hpp>

#include "api/api_client.hpp"
#include "api/cluster_json.hpp"
#include "api/safekeeper_json.hpp"
#include "tests/api/served.hpp"

namespace strata::tests {
namespace {

using consensus::safekeeper_state;

core::wall_time at(int seconds) { return core::wall_time(std::chrono::seconds(seconds)); }

/// A source with the branch main, on safekeepers 1 to 3: the first has it, the second is silent, the third is full.
struct cluster : served {
  cluster() {
    members.generation = 2;
    for (std::uint64_t id = 1; id <= 3; ++id)
      members.members.push_back({{id}, "h", static_cast<std::uint16_t>(7000 + id)});
    others.state().main.safekeepers = members;
    auto& observed = others.state().observed;
    for (std::uint64_t id = 1; id <= 3; ++id) {
      auto& made = observed.emplace_back();
      made.status.id = {id};
      made.status.process = 100 + static_cast<int>(id);
      made.status.wal_address = "h:700" + std::to_string(id);
      made.status.http_address = "h:800" + std::to_string(id);
      if (id == 2) continue;
      made.status.state = safekeeper_state::up;
      made.status.disk_full = id == 3;
      made.status.timelines = 1;
      made.copies = {{.of = {others.state().tenant.id, others.state().main.id},
                      .members = members,
                      .in = {4},
                      .flush_lsn = core::lsn(0x3000000),
                      .commit_lsn = core::lsn(0x2000000),
                      .backup_lsn = {},
                      .usable = true,
                      .state = "active"}};
    }
    observed[1].status.last_error = "not responding: it does not answer";
    observed[1].status.since = at(1'700'000'000);
    observed[1].status.last_answer = at(1'699'999'990);
  }
  [[nodiscard]] json ask() const { return ok("GET", "/v1/cluster"); }

  consensus::configuration members;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(api_cluster, cluster)

BOOST_AUTO_TEST_CASE(members_and_the_failures_that_they_tolerate_are_shown) {
  const json view = ask();
  BOOST_TEST(view["safekeepers"].size() == 3u);
  BOOST_REQUIRE(view["timelines"].size() == 1u);
  const json& quorum = view["timelines"][0];
  BOOST_TEST(quorum["branch"] == "shop/main");
  BOOST_TEST(quorum["tenant_id"] == core::to_string(others.state().tenant.id));
  BOOST_TEST(quorum["timeline_id"] == core::to_string(others.state().main.id));
  BOOST_TEST(quorum["mconf"] == api::configuration_json(members));
  BOOST_TEST(quorum["can_lose"] == -1);
  BOOST_TEST(quorum["health"] ==
             "no quorum: commits wait (2 of 3 up; safekeeper 2 does not answer, safekeeper 3 has a full disk)");
  BOOST_TEST(quorum["safekeepers"][0]["flush_lsn"] == "0/3000000");
  BOOST_TEST(quorum["safekeepers"][2]["state"] == "active; disk full");
  BOOST_TEST(view["health"] == quorum["health"]);
  BOOST_TEST(view["can_lose"] == -1);
  others.state().observed[2].status.disk_full = false;
  BOOST_TEST(ask()["health"] == "tolerates no failure: safekeeper 2 does not answer");
}

BOOST_AUTO_TEST_CASE(what_a_silent_safekeeper_has_is_unknown_since_a_time) {
  const json view = ask();
  const json& silent = view["safekeepers"][1];
  BOOST_TEST(silent["state"] == "unreachable");
  BOOST_TEST(silent["since"] == "2023-11-14T22:13:20.000000Z");
  BOOST_TEST(silent["last_answer"] == "2023-11-14T22:13:10.000000Z");
  BOOST_TEST(silent["last_error"] == "not responding: it does not answer");
  for (const char* unknown : {"timelines", "disk_full"}) BOOST_TEST(!silent.contains(unknown), unknown);
  const json& row = view["timelines"][0]["safekeepers"][1];
  BOOST_TEST(row["state"] == "unreachable");
  for (const char* unknown : {"term", "flush_lsn", "commit_lsn", "lag_bytes"})
    BOOST_TEST(!row.contains(unknown), unknown);
}

BOOST_AUTO_TEST_CASE(without_safekeepers_there_is_an_answer) {
  others.state().observed.clear();
  others.state().main.safekeepers.reset();
  const json view = ask();
  BOOST_TEST(view["safekeepers"].empty());
  BOOST_TEST(view["timelines"].empty());
  BOOST_TEST(view["health"] == "no safekeepers");
}

BOOST_AUTO_TEST_CASE(a_source_whose_branches_are_unknown_is_named) {
  others.state().refuse_all = core::error{core::errc::unavailable, "the tenant is stopping"};
  json view = ask();
  BOOST_REQUIRE(view["unlisted"].size() == 1u);
  BOOST_TEST(view["unlisted"][0]["name"] == "shop");
  BOOST_TEST(view["unlisted"][0]["error"] == "the tenant is stopping");
  BOOST_TEST(view["health"].get<std::string>().ends_with("; the branches of shop are unknown: the tenant is stopping"));
  // Known from the safekeepers, without its name.
  BOOST_TEST(view["timelines"].size() == 1u);
  others.state().refuse_all.reset();
  others.state().tenant.state = messages::tenant_state::broken;
  others.state().tenant.reason = "no metadata";
  view = ask();
  BOOST_TEST(view["unlisted"][0]["error"] == "no metadata");
}

BOOST_AUTO_TEST_CASE(other_requests_are_refused) {
  refused(405, "POST", "/v1/cluster", "{}");
  refused(405, "DELETE", "/v1/cluster");
  refused(404, "GET", "/v1/cluster/1");
  refused(404, "GET", "/v1/clusters");
}

BOOST_AUTO_TEST_CASE(a_client_reads_back_what_was_written) {
  const auto answer = api::api_client(address()).get("/v1/cluster");
  BOOST_REQUIRE(answer.has_value());
  const auto view = api::parse_cluster_view(*answer);
  BOOST_TEST_REQUIRE(view);
  BOOST_TEST(api::to_json(*view) == *answer);
  BOOST_TEST((view->safekeepers[1].state == safekeeper_state::unreachable));
  BOOST_TEST((view->safekeepers[1].since == at(1'700'000'000)));
  BOOST_TEST((view->quorums[0].members == members));
  BOOST_TEST(view->quorums[0].rows[0].reported->in.value == 4u);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_none_is_refused_with_a_reason) {
  const json good = ask();
  const auto is_refused = [](const json& of) {
    const auto view = api::parse_cluster_view(of);
    BOOST_TEST(!view, of.dump());
    if (!view) BOOST_TEST((view.error().code == core::errc::corrupt));
  };
  for (const json& other : {json(), json(5), json("text"), json::array(), json::object()}) is_refused(other);
  const auto without_each_member = [&](const std::string& pointer) {
    const json part = good.at(json::json_pointer(pointer));
    for (const auto& [name, value] : part.items()) {
      json less = good;
      less[json::json_pointer(pointer)].erase(name);
      // Positions come together; the others of these may be unknown.
      const bool is_optional =
          name == "since" || name == "last_answer" || name == "disk_full" || name == "timelines" || name == "term";
      if (!is_optional || pointer.empty()) is_refused(less);
      json wrong = good;
      wrong[json::json_pointer(pointer)][name] = json::array({json::object()});
      is_refused(wrong);
    }
  };
  for (const char* pointer : {"", "/safekeepers/0", "/safekeepers/1", "/timelines/0", "/timelines/0/safekeepers/0"})
    without_each_member(pointer);
  json odd = good;
  odd["safekeepers"][0]["state"] = "fine";
  is_refused(odd);
  odd = good;
  odd["safekeepers"][1]["since"] = "yesterday";
  is_refused(odd);
  odd = good;
  odd["unlisted"] = json::array({{{"tenant_id", "x"}, {"name", "shop"}, {"error", ""}}});
  is_refused(odd);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(api_timeline_copy)

namespace {

json reported(const std::string& state) {
  messages::wal_timeline_info of;
  of.state.tenant = core::make_id<core::tenant_id>();
  of.state.timeline = core::make_id<core::timeline_id>();
  of.state.members = {1, {{{1}, "h", 7001}}, std::nullopt};
  of.state.in = {7};
  of.flush_lsn = core::lsn(0x2000);
  of.state.commit_lsn = core::lsn(0x1000);
  of.condition = state;
  return api::to_json(of);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_copy_is_read_as_it_was_reported) {
  const json from = reported("active");
  const auto copy = api::parse_timeline_copy(from);
  BOOST_TEST_REQUIRE(copy);
  BOOST_TEST(core::to_string(copy->of.timeline) == from["timeline_id"]);
  BOOST_TEST(copy->members.generation == 1u);
  BOOST_TEST(copy->in.value == 7u);
  BOOST_TEST((copy->flush_lsn == core::lsn(0x2000)));
  BOOST_TEST((copy->commit_lsn == core::lsn(0x1000)));
  BOOST_TEST(copy->usable);
  BOOST_TEST(api::parse_timeline_copy(reported("idle"))->usable);
}

BOOST_AUTO_TEST_CASE(only_active_and_idle_copies_are_usable) {
  for (const char* state : {"broken: why", "opening", "deleting", "", "Active"})
    BOOST_TEST(!api::parse_timeline_copy(reported(state))->usable, state);
  json failing = reported("active");
  failing["last_error"] = "disk full";
  BOOST_TEST(api::parse_timeline_copy(failing)->state == "active: disk full");
  BOOST_TEST(api::parse_timeline_copy(failing)->usable);
}

BOOST_AUTO_TEST_CASE(a_copy_without_members_is_read_and_garbage_is_not) {
  json bare = reported("broken: why");
  bare["mconf"] = {{"generation", 0}, {"members", json::array()}, {"new_members", nullptr}};
  const auto copy = api::parse_timeline_copy(bare);
  BOOST_TEST_REQUIRE(copy);
  BOOST_TEST(copy->members.generation == 0u);
  for (const char* member : {"tenant_id", "timeline_id", "mconf", "acceptor_state", "flush_lsn", "state"}) {
    json less = reported("active");
    less.erase(member);
    BOOST_TEST(!api::parse_timeline_copy(less), member);
    json wrong = reported("active");
    wrong[member] = json::array();
    // A configuration that can't be read is none.
    if (std::string_view(member) != "mconf") BOOST_TEST(!api::parse_timeline_copy(wrong), member);
  }
  for (const json& other : {json(), json(5), json::array()}) BOOST_TEST(!api::parse_timeline_copy(other));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
