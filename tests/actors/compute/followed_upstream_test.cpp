#include "actors/compute/followed_upstream.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/actors/compute/standby_stream.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::actors::compute;
using namespace std::chrono_literals;
namespace client = pg::client;

namespace {

struct with_upstream : tests::standby_stream {
  with_upstream() { tested.opened(first, of.view->begin(), now); }

  void stream() { BOOST_REQUIRE(tested.on(client::streaming_started{}, now)); }
  core::result<followed_upstream::command> take(core::lsn at, std::size_t count) {
    held = bytes(at, count);
    return tested.on(client::wal_data{.start = at, .server_end = at + count, .sent = 0, .bytes = held}, now);
  }
  template <class Command>
  static Command as(const core::result<followed_upstream::command>& made) {
    BOOST_REQUIRE((made && std::holds_alternative<Command>(*made)));
    return std::get<Command>(*made);
  }

  followed_upstream::time now{1000s};
  host::wal_upstream first{
      .conninfo = "", .name = "safekeeper 1", .expected = pg::wire::safekeeper_identity{.id = 1}, .count = 3};
  host::wal_upstream source{.conninfo = "", .name = "the source"};
  followed_upstream tested{of};
  core::bytes held;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_compute_followed_upstream, with_upstream)

BOOST_AUTO_TEST_CASE(another_cluster_and_another_safekeeper_are_refused) {
  client::connected greeted;
  const auto instance = core::make_id<core::instance_id>();
  greeted.safekeeper = pg::wire::to_text({1, instance, 4711});
  as<followed_upstream::identify>(tested.on(greeted, now));
  as<followed_upstream::start_stream>(tested.on(client::system_identified{4711, 1, end()}, now));
  BOOST_TEST((tested.on(client::system_identified{4712, 1, end()}, now).error().code == core::errc::conflict));
  for (const std::string& answering : {pg::wire::to_text({2, instance, 4711}), std::string()}) {
    greeted.safekeeper = answering;
    BOOST_TEST((tested.on(greeted, now).error().code == core::errc::conflict), answering);
  }
  // No error of these says that the WAL is gone.
  BOOST_TEST(!tested.lost({core::errc::conflict, "another cluster"}).has_value());
  BOOST_TEST(!tested.over());
}

BOOST_AUTO_TEST_CASE(the_first_record_is_patched_however_often_it_comes_and_nothing_else_is) {
  const core::lsn patched_end = of.view->patched_end();
  for (const core::lsn next : {of.view->begin(), record, record + 1, patched_end - 1}) {
    tested.opened(first, next, now);
    BOOST_TEST(as<followed_upstream::start_stream>(tested.on(client::system_identified{4711, 1, end()}, now)).from ==
               record);
    const auto passed = as<followed_upstream::pass_on>(take(record, 5000));
    BOOST_TEST(passed.begin == record);
    BOOST_TEST((core::bytes(passed.wal.begin(), passed.wal.end()) != held));
    const std::size_t head = patched_end - record;
    BOOST_TEST(
        (core::bytes(passed.wal.begin() + head, passed.wal.end()) == core::bytes(held.begin() + head, held.end())));
  }
  tested.opened(first, patched_end, now);
  BOOST_TEST(as<followed_upstream::start_stream>(tested.on(client::system_identified{4711, 1, end()}, now)).from ==
             patched_end);
  const auto passed = as<followed_upstream::pass_on>(take(patched_end, 5000));
  BOOST_TEST((core::bytes(passed.wal.begin(), passed.wal.end()) == held));
}

BOOST_AUTO_TEST_CASE(a_gap_in_the_stream_is_an_error) {
  as<followed_upstream::pass_on>(take(record, 1000));
  BOOST_TEST((take(record + 1001, 100).error().code == core::errc::corrupt));
}

BOOST_AUTO_TEST_CASE(a_source_is_followed_on_its_timeline_and_a_safekeeper_on_the_one_it_knows) {
  of.timeline = 3;
  followed_upstream later(of);
  later.opened(source, record, now);
  BOOST_TEST(as<followed_upstream::start_stream>(later.on(client::system_identified{4711, 3, end()}, now)).timeline ==
             3u);
  later.opened(first, record, now);
  BOOST_TEST(as<followed_upstream::start_stream>(later.on(client::system_identified{4711, 1, end()}, now)).timeline ==
             1u);
}

BOOST_AUTO_TEST_CASE(a_switch_of_the_timeline_ends_the_incarnation_and_the_end_of_a_stream_does_not) {
  tested.opened(source, record, now);
  stream();
  const auto ended = tested.on(client::streaming_ended{}, now);
  BOOST_TEST(!tested.lost(ended.error()).has_value());
  tested.opened(source, record, now);
  stream();
  const auto switched = tested.on(client::streaming_ended{.next_timeline = 2, .next_timeline_start = end()}, now);
  const auto over = tested.lost(switched.error());
  BOOST_REQUIRE(over.has_value());
  BOOST_TEST(over->why == "the source has switched to timeline 2");
  BOOST_TEST(tested.over());
}

BOOST_AUTO_TEST_CASE(wal_is_gone_when_it_is_gone_from_all_upstreams_in_a_row) {
  const core::error gone{core::errc::out_of_range, "requested WAL segment has already been removed"};
  BOOST_TEST(!tested.lost(gone).has_value());
  BOOST_TEST(tested.attempt() == 1u);
  tested.opened(first, record, now);
  BOOST_TEST(!tested.lost(gone).has_value());
  // One that has it begins the count again.
  tested.opened(first, record, now);
  as<followed_upstream::pass_on>(take(record, 100));
  BOOST_TEST(!tested.lost(gone).has_value());
  BOOST_TEST(!tested.lost(gone).has_value());
  // One that can't be reached is no evidence.
  BOOST_TEST(!tested.lost({core::errc::unavailable, "refused"}).has_value());
  const auto over = tested.lost(gone);
  BOOST_REQUIRE(over.has_value());
  BOOST_TEST(over->why == "WAL after " + core::to_string(record + 100) + " is gone from all safekeepers of the branch");
  BOOST_TEST(tested.over());
  BOOST_TEST(!tested.lost(gone).has_value());
}

BOOST_AUTO_TEST_CASE(a_tablespace_elsewhere_is_changed_or_ends_the_incarnation_with_the_position_after_it) {
  const core::lsn before = end();
  tests::wal_record created{.manager = pg::wal::resource_manager::tablespace};
  core::append_le(created.main_data, pg::oid{16400});
  const std::string path = "/mnt/fast";
  created.main_data.insert(created.main_data.end(), path.begin(), path.end());
  created.main_data.push_back(0);
  const auto placed = wal.append(created);

  as<followed_upstream::pass_on>(take(record, before - record));
  const auto whole = as<followed_upstream::pass_on>(take(before, end() - before));
  const core::bytes passed(whole.wal.begin(), whole.wal.end());
  BOOST_TEST((passed != held));
  // An upstream that begins further back sends it again.
  tested.opened(first, before - 100, now);
  const auto again = as<followed_upstream::pass_on>(take(before - 100, end() - before + 100));
  BOOST_TEST((core::bytes(again.wal.begin() + 100, again.wal.end()) == passed));

  followed_upstream late(of);
  late.opened(first, record, now);
  const std::size_t with_crc = before - record + 24;
  held = bytes(record, with_crc);
  BOOST_REQUIRE(late.on(client::wal_data{record, end(), 0, held}, now));
  held = bytes(record + with_crc, end() - record - with_crc);
  const auto refused = late.on(client::wal_data{record + with_crc, end(), 0, held}, now);
  BOOST_REQUIRE(!refused);
  const auto over = late.lost(refused.error());
  BOOST_REQUIRE(over.has_value());
  BOOST_TEST(over->before == placed.end);
  BOOST_TEST(over->why.find(path) != std::string::npos, over->why);
}

BOOST_AUTO_TEST_CASE(a_silent_upstream_is_left_only_while_it_is_read) {
  stream();
  BOOST_TEST(tested.check(true, now + followed_upstream::silence_max));
  BOOST_TEST(tested.check(false, now + followed_upstream::silence_max + 1ms));
  BOOST_TEST((tested.check(true, now + followed_upstream::silence_max + 1ms).error().code == core::errc::timeout));
}

BOOST_AUTO_TEST_CASE(an_upstream_with_less_than_the_branch_is_left_whatever_the_one_before_it_had) {
  stream();
  BOOST_REQUIRE(tested.on(client::keepalive{.server_end = core::lsn(500)}, now));
  tested.branch_reaches(core::lsn(500));
  BOOST_TEST(tested.check(true, now));
  BOOST_TEST(!tested.lost({core::errc::unavailable, "refused"}).has_value());

  tested.opened(first, record, now);
  stream();
  BOOST_REQUIRE(tested.on(client::keepalive{.server_end = core::lsn(499)}, now));
  BOOST_TEST(tested.head() == core::lsn(500));
  BOOST_TEST(tested.check(true, now));
  BOOST_TEST(tested.check(true, now + followed_upstream::behind_max));
  BOOST_TEST(!tested.check(true, now + followed_upstream::behind_max + 1ms));
  BOOST_REQUIRE(tested.on(client::keepalive{.server_end = core::lsn(500)}, now));
  BOOST_TEST(tested.check(true, now + followed_upstream::behind_max + 1ms));
}

BOOST_AUTO_TEST_CASE(its_head_is_known_only_while_its_wal_flows) {
  BOOST_TEST(tested.streaming_from() == "");
  stream();
  BOOST_REQUIRE(tested.on(client::keepalive{.server_end = core::lsn(500), .sent = 0, .reply_requested = false}, now));
  BOOST_TEST(tested.streaming_from() == "safekeeper 1");
  BOOST_TEST((tested.head_at() == now));
  as<followed_upstream::report_position>(tested.on(client::keepalive{core::lsn(500), 0, true}, now));
  tested.lost({core::errc::unavailable, "refused"});
  BOOST_TEST(tested.streaming_from() == "");
  BOOST_TEST(!tested.head_at().has_value());
  BOOST_TEST(tested.head() == core::lsn(500));
  BOOST_TEST(tested.last_error() == "refused");
}

BOOST_AUTO_TEST_SUITE_END()
