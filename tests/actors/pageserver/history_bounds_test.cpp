#include <boost/test/unit_test.hpp>

#include "actors/pageserver/history_bounds.hpp"
#include "actors/pageserver/ingest/source_progress.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::pageserver;
using core::lsn;
using phase = messages::source_status::phase;

/// Both clocks in seconds; the source's is the same as ours unless told otherwise.
struct words : source_progress {
  core::monotonic_time mono(double second) {
    return core::monotonic_time(
        std::chrono::duration_cast<core::monotonic_time::duration>(std::chrono::duration<double>(1000 + second)));
  }
  core::wall_time wall(double second) {
    return core::wall_time(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::duration<double>(5000 + second)));
  }
  void ask(double second) { asked(mono(second)); }
  /// A keepalive of that time by the source's clock, heard at once.
  void alive(std::uint64_t end, double second, double ahead = 0) {
    heard_keepalive(lsn(end), wall(second + ahead), mono(second), wall(second));
  }
  bool known(double second) { return known_until() == wall(second); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_source_progress, words)

BOOST_AUTO_TEST_CASE(the_second_keepalive_tells_until_when_all_is_known) {
  connected(lsn(100));
  alive(100, 10);
  BOOST_TEST(!handed_over(lsn(100)));
  BOOST_TEST(!known_until().has_value());
  alive(100, 11);
  BOOST_TEST(handed_over(lsn(100)));
  BOOST_TEST(known(10));
  BOOST_TEST(!handed_over(lsn(100)));  // nothing new
}

BOOST_AUTO_TEST_CASE(two_in_quick_succession_leave_room_for_commits_under_way) {
  connected(lsn(100));
  alive(100, 10);
  alive(100, 10.25);
  BOOST_TEST(handed_over(lsn(100)));
  BOOST_TEST(known(9.25));
  alive(100, 20);
  BOOST_TEST(handed_over(lsn(100)));
  BOOST_TEST(known(10.25));
}

BOOST_AUTO_TEST_CASE(nothing_is_known_while_wal_that_the_source_has_is_missing) {
  connected(lsn(500));
  alive(100, 10);
  alive(100, 11);
  BOOST_TEST(!handed_over(lsn(100)));
  heard_wal(lsn(600), mono(11.5));
  BOOST_TEST(handed_over(lsn(500)));
  BOOST_TEST(known(10));
  // From the next keepalive on the WAL after it counts, too.
  alive(500, 12);
  BOOST_TEST(!handed_over(lsn(599)));
  BOOST_TEST(known(10));
  BOOST_TEST(handed_over(lsn(600)));
  BOOST_TEST(known(11));
}

BOOST_AUTO_TEST_CASE(a_lost_stream_leaves_what_was_known_and_a_new_one_begins_anew) {
  connected(lsn(100));
  alive(100, 10);
  alive(100, 11);
  handed_over(lsn(100));
  connected(lsn(300));
  BOOST_TEST(!handed_over(lsn(100)));
  alive(100, 50);
  BOOST_TEST(!handed_over(lsn(300)));  // the first word of this stream
  BOOST_TEST(known(10));
  alive(300, 51);
  BOOST_TEST(handed_over(lsn(300)));
  BOOST_TEST(known(50));
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_back_takes_the_word_back) {
  connected(lsn(100));
  alive(100, 10, 3600);
  alive(100, 11, 3600);
  handed_over(lsn(100));
  BOOST_TEST(known(3610));
  alive(100, 12, 0);
  BOOST_TEST(handed_over(lsn(100)));
  BOOST_TEST(known(11));
}

BOOST_AUTO_TEST_CASE(the_clock_is_read_from_the_answer_to_one_open_question) {
  connected(lsn(100));
  alive(100, 9, 7);  // nobody asked
  BOOST_TEST(!clock_ahead().has_value());
  ask(10);
  alive(100, 10.5, 7);
  BOOST_TEST(clock_ahead() == 7s);
  ask(11);
  alive(100, 12.5, -90);  // too late to tell
  BOOST_TEST(clock_ahead() == 7s);
  ask(13);
  ask(14);
  alive(100, 14.1, -90);  // to which of them?
  BOOST_TEST(clock_ahead() == 7s);
}

BOOST_AUTO_TEST_CASE(it_is_not_asked_more_than_ten_times_a_second) {
  ask(10);
  alive(100, 10.03125);
  BOOST_TEST(!may_ask(mono(10.125)));
  BOOST_TEST(may_ask(mono(10.25)));
}

