#include "actors/safekeeper/flush_rounds.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>

#include "core/blocking.hpp"
#include "core/blocking_allowed.hpp"
#include "tests/actors/safekeeper/journal_home.hpp"

namespace strata::actors::safekeeper {
namespace {

using namespace std::chrono_literals;

core::timeline_id timeline(std::uint8_t number) {
  core::timeline_id made;
  made.value.back() = number;
  return made;
}

/// Its batches have no WAL. So much room is reserved that each round asks the disk for its free space.
struct with_rounds : tests::journal_home {
  with_rounds() { elect(); }
  [[nodiscard]] keep_wal heartbeat() const {
    auto batch = std::make_shared<message_batch>();
    batch->add({consensus::append{1, in, wal.start(), wal.start(), {}, {}}, {}});
    return {key.timeline, view->journal(), std::move(batch)};
  }
  void run_enough() {
    for (std::uint32_t i = 0; i < 100 * lone_timeline::rounds_min && !lone.is(key.timeline); ++i) {
      const auto begun = std::chrono::steady_clock::now();
      BOOST_TEST_REQUIRE(rounds.run({heartbeat()}));
      lone.ran(key.timeline, std::chrono::steady_clock::now() - begun);
    }
  }
  runtime::metrics metrics;
  flush_rounds rounds{
      {.disk = &disk, .directory = home.path().string(), .disk_reserve = 1ull << 62, .clock = &core::system_clock()},
      metrics};
  lone_timeline lone;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_safekeeper_flush_rounds)

BOOST_AUTO_TEST_CASE(a_timeline_is_alone_after_some_quick_rounds_of_its_own) {
  lone_timeline lone;
  for (std::uint32_t i = 0; i < lone_timeline::rounds_min; ++i) {
    BOOST_TEST(!lone.is(timeline(1)));
    lone.ran(timeline(1), 100us);
  }
  BOOST_TEST(lone.is(timeline(1)));
  BOOST_TEST(!lone.is(timeline(2)));
}

BOOST_AUTO_TEST_CASE(a_round_of_another_timeline_or_a_slow_one_begins_the_count_again) {
  lone_timeline lone;
  const auto alone = [&] {
    for (std::uint32_t i = 0; i < lone_timeline::rounds_min; ++i) lone.ran(timeline(1), 100us);
    return lone.is(timeline(1));
  };
  BOOST_TEST(alone());
  lone.ran(timeline(2), 100us);
  BOOST_TEST(!lone.is(timeline(1)));
  BOOST_TEST(!lone.is(timeline(2)));
  BOOST_TEST(alone());
  lone.ran(timeline(1), lone_timeline::round_max + 1us);
  BOOST_TEST(!lone.is(timeline(1)));
}

BOOST_FIXTURE_TEST_CASE(a_round_runs_where_it_was_read_only_while_its_timeline_is_alone, with_rounds) {
  // A call that may block ends the test in this scope.
  const core::no_blocking reader("reader");
  BOOST_TEST(!rounds.run_where_it_was_read(heartbeat()));
  {
    const core::blocking_allowed flusher;
    run_enough();
  }
  const auto done = rounds.run_where_it_was_read(heartbeat());
  BOOST_TEST_REQUIRE(done.has_value());
  BOOST_TEST_REQUIRE(done->has_value());
  BOOST_TEST((*done)->replies.size() == 1u);
  BOOST_TEST(core::must_not_block());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::actors::safekeeper
