#include <boost/test/unit_test.hpp>

#include "tests/actors/pageserver/pageserver_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using core::lsn;

/// A branch, and three safekeepers that it can be given.
struct reconciler_fixture : pageserver_fixture {
  reconciler_fixture() {
    for (std::uint64_t id = 1; id <= 4; ++id) safekeepers.all[id];
  }

  static std::vector<consensus::member> members(std::vector<std::uint64_t> ids) {
    std::vector<consensus::member> made;
    for (const auto id : ids) made.push_back({{id}, "h", static_cast<std::uint16_t>(1000 + id)});
    return made;
  }
  auto assign() { return ask(manager, messages::assign_safekeepers{shop.tenant, branch, members({1, 2, 3})}); }
  void give() {
    auto given = assign();
    run();
    BOOST_REQUIRE(given.answered());
    BOOST_REQUIRE(given.outcome().has_value());
  }
  void change(consensus::configuration to) {
    BOOST_REQUIRE(get(manager, messages::change_safekeepers{shop.tenant, branch, std::move(to)}).has_value());
  }
  void delete_branch() { BOOST_REQUIRE(get(manager, messages::delete_timeline{shop.tenant, branch}).has_value()); }
  played_safekeepers::keeper& keeper(std::uint64_t id) { return safekeepers.all[id]; }
  [[nodiscard]] std::vector<std::uint64_t> who_has_it() const {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, each] : safekeepers.all)
      if (each.has.contains(branch)) ids.push_back(id);
    return ids;
  }
  std::vector<messages::pending_operation> left() {
    return get(reconciler, messages::list_pending_operations{}).value().operations;
  }

  messages::source_added shop = add("shop");
  core::timeline_id branch =
      get(manager, messages::create_branch{.tenant = shop.tenant, .ancestor = shop.timeline, .name = "work"})
          .value()
          .id;
};
using ids = std::vector<std::uint64_t>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_safekeeper_reconciler, reconciler_fixture)

BOOST_AUTO_TEST_CASE(who_is_given_a_branch_has_it_when_that_is_answered) {
  give();
  BOOST_TEST((who_has_it() == ids{1, 2, 3}));
  BOOST_TEST(left().empty());
  restart_server();
  advance(1min);
  for (const std::uint64_t id : {1u, 2u, 3u}) BOOST_TEST(keeper(id).made == 1);
}

BOOST_AUTO_TEST_CASE(one_that_is_down_gets_it_when_it_is_back_and_holds_up_nobody) {
  keeper(2).up = false;
  give();
  BOOST_TEST((who_has_it() == ids{1, 3}));
  advance(7s);
  BOOST_TEST_REQUIRE(left().size() == 1u);
  BOOST_TEST((left()[0].on == consensus::node_id{2} && left()[0].timeline == branch));
  BOOST_TEST(left()[0].what == messages::pending_operation::kind::create);
  BOOST_TEST(left()[0].age == 7s);
  BOOST_TEST(left()[0].last_error == "safekeeper 2 is not running");
  keeper(2).up = true;
  advance(1s);
  BOOST_TEST((who_has_it() == ids{1, 2, 3}));
  BOOST_TEST(left().empty());
}

BOOST_AUTO_TEST_CASE(the_next_server_goes_on) {
  keeper(2).up = false;
  give();
  restart_server();
  keeper(2).up = true;
  advance(1s);
  BOOST_TEST((who_has_it() == ids{1, 2, 3}));
  // Deleted when the server ended before anybody was told.
  for (const std::uint64_t id : {1u, 2u, 3u}) keeper(id).up = false;
  delete_branch();
  stop_server();
  for (const std::uint64_t id : {1u, 2u, 3u}) keeper(id).up = true;
  start_server();
  BOOST_TEST((who_has_it() == ids{}));
  BOOST_TEST(left().empty());
}

