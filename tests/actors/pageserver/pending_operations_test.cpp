#include <boost/test/unit_test.hpp>

#include "actors/pageserver/quorum/pending_operations.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::pageserver;
using kind = messages::pending_operation::kind;

const core::error down{core::errc::unavailable, "it does not run"};
const core::error hangs{core::errc::outcome_unknown, "it did not answer"};
const core::error refuses{core::errc::conflict, "it was emptied"};

struct with_book {
  operation make(std::uint64_t on, const core::timeline_id& timeline) const {
    return {{on}, tenant, timeline, kind::create};
  }
  operation remove(std::uint64_t on, const core::timeline_id& timeline) const {
    return {{on}, tenant, timeline, kind::remove};
  }
  void have(const std::vector<operation>& all) { operations.replace(all, now); }
  std::vector<operation> begin() { return operations.begin(now); }
  /// What comes of everything that is due is the same.
  std::size_t all_end(const core::result<void>& how) {
    const auto started = begin();
    for (const auto& each : started) operations.ended(each, how, now);
    return started.size();
  }

  core::tenant_id tenant = core::make_id<core::tenant_id>();
  core::timeline_id a = core::make_id<core::timeline_id>();
  core::timeline_id b = core::make_id<core::timeline_id>();
  core::monotonic_time now{1h};
  pending_operations operations;
};

storage::timeline_record branch(const core::tenant_id& tenant, const core::timeline_id& id) {
  storage::timeline_record record;
  record.tenant = tenant;
  record.id = id;
  record.safekeepers = consensus::configuration{1, {{{1}, "h", 1}, {{2}, "h", 2}, {{3}, "h", 3}}, {}};
  record.wal_keepers = {{{1}, {}, false}, {{2}, {}, true}, {{3}, {}, false}};
  return record;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_pending_operations, with_book)

BOOST_AUTO_TEST_CASE(metadata_say_what_is_to_be_done) {
  const auto all = operations_of({.to_create = {branch(tenant, a)}, .to_delete = {{tenant, b, {{1}, {9}}}}});
  std::vector<operation> wanted{make(1, a), make(3, a), remove(1, b), remove(9, b)};
  std::sort(wanted.begin(), wanted.end());
  BOOST_TEST((all == wanted));
}

// The old WAL would be taken for the new timeline's.
BOOST_AUTO_TEST_CASE(nothing_is_made_where_a_timeline_of_that_name_has_still_to_go) {
  const auto all = operations_of({.to_create = {branch(tenant, a)}, .to_delete = {{tenant, a, {{3}}}}});
  BOOST_TEST(all.size() == 2u);
  BOOST_TEST((std::ranges::find(all, make(1, a)) != all.end()));
  BOOST_TEST((std::ranges::find(all, remove(3, a)) != all.end()));
}

BOOST_AUTO_TEST_CASE(each_safekeeper_does_one_at_a_time_and_not_all_threads_wait_for_them) {
  have({make(1, a), make(1, b), make(2, a), make(3, a), make(4, a)});
  const auto first = begin();
  BOOST_TEST((first == std::vector<operation>{first[0], make(2, a), make(3, a)}));
  BOOST_TEST(first[0].on.value == 1u);
  BOOST_TEST(begin().empty());
  operations.ended(first[0], {}, now);
  const auto next = begin();
  BOOST_TEST_REQUIRE(next.size() == 1u);
  operations.ended(next[0], {}, now);
  const auto last = begin();
  BOOST_TEST_REQUIRE(last.size() == 1u);
  BOOST_TEST(last[0].on.value + next[0].on.value == 5u);
}

BOOST_AUTO_TEST_CASE(one_that_can_not_be_reached_is_left_alone_for_a_second_with_all_that_is_to_be_done_there) {
  have({make(1, a), make(1, b), make(2, a)});
  const auto started = begin();
  BOOST_TEST_REQUIRE(started.size() == 2u);
  BOOST_TEST(operations.ended(started[0], down, now));
  operations.ended(started[1], {}, now);
  BOOST_TEST(begin().empty());
  now += 999ms;
  BOOST_TEST(begin().empty());
  now += 1ms;
  // The other one first: it waits for longer.
  const auto again = begin();
  BOOST_TEST_REQUIRE(again.size() == 1u);
  BOOST_TEST((again[0] != started[0]));
  // The same reason is no news; another one is, and so is the end of it.
  BOOST_TEST(!operations.ended(again[0], down, now).has_value());
  now += 1s;
  const auto third = begin();
  BOOST_TEST(operations.ended(third.at(0), hangs, now));
  now += 1s;
  BOOST_TEST(operations.ended(begin().at(0), {}, now));
  BOOST_TEST(operations.ended(begin().at(0), {}, now));  // its own error is cleared, too
  BOOST_TEST(operations.size() == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_refused_is_asked_ever_more_seldom_and_holds_up_nothing_else) {
  have({make(1, a), make(1, b)});
  const auto first = begin();
  operations.ended(first.at(0), refuses, now);
  BOOST_TEST(all_end({}) == 1u);
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    now += pause - 1ms;
    BOOST_TEST(begin().empty());
    now += 1ms;
    const auto again = begin();
    BOOST_TEST_REQUIRE(again.size() == 1u);
    BOOST_TEST(!operations.ended(again[0], refuses, now).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_timeline_was_tried_when_each_of_its_members_was) {
  have({make(1, a), make(2, a), remove(3, a), make(1, b)});
  BOOST_TEST(!operations.tried(tenant, a));
  const auto started = begin();
  for (const auto& each : started)
    if (each.on.value == 2) operations.ended(each, down, now);
  BOOST_TEST(!operations.tried(tenant, a));
  for (const auto& each : started)
    if (each.on.value != 2) operations.ended(each, {}, now);
  all_end({});
  BOOST_TEST(operations.tried(tenant, a));
  BOOST_TEST(operations.tried(tenant, core::make_id<core::timeline_id>()));
  // Nobody waits for one of whom it is known that it is down.
  have({make(2, a), make(2, b)});
  BOOST_TEST(operations.tried(tenant, b));
}

BOOST_AUTO_TEST_CASE(what_metadata_know_no_more_is_forgotten_when_it_has_ended) {
  have({make(1, a), make(2, a)});
  const auto started = begin();
  BOOST_TEST(started.size() == 2u);
  have({make(2, a)});
  BOOST_TEST(operations.list(now).operations.size() == 1u);
  operations.ended(started[0], down, now);
  operations.ended(started[1], {}, now);
  BOOST_TEST(operations.size() == 0u);
}

BOOST_AUTO_TEST_CASE(it_tells_what_is_left_for_how_long_and_why) {
  have({make(1, a), remove(2, b)});
  for (const auto& each : begin()) operations.ended(each, each.on.value == 1 ? down : refuses, now);
  now += 7s;
  have({make(1, a), remove(2, b)});
  const auto left = operations.list(now).operations;
  BOOST_TEST_REQUIRE(left.size() == 2u);
  BOOST_TEST((left[0].what == kind::create && left[1].what == kind::remove));
  BOOST_TEST((left[0].age == 7s && left[1].age == 7s));
  BOOST_TEST(left[0].last_error == down.detail);
  BOOST_TEST(left[1].last_error == refuses.detail);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