BOOST_AUTO_TEST_CASE(one_question_is_open_at_a_time_unless_it_was_lost) {
  ask(10);
  BOOST_TEST(!may_ask(mono(11)));
  BOOST_TEST(!may_ask(mono(39)));
  BOOST_TEST(may_ask(mono(41)));
}

BOOST_AUTO_TEST_CASE(two_answers_behind_the_same_wal_tell_nothing) {
  connected(lsn(100));
  ask(10);
  ask(11);
  // Both waited in the source's send buffer: what it flushed between them was not sent yet.
  heard_wal(lsn(200), mono(20));
  heard_keepalive(lsn(200), wall(10), mono(20), wall(20));
  heard_keepalive(lsn(200), wall(11), mono(20), wall(20));
  BOOST_TEST(!handed_over(lsn(200)));
  // The next was asked for after the last had come.
  ask(21);
  alive(200, 21.5);
  BOOST_TEST(handed_over(lsn(200)));
  BOOST_TEST(known(11));
}

BOOST_AUTO_TEST_CASE(bytes_behind_are_told_only_while_the_source_speaks) {
  messages::source_status source{.now = phase::streaming, .received = lsn(100), .source_head = lsn(100)};
  const core::monotonic_time now = mono(60);
  BOOST_TEST(!lag_of(source, now, false).bytes.has_value());
  source.last_message = mono(58);
  BOOST_TEST(*lag_of(source, now, false).bytes == 0u);
  BOOST_TEST(lag_of(source, now, false).since_message == 2s);
  source.source_head = lsn(180);
  BOOST_TEST(*lag_of(source, now, false).bytes == 80u);
  // Stalled, lost, failed, the disk is full.
  BOOST_TEST(!lag_of(source, mono(64), false).bytes.has_value());
  BOOST_TEST(lag_of(source, mono(64), false).since_message == 6s);
  BOOST_TEST(!lag_of(source, now, true).bytes.has_value());
  for (const phase away : {phase::connecting, phase::waiting_to_retry, phase::failed, phase::backing_up}) {
    source.now = away;
    BOOST_TEST(!lag_of(source, now, false).bytes.has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_history_bounds)

using kind = storage::lsn_at_time::kind;

core::wall_time at(std::chrono::seconds second) { return core::wall_time(5000s + second); }

BOOST_AUTO_TEST_CASE(a_moment_between_commits_needs_no_word) {
  const history_bounds nothing{.until = {}, .since = {}, .window = {lsn(100), lsn(200)}};
  BOOST_TEST(point_at(at(10s), {kind::present, lsn(150)}, nothing).value() == lsn(150));
}

BOOST_AUTO_TEST_CASE(a_moment_after_the_last_commit_needs_the_word_up_to_it) {
  history_bounds known{.until = {}, .since = {}, .window = {lsn(100), lsn(200)}};
  const storage::lsn_at_time later{kind::future, lsn(200)};
  BOOST_TEST(!point_at(at(10s), later, known).value().has_value());
  known.until = at(9s);
  BOOST_TEST(!point_at(at(10s), later, known).value().has_value());
  known.until = at(10s);
  BOOST_TEST(point_at(at(10s), later, known).value() == lsn(200));
}

BOOST_AUTO_TEST_CASE(a_history_without_commits_is_known_by_the_words) {
  history_bounds known{.until = {}, .since = {}, .window = {lsn(100), lsn(200)}};
  const storage::lsn_at_time none{kind::no_data, {}};
  BOOST_TEST(!point_at(at(10s), none, known).value().has_value());  // the first word may come
  known.since = at(5s);
  known.until = at(8s);
  BOOST_TEST(point_at(at(5s), none, known).value() == lsn(200));
  BOOST_TEST(point_at(at(8s), none, known).value() == lsn(200));
  BOOST_TEST(!point_at(at(9s), none, known).value().has_value());
  const auto before = point_at(at(4s), none, known);
  BOOST_REQUIRE(!before);
  BOOST_TEST(before.error().code == core::errc::out_of_range);
  BOOST_TEST(before.error().detail.find("0/64 to 0/C8") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(before_the_first_commit_lies_the_begin_of_the_history_or_nothing) {
  history_bounds known{.until = at(60s), .since = {}, .window = {lsn(100), lsn(200)}};
  const storage::lsn_at_time past{kind::past, {}};
  BOOST_TEST(!point_at(at(10s), past, known).has_value());
  known.since = at(11s);
  BOOST_TEST(!point_at(at(10s), past, known).has_value());
  BOOST_TEST(point_at(at(11s), past, known).value() == lsn(100));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
