#include "actors/compute/wal_feed.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <functional>
#include <mutex>

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/outside.hpp"
#include "actors/runtime/system.hpp"
#include "host/standby_settings.hpp"
#include "pg/client/replication_connection.hpp"
#include "pg/files/start_segment.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/replication_events.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::compute;
namespace runtime = actors::runtime;
namespace client = pg::client;
namespace fs = std::filesystem;

struct losses {
  std::mutex mutex;
  std::vector<feed_lost> seen;
};

class owner final : public runtime::actor_base<proposer_owner_actor> {
 public:
  static constexpr const char* kind = "test.feed_owner";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;
  owner(const runtime::actor_setup& setup, std::shared_ptr<losses> into) : actor_base(setup), into_(std::move(into)) {}

 private:
  friend actor_base;
  void on(const proposer_elected&) {}
  void on(const proposer_synced&) {}
  void on(const proposer_superseded&) {}
  void on(const proposer_quorum&) {}
  void on(const feed_lost& event) {
    const std::lock_guard lock(into_->mutex);
    into_->seen.push_back(event);
  }
  std::shared_ptr<losses> into_;
};

/// A Postgres whose WAL is fed, and the connection of a walreceiver. The first upstream that is tried does not exist.
struct with_feed {
  with_feed() {
    source.start();
    source.execute("create table rows (id int)");
    source.execute("checkpoint");
    of = begin_here();
    auto listener = host::listen_for_standby(sockets.path().string());
    BOOST_REQUIRE(listener);
    owner_ = runtime::spawn<owner>(system.actors(), {"owner", 0}, lost);
    feed = spawn_wal_feed(system.actors(),
                          {.label = {"test", 0},
                           .owner = owner_,
                           .listener = *std::move(listener),
                           .find_upstream = [this](std::uint32_t attempt) -> core::result<host::wal_upstream> {
                             if (attempt == 0)
                               return host::wal_upstream{"host=127.0.0.1 port=" + std::to_string(free_port()), "none"};
                             return host::wal_upstream{source.replication_conninfo(), "the source"};
                           }});
  }
  ~with_feed() {
    caf::anon_send_exit(feed, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(owner_, caf::exit_reason::user_shutdown);
  }

  follow_from begin_here() {
    pg::files::start_point at;
    at.position = pg::files::normalise_position(lsn_from(source.value("select pg_current_wal_insert_lsn()")));
    at.system_id = std::stoull(source.value("select system_identifier from pg_control_system()"));
    at.counters.next_xid = 1000;
    at.counters.oldest_active_xid = 999;
    auto made = pg::files::standby_segments(at);
    BOOST_REQUIRE(made);
    return {std::make_shared<pg::files::standby_view>(*std::move(made), pg::default_wal_segment_size), at.system_id};
  }
  void follow() { caf::anon_send(feed, of); }
  feed_status status() { return *runtime::ask_and_wait(system.actors(), feed, get_feed_status{}, 5s); }

  /// Idle, as after IDENTIFY_SYSTEM.
  client::replication_connection walreceiver() {
    auto made = client::replication_connection::open("host=" + sockets.path().string() + " port=1 user=strata");
    BOOST_REQUIRE(made);
    BOOST_REQUIRE(std::holds_alternative<client::connected>(*wait_for_event(*made)));
    return *std::move(made);
  }
  core::result<client::replication_event> start(client::replication_connection& of_client, core::lsn from,
                                                std::uint32_t timeline = 1) {
    BOOST_REQUIRE(of_client.start_replication("", from, timeline));
    return wait_for_event(of_client);
  }
  [[nodiscard]] bool is_refused(const core::result<client::replication_event>& answer) const {
    return !answer && answer.error().detail.find("the standby begins at " + core::to_string(of.view->record())) !=
                          std::string::npos;
  }
  client::replication_connection streaming(core::lsn from) {
    auto made = walreceiver();
    BOOST_REQUIRE(std::holds_alternative<client::streaming_started>(*start(made, from)));
    return made;
  }
  /// [from, to): from there on the stream goes on where this stops.
  static void receive(client::replication_connection& of_client, core::bytes& into, core::lsn from, core::lsn to) {
    while (from + into.size() < to) {
      const auto event = wait_for_event(of_client);
      BOOST_REQUIRE_MESSAGE(event.has_value(), (event ? "" : event.error().detail));
      const auto* wal = std::get_if<client::wal_data>(&*event);
      if (wal == nullptr) continue;
      BOOST_REQUIRE(wal->start == from + into.size());
      core::append(into, wal->bytes);
    }
  }
  core::lsn insert(int count = 1000) {
    source.execute("insert into rows select generate_series(1, " + std::to_string(count) + ")");
    return lsn_from(source.value("select pg_current_wal_flush_lsn()"));
  }
  /// As Postgres reads it.
  static std::size_t records_in(
      core::bytes_view stream, core::lsn begin, const follow_from& of_standby,
      const std::function<void(const pg::wal::record&)>& look = [](const pg::wal::record&) {}) {
    const core::lsn first = of_standby.view->wal().checkpoint;
    pg::wal::stream_decoder decoder({.start = first,
                                     .major = of_standby.major,
                                     .segment_size = of_standby.view->segment_size(),
                                     .system_id = of_standby.system_id});
    decoder.feed(stream.subspan(first - begin));
    pg::wal::record record;
    for (std::size_t count = 0;; ++count) {
      const auto framed = decoder.next();
      BOOST_REQUIRE_MESSAGE(framed.has_value(), (framed ? "" : framed.error().detail));
      if (!*framed) return count;
      BOOST_REQUIRE(
          pg::wal::parse_record((*framed)->bytes, (*framed)->start, (*framed)->end, of_standby.major, record));
      look(record);
    }
  }
  std::optional<feed_lost> lost_now() {
    const std::lock_guard lock(lost->mutex);
    return lost->seen.empty() ? std::nullopt : std::optional(lost->seen.back());
  }

  postgres_cluster source{{.config = {"wal_level = replica", "max_wal_senders = 10", "autovacuum = off",
                                      "wal_keep_size = 0", "min_wal_size = 32MB", "wal_recycle = off"}}};
  temp_dir sockets;
  std::shared_ptr<losses> lost = std::make_shared<losses>();
  follow_from of;
  runtime::process_system system;
  proposer_owner_actor owner_;
  wal_feed_actor feed;
};

BOOST_FIXTURE_TEST_SUITE(actors_compute_wal_feed, with_feed)

BOOST_AUTO_TEST_CASE(a_walreceiver_reads_the_view_and_the_branch_as_one_stream_over_lost_upstreams) {
  auto early = walreceiver();
  BOOST_TEST((start(early, of.view->begin()).error().code == core::errc::unavailable));
  follow();

  const core::lsn begin = of.view->begin();
  auto standby = walreceiver();
  BOOST_TEST(is_refused(start(standby, begin - 1)));
  BOOST_TEST(is_refused(start(standby, begin, 2)));
  BOOST_REQUIRE(std::holds_alternative<client::streaming_started>(*start(standby, begin)));

  core::bytes stream;
  const core::lsn first = insert();
  receive(standby, stream, begin, first);
  BOOST_TEST(records_in(stream, begin, of) > 1000u);

  // The next connection to the upstream goes on at the byte where this one ended.
  source.restart(stop_mode::immediate);
  const core::lsn second = insert();
  receive(standby, stream, begin, second);
  BOOST_TEST(records_in(stream, begin, of) > 2000u);
  BOOST_TEST(status().upstream == "the source");
  BOOST_TEST(status().last_error == "");

  BOOST_REQUIRE(standby.send_status(second, second - 8, second - 16));
  wait_until("the positions are known", [&] { return status().replayed == second - 16; });
  BOOST_TEST(status().received == second - 8);
  BOOST_TEST(status().head >= second);
  BOOST_TEST(status().head_at.has_value());

  // A new walreceiver replaces it, and begins anywhere.
  auto next = streaming(second - 5);
  core::bytes rest;
  receive(next, rest, second - 5, insert());
  BOOST_TEST((core::bytes(rest.begin(), rest.begin() + 5) == core::bytes(stream.end() - 5, stream.end())));
  BOOST_TEST(!lost_now().has_value());
}

BOOST_AUTO_TEST_CASE(wal_of_another_cluster_is_not_passed_on) {
  ++of.system_id;
  follow();
  const auto standby = streaming(of.view->record());
  insert();
  wait_until("it is refused", [&] { return status().last_error == "the source has the WAL of another cluster"; });
  BOOST_TEST(status().upstream == "");
  BOOST_TEST(!lost_now().has_value());
}

BOOST_AUTO_TEST_CASE(wal_that_is_gone_is_reported_once_and_a_later_start_is_followed) {
  for (int i = 0; i < 3; ++i) source.execute("insert into rows values (1); select pg_switch_wal()");
  source.execute("checkpoint");
  source.execute("checkpoint");
  follow();
  const auto standby = streaming(of.view->record());
  wait_until("the loss is reported", [&] { return lost_now().has_value(); });
  BOOST_TEST(lost_now()->why == "WAL after " + core::to_string(of.view->record()) + " is gone from the source");
  BOOST_TEST(lost_now()->before == core::lsn());

  of = begin_here();
  follow();
  auto next = streaming(of.view->begin());
  core::bytes stream;
  receive(next, stream, of.view->begin(), insert());
  BOOST_TEST(records_in(stream, of.view->begin(), of) > 1000u);
  const std::lock_guard lock(lost->mutex);
  BOOST_TEST(lost->seen.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_tablespace_elsewhere_is_passed_on_without_its_path) {
  follow();
  const core::lsn begin = of.view->begin();
  auto standby = streaming(begin);
  core::bytes stream;
  receive(standby, stream, begin, insert(10));
  const fs::path space = source.work_directory() / "space";
  fs::create_directory(space);
  if (const auto owner = postgres_account()) BOOST_REQUIRE(::chown(space.c_str(), owner->user, owner->group) == 0);
  source.execute("create tablespace space location '" + space.string() + "'");
  receive(standby, stream, begin, insert(10));
  std::size_t created = 0;
  records_in(stream, begin, of, [&](const pg::wal::record& each) {
    if (each.manager != pg::wal::resource_manager::tablespace) return;
    ++created;
    BOOST_TEST(each.main_data[4] == 0);
  });
  BOOST_TEST(created == 1u);
  BOOST_TEST(!lost_now().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