// It would vote in terms in which it has voted.
BOOST_AUTO_TEST_CASE(one_that_has_begun_never_gets_it_again) {
  give();
  keeper(2).empty();
  keeper(3).has.clear();
  restart_server();
  advance(1min);
  BOOST_TEST((who_has_it() == ids{1}));
  BOOST_TEST(keeper(2).made == 1);
  BOOST_TEST(keeper(3).made == 1);
  BOOST_TEST(left().empty());
}

BOOST_AUTO_TEST_CASE(who_made_it_unheard_is_asked_again) {
  keeper(2).answers = false;
  give();
  BOOST_TEST((who_has_it() == ids{1, 2, 3}));
  BOOST_TEST(left().size() == 1u);
  restart_server();
  keeper(2).answers = true;
  advance(1s);
  BOOST_TEST(left().empty());
  BOOST_TEST(keeper(2).made > 1);
}

BOOST_AUTO_TEST_CASE(who_made_it_unheard_and_lost_it_since_does_not_get_it_again) {
  keeper(2).answers = false;
  give();
  keeper(2).empty();
  keeper(2).answers = true;
  restart_server();
  advance(10min);
  BOOST_TEST((who_has_it() == ids{1, 3}));
  BOOST_TEST_REQUIRE(left().size() == 1u);
  BOOST_TEST(left()[0].last_error == "it was emptied");
  // Another one takes its place: there is nothing left to be done for it.
  change({2, members({1, 2, 3}), members({1, 3, 4})});
  change({3, members({1, 3, 4}), {}});
  BOOST_TEST(left().empty());
  BOOST_TEST(keeper(4).made == 0);
}

BOOST_AUTO_TEST_CASE(a_deleted_branch_goes_from_those_that_are_there_at_once_and_from_others_later) {
  give();
  keeper(3).up = false;
  delete_branch();
  BOOST_TEST((who_has_it() == ids{3}));
  BOOST_TEST_REQUIRE(left().size() == 1u);
  BOOST_TEST(left()[0].what == messages::pending_operation::kind::remove);
  restart_server();
  BOOST_TEST((who_has_it() == ids{3}));
  keeper(3).up = true;
  advance(1s);
  BOOST_TEST((who_has_it() == ids{}));
  BOOST_TEST(left().empty());
  for (const std::uint64_t id : {1u, 2u, 3u}) BOOST_TEST(keeper(id).deleted.contains(branch));
  BOOST_TEST(keeper(4).deleted.empty());
}

BOOST_AUTO_TEST_CASE(a_deletion_that_was_not_heard_of_is_asked_for_again) {
  give();
  keeper(1).answers = false;
  delete_branch();
  BOOST_TEST(left().size() == 1u);
  keeper(1).answers = true;
  advance(1s);
  BOOST_TEST(left().empty());
}

BOOST_AUTO_TEST_CASE(earlier_members_and_those_of_an_unfinished_change_lose_it_too) {
  give();
  change({2, members({1, 2, 3}), members({2, 3, 4})});
  change({3, members({2, 3, 4}), {}});
  change({4, members({2, 3, 4}), members({3, 4, 5})});
  keeper(5).has.insert(branch);
  keeper(4).has.insert(branch);
  BOOST_TEST((who_has_it() == ids{1, 2, 3, 4, 5}));
  delete_branch();
  BOOST_TEST((who_has_it() == ids{}));
}

BOOST_AUTO_TEST_CASE(a_member_that_never_was_there_is_not_waited_for_when_the_branch_goes) {
  keeper(2).up = false;
  give();
  delete_branch();
  BOOST_TEST((who_has_it() == ids{}));
  BOOST_TEST(left().empty());
}

BOOST_AUTO_TEST_CASE(all_branches_of_a_deleted_tenant_go) {
  give();
  keeper(1).up = false;
  BOOST_REQUIRE(get(manager, messages::delete_tenant{shop.tenant}).has_value());
  BOOST_TEST((who_has_it() == ids{1}));
  keeper(1).up = true;
  advance(1s);
  BOOST_TEST((who_has_it() == ids{}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
