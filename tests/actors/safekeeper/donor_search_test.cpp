#include "actors/safekeeper/donor_search.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace actors::safekeeper;
using core::lsn;
using messages::wal_donor;

const core::timeline_key wanted{core::make_id<core::tenant_id>(), core::make_id<core::timeline_id>()};

/// A copy whose proposers' terms begin at these positions.
wal_donor copy(std::vector<consensus::term_start> history, std::uint64_t flush, std::string address = "") {
  wal_donor made;
  made.state.tenant = wanted.tenant;
  made.state.timeline = wanted.timeline;
  made.state.history = consensus::term_history(std::move(history));
  made.flush_lsn = lsn(flush);
  made.wal_address = std::move(address);
  return made;
}
core::error refusal(const char* why) { return {core::errc::not_found, why}; }

/// Questions wait until the test lets them be answered, in order.
struct searches {
  using answers = std::map<std::string, core::result<wal_donor>>;

  explicit searches(answers of) : known(std::move(of)) {}
  void find(std::vector<std::string> hosts) {
    const std::size_t number = found.size();
    found.emplace_back();
    search.find({wanted, std::move(hosts)},
                [this, number](core::result<wal_donor> donor) { found[number].emplace(std::move(donor)); });
  }
  void answer_one() {
    BOOST_REQUIRE(!waiting.empty());
    const auto next = waiting.front();
    waiting.erase(waiting.begin());
    next();
  }
  void answer_all() {
    while (!waiting.empty()) answer_one();
  }

  answers known;
  std::vector<std::string> asked;
  std::vector<std::function<void()>> waiting;
  std::vector<std::optional<core::result<wal_donor>>> found;
  donor_search search{[this](const std::string& host, const core::timeline_key&) {
                        asked.push_back(host);
                        return known.at(host);
                      },
                      [this](const std::string&, donor_search::question ask, donor_search::outcome then) {
                        waiting.emplace_back([ask, then] { then(ask()); });
                      }};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_safekeeper_best_donor)

BOOST_AUTO_TEST_CASE(more_wal_of_the_same_term_is_better) {
  const auto best = best_donor(wanted, {{"a", copy({{{1}, lsn(10)}}, 50, "a")},
                                        {"b", copy({{{1}, lsn(10)}}, 70, "b")},
                                        {"c", copy({{{1}, lsn(10)}}, 60, "c")}});
  BOOST_TEST_REQUIRE(best);
  BOOST_TEST(best->wal_address == "b");
}

BOOST_AUTO_TEST_CASE(a_later_term_is_better_than_more_wal) {
  const auto best = best_donor(
      wanted, {{"a", copy({{{1}, lsn(10)}}, 900, "a")}, {"b", copy({{{1}, lsn(10)}, {{3}, lsn(40)}}, 50, "b")}});
  BOOST_TEST_REQUIRE(best);
  BOOST_TEST(best->wal_address == "b");
}

BOOST_AUTO_TEST_CASE(a_term_without_wal_does_not_count) {
  // Elected at 100, but its WAL ends before.
  const auto best = best_donor(
      wanted, {{"a", copy({{{1}, lsn(10)}, {{9}, lsn(100)}}, 50, "a")}, {"b", copy({{{1}, lsn(10)}}, 60, "b")}});
  BOOST_TEST_REQUIRE(best);
  BOOST_TEST(best->wal_address == "b");
}

BOOST_AUTO_TEST_CASE(of_equal_donors_the_first_is_taken) {
  const auto best =
      best_donor(wanted, {{"a", copy({{{1}, lsn(10)}}, 50, "a")}, {"b", copy({{{1}, lsn(10)}}, 50, "b")}});
  BOOST_TEST_REQUIRE(best);
  BOOST_TEST(best->wal_address == "a");
}

