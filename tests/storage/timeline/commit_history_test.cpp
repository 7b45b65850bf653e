#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>

#include "storage/timeline/garbage_collection.hpp"
#include "tests/storage/timeline/store_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace std::chrono_literals;
using namespace strata::storage;

namespace {

using kind = lsn_at_time::kind;

struct fixture : tests::store_fixture {
  std::shared_ptr<timeline_store> store = create(core::lsn(1000));

  static void commit(timeline_store& to, std::uint64_t at, pg::timestamp time) {
    write_batch batch;
    batch.finish_record(core::lsn(at - 8), core::lsn(at));
    batch.add_commit_time(time, core::lsn(at));
    to.append(std::move(batch));
  }
  static bool answers(const timeline_store& of, pg::timestamp time, kind answer, std::uint64_t at) {
    const auto found = expect(of.find_lsn(time));
    BOOST_TEST_MESSAGE("at " << time << ": " << static_cast<int>(found.answer) << " " << found.at.value);
    return found.answer == answer && found.at == core::lsn(at);
  }
  /// Commits at 2000, 3000 ... 9000, a second apart, in file and memory.
  void write_commits() {
    for (std::uint64_t i = 2; i < 10; ++i) {
      commit(*store, 1000 * i, static_cast<pg::timestamp>(i) * 1'000'000);
      if (i == 5) flush(*store);
      if (i == 7) store->freeze();
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_timeline_commit_history, fixture)

BOOST_AUTO_TEST_CASE(without_commits_there_is_no_answer) {
  BOOST_TEST(answers(*store, 5, kind::no_data, 0));
  BOOST_TEST(!expect(store->find_time(core::lsn(1000))).has_value());
}

BOOST_AUTO_TEST_CASE(the_lsn_at_a_time_is_the_last_commit_before_the_first_later_one) {
  write_commits();
  BOOST_TEST(answers(*store, 1'999'999, kind::past, 0));
  BOOST_TEST(answers(*store, 2'000'000, kind::present, 2000));
  BOOST_TEST(answers(*store, 2'999'999, kind::present, 2000));
  BOOST_TEST(answers(*store, 5'500'000, kind::present, 5000));
  BOOST_TEST(answers(*store, 7'000'000, kind::present, 7000));
  BOOST_TEST(answers(*store, 8'500'000, kind::present, 8000));
  BOOST_TEST(answers(*store, 9'000'000, kind::future, 9000));
}

BOOST_AUTO_TEST_CASE(commits_a_little_out_of_order_stop_at_the_first_later_one) {
  commit(*store, 2000, 100'000'000);
  commit(*store, 3000, 130'000'000);
  commit(*store, 4000, 110'000'000);
  commit(*store, 5000, 140'000'000);
  flush(*store);
  BOOST_TEST(answers(*store, 120'000'000, kind::present, 2000));
  BOOST_TEST(answers(*store, 135'000'000, kind::present, 4000));
}

BOOST_AUTO_TEST_CASE(the_time_at_an_lsn_is_that_of_the_last_commit) {
  write_commits();
  BOOST_TEST(!expect(store->find_time(core::lsn(1999))).has_value());
  BOOST_TEST(expect(store->find_time(core::lsn(2000))).value() == 2'000'000);
  BOOST_TEST(expect(store->find_time(core::lsn(5999))).value() == 5'000'000);
  BOOST_TEST(expect(store->find_time(core::lsn::max())).value() == 9'000'000);
}

BOOST_AUTO_TEST_CASE(many_commits_over_many_flushes_are_searched_exactly) {
  for (std::uint64_t i = 1; i <= 20000; ++i) {
    commit(*store, 1000 + 160 * i, static_cast<pg::timestamp>(i) * 1'000'000);
    if (i % 7000 == 0) flush(*store);
  }
  for (std::uint64_t i : {1, 6999, 7000, 7001, 12345, 19999}) {
    BOOST_TEST(answers(*store, static_cast<pg::timestamp>(i) * 1'000'000 + 5, kind::present, 1000 + 160 * i));
    BOOST_TEST(expect(store->find_time(core::lsn(1000 + 160 * i + 159))).value() ==
               static_cast<pg::timestamp>(i) * 1'000'000);
  }
}

BOOST_AUTO_TEST_CASE(a_branch_knows_the_commits_of_its_ancestor_below_the_branch_point) {
  write_commits();
  auto record = new_record(core::lsn(4000));
  record.ancestor = store->record().id;
  record.ancestor_lsn = core::lsn(4000);
  expect(metadata->put_timeline(record));
  const auto child = open(record, store);
  commit(*child, 4500, 50'000'000);
  BOOST_TEST(answers(*child, 3'500'000, kind::present, 3000));
  BOOST_TEST(answers(*child, 7'000'000, kind::present, 4000));
  BOOST_TEST(answers(*child, 50'000'000, kind::future, 4500));
  BOOST_TEST(expect(child->find_time(core::lsn(4499))).value() == 4'000'000);
}

BOOST_AUTO_TEST_CASE(collection_keeps_answers_within_the_window) {
  write_commits();
  flush(*store);
  expect(store->collect({.cutoff = core::lsn(6500), .branch_points = {}}));
  BOOST_TEST(answers(*store, 6'500'000, kind::present, 6500));
  BOOST_TEST(answers(*store, 7'500'000, kind::present, 7000));
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_set_back_stops_a_time_at_the_first_later_commit) {
  // 10:00, 11:00, 12:00, then an hour and a half back: 10:30, 11:30, 13:00.
  constexpr pg::timestamp hour = 3'600'000'000;
  const std::array<pg::timestamp, 6> times{10 * hour, 11 * hour, 12 * hour, 10 * hour + hour / 2, 11 * hour + hour / 2,
                                           13 * hour};
  for (std::size_t i = 0; i < times.size(); ++i) {
    commit(*store, 2000 + 1000 * i, times[i]);
    if (i == 2 || i == 4) flush(*store);
  }
  BOOST_TEST(answers(*store, 9 * hour, kind::past, 0));
  BOOST_TEST(answers(*store, 10 * hour + hour / 4, kind::present, 2000));
  // Times that were twice: the first time counts.
  BOOST_TEST(answers(*store, 10 * hour + hour / 2, kind::present, 2000));
  BOOST_TEST(answers(*store, 11 * hour + hour / 4, kind::present, 3000));
  BOOST_TEST(answers(*store, 11 * hour + hour / 2, kind::present, 3000));
  // All that was committed up to the second pass.
  BOOST_TEST(answers(*store, 12 * hour, kind::present, 6000));
  BOOST_TEST(answers(*store, 13 * hour, kind::future, 7000));
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_set_back_by_a_second_stops_there_too) {
  commit(*store, 2000, 100'000'000);
  commit(*store, 3000, 102'000'000);
  commit(*store, 4000, 101'000'000);
  commit(*store, 5000, 103'000'000);
  BOOST_TEST(answers(*store, 101'000'000, kind::present, 2000));
  BOOST_TEST(answers(*store, 101'500'000, kind::present, 2000));
  BOOST_TEST(answers(*store, 102'000'000, kind::present, 4000));
}

BOOST_AUTO_TEST_CASE(steps_back_among_many_commits_are_searched_exactly) {
  // Compared with a look at every commit. Each 1000 commits the clock goes back by a little more.
  std::vector<commit_time> all;
  pg::timestamp now = 1'000'000'000'000;
  for (std::uint64_t i = 1; i <= 6000; ++i) {
    now += 1'000'000;
    if (i % 1000 == 0) now -= static_cast<pg::timestamp>(i) * 400'000;
    all.push_back({now, core::lsn(1000 + 160 * i)});
    commit(*store, all.back().end.value, now);
    if (i % 2500 == 0) flush(*store);
  }
  for (std::size_t i = 0; i < all.size(); i += 97) {
    const pg::timestamp time = all[i].time + 3;
    const auto later = std::find_if(all.begin(), all.end(), [&](const commit_time& each) { return each.time > time; });
    const bool past = later == all.begin();
    const auto expected = past ? kind::past : later == all.end() ? kind::future : kind::present;
    BOOST_TEST_REQUIRE(answers(*store, time, expected, past ? 0 : std::prev(later)->end.value));
  }
}

BOOST_AUTO_TEST_CASE(a_branch_stops_where_the_clock_of_its_ancestor_was_set_back) {
  commit(*store, 2000, 1'000'000'000);
  commit(*store, 3000, 9'000'000'000);
  commit(*store, 4000, 2'000'000'000);
  flush(*store);
  auto record = new_record(core::lsn(4000));
  record.ancestor = store->record().id;
  record.ancestor_lsn = core::lsn(4000);
  expect(metadata->put_timeline(record));
  const auto child = open(record, store);
  commit(*child, 4500, 1'500'000'000);  // a compute whose clock is behind
  commit(*child, 5000, 9'500'000'000);
  BOOST_TEST(answers(*child, 1'200'000'000, kind::present, 2000));
  BOOST_TEST(answers(*child, 2'500'000'000, kind::present, 2000));
  BOOST_TEST(answers(*child, 9'000'000'000, kind::present, 4500));
  BOOST_TEST(answers(*child, 9'500'000'000, kind::future, 5000));
}

struct planning : fixture {
  planning() {
    write_commits();
    flush(*store);
    keep(2500, 5s);
    now(10'000'000);
  }
  void now(pg::timestamp time) { clock.set(pg::wall_time_of(time)); }
  void keep(std::uint64_t horizon, std::chrono::milliseconds interval) {
    options.gc_horizon_bytes = horizon;
    options.pitr_interval = interval;
    store->set_options(options);
  }
};

BOOST_FIXTURE_TEST_CASE(the_planned_cutoff_obeys_horizon_and_interval, planning) {
  BOOST_TEST(expect(store->plan_gc_cutoff({})) == core::lsn(4000));
  keep(2500, 10s);  // the history is younger than the interval
  BOOST_TEST(expect(store->plan_gc_cutoff({})) == core::lsn(0));
  keep(2500, 1s);
  BOOST_TEST(expect(store->plan_gc_cutoff({})) == core::lsn(6500));
  keep(0, 1s);
  BOOST_TEST(expect(store->plan_gc_cutoff({})) == core::lsn(0));
}

BOOST_FIXTURE_TEST_CASE(the_servers_own_clock_removes_nothing, planning) {
  for (const auto ahead : {0s, 60s, 86'400s, 30 * 86'400s}) {
    now(10'000'000 + std::chrono::microseconds(ahead).count());
    BOOST_TEST(expect(store->plan_gc_cutoff({})) == core::lsn(4000));
  }
}

BOOST_FIXTURE_TEST_CASE(clocks_that_disagree_stop_the_plan, planning) {
  const auto refused = [&](std::optional<std::chrono::microseconds> source_ahead) {
    const auto planned = store->plan_gc_cutoff(source_ahead);
    return !planned && planned.error().code == core::errc::conflict;
  };
  BOOST_TEST(refused(std::chrono::hours(24 * 30)));
  BOOST_TEST(refused(-std::chrono::hours(24 * 30)));
  BOOST_TEST(!refused(std::chrono::minutes(5)));
  now(9'000'000 - std::chrono::microseconds(std::chrono::hours(24 * 30)).count());
  BOOST_TEST(refused({}));
  // Without an interval no clock is asked.
  keep(2500, 0s);
  BOOST_TEST(expect(store->plan_gc_cutoff({})) == core::lsn(6500));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(storage_timeline_retention_clocks)

BOOST_AUTO_TEST_CASE(what_is_kept_counts_from_the_newest_commit) {
  const core::wall_time now(std::chrono::hours(500'000));
  const auto kept = [&](std::chrono::microseconds commit_ahead, std::optional<std::chrono::microseconds> source_ahead) {
    return oldest_kept({.server = now, .newest_commit = now + commit_ahead, .source_ahead = source_ahead}, 1h);
  };
  for (const auto ahead : std::initializer_list<std::chrono::microseconds>{0s, -1s, 1s, 5min, -30 * 24h}) {
    const auto oldest = kept(ahead, 0s);
    BOOST_REQUIRE(oldest);
    BOOST_TEST((oldest->value() == now + ahead - 1h));
  }
  for (const auto ahead : std::initializer_list<std::chrono::microseconds>{5min + 1us, 1h, 30 * 24h})
    BOOST_TEST(!kept(ahead, {}));
  for (const auto ahead :
       std::initializer_list<std::chrono::microseconds>{5min + 1us, -5min - 1us, 30 * 24h, -30 * 24h})
    BOOST_TEST(!kept(0s, ahead));
  const auto why = kept(0s, 30 * 24h);
  BOOST_TEST(why.error().detail.find("the source's clock is 30d ahead of") != std::string::npos);
  // Nothing was committed: there is nothing to count from.
  BOOST_TEST(!oldest_kept({.server = now, .newest_commit = {}, .source_ahead = 0s}, 1h).value());
}

BOOST_AUTO_TEST_SUITE_END()
