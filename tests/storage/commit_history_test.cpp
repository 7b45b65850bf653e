#include <boost/test/unit_test.hpp>

#include "tests/storage/store_fixture.hpp"

using namespace strata;
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

BOOST_FIXTURE_TEST_SUITE(storage_commit_history, fixture)

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

BOOST_AUTO_TEST_CASE(the_planned_cutoff_obeys_horizon_and_interval) {
  constexpr std::int64_t epoch = 946684800LL * 1000000;
  const auto now = [&](pg::timestamp time) { clock.set(core::wall_time(std::chrono::microseconds(time + epoch))); };
  write_commits();
  flush(*store);
  options.gc_horizon_bytes = 2500;
  options.pitr_interval = std::chrono::seconds(10);
  store->set_options(options);
  now(11'500'000);  // the history is younger than the interval
  BOOST_TEST((expect(store->plan_gc_cutoff()) == core::lsn(0)));
  now(14'500'000);
  BOOST_TEST((expect(store->plan_gc_cutoff()) == core::lsn(4000)));
  now(18'500'000);
  BOOST_TEST((expect(store->plan_gc_cutoff()) == core::lsn(6500)));
  now(100'000'000);  // idle for long: the horizon alone counts
  BOOST_TEST((expect(store->plan_gc_cutoff()) == core::lsn(6500)));
  options.gc_horizon_bytes = 0;
  store->set_options(options);
  BOOST_TEST((expect(store->plan_gc_cutoff()) == core::lsn(0)));
}

BOOST_AUTO_TEST_SUITE_END()