BOOST_AUTO_TEST_CASE(hosts_that_fail_are_passed_over_and_named_when_all_do) {
  const auto best = best_donor(wanted, {{"a", refusal("gone")}, {"b", copy({}, 0, "b")}});
  BOOST_TEST_REQUIRE(best);
  BOOST_TEST(best->wal_address == "b");
  const auto none = best_donor(wanted, {{"a", refusal("gone")}, {"b", refusal("never heard")}});
  BOOST_TEST_REQUIRE(!none);
  BOOST_TEST(none.error().code == core::errc::unavailable);
  BOOST_TEST(none.error().detail == "no host has the timeline; a: gone; b: never heard");
  BOOST_TEST(!best_donor(wanted, {}));
}

BOOST_AUTO_TEST_CASE(another_timeline_is_no_donor) {
  wal_donor other = copy({{{5}, lsn(10)}}, 50);
  other.state.timeline = core::make_id<core::timeline_id>();
  const auto best = best_donor(wanted, {{"a", copy({{{1}, lsn(10)}}, 40, "a")}, {"b", other}});
  BOOST_TEST_REQUIRE(best);
  BOOST_TEST(best->wal_address == "a");
  const auto none = best_donor(wanted, {{"a", refusal("gone")}, {"b", other}});
  BOOST_TEST_REQUIRE(!none);
  BOOST_TEST(none.error().code == core::errc::corrupt);
  BOOST_TEST(none.error().detail == "no host has the timeline; a: gone; b: it answered with another timeline");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_safekeeper_donor_search)

BOOST_AUTO_TEST_CASE(every_host_is_asked_once_and_then_the_best_is_found) {
  searches of({{"a", copy({{{1}, lsn(10)}}, 50, "a")}, {"b", refusal("gone")}, {"c", copy({{{1}, lsn(10)}}, 60, "c")}});
  of.find({"a", "b", "c"});
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(!of.found[0].has_value());
    BOOST_TEST(of.waiting.size() == 1u);
    of.answer_one();
  }
  BOOST_TEST(of.asked == (std::vector<std::string>{"a", "b", "c"}), boost::test_tools::per_element());
  BOOST_TEST_REQUIRE(of.found[0].has_value());
  BOOST_TEST_REQUIRE(*of.found[0]);
  BOOST_TEST((*of.found[0])->wal_address == "c");
}

BOOST_AUTO_TEST_CASE(searches_take_turns_and_hold_one_thread) {
  searches of({{"a", refusal("slow")}, {"b", refusal("slow")}, {"c", copy({}, 5, "c")}});
  of.find({"a", "b"});
  of.find({"c"});
  BOOST_TEST(of.waiting.size() == 1u);
  of.answer_one();
  of.answer_one();
  BOOST_TEST(!of.found[0].has_value());
  BOOST_TEST_REQUIRE(of.found[1].has_value());
  BOOST_TEST(of.found[1]->has_value());
  of.answer_all();
  BOOST_TEST_REQUIRE(of.found[0].has_value());
  BOOST_TEST(of.found[0]->error().detail == "no host has the timeline; a: slow; b: slow");
}

BOOST_AUTO_TEST_CASE(a_search_may_begin_another_one_when_it_ends) {
  searches of({{"a", copy({}, 5, "a")}});
  bool second = false;
  of.search.find({wanted, {"a"}}, [&](const core::result<wal_donor>&) {
    of.search.find({wanted, {"a"}}, [&](const core::result<wal_donor>& donor) { second = donor.has_value(); });
  });
  of.answer_all();
  BOOST_TEST(second);
}

BOOST_AUTO_TEST_CASE(without_hosts_or_a_way_to_ask_there_is_no_donor) {
  searches of({});
  of.find({});
  BOOST_TEST_REQUIRE(of.found[0].has_value());
  BOOST_TEST(of.found[0]->error().code == core::errc::unavailable);
  donor_search mute({}, [](const auto&...) { BOOST_ERROR("nobody can be asked"); });
  std::optional<core::errc> code;
  mute.find({wanted, {"a"}}, [&](const core::result<wal_donor>& donor) { code = donor.error().code; });
  BOOST_TEST((code == core::errc::unsupported));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
