#include "actors/pageserver/source_session.hpp"

#include <boost/test/unit_test.hpp>

using namespace strata;
using namespace strata::actors::pageserver;
namespace client = pg::client;

namespace {

constexpr std::uint64_t cluster = 7000;

/// Answers every command as a fit source does, until the session streams, completes or refuses.
core::result<session_command> converse(source_session& session, const std::string& wal_level = "replica") {
  core::result<session_command> command = session.on(client::connected{.server_version = 150020});
  for (int i = 0; i < 20; ++i) {
    if (!command || std::holds_alternative<send_start_replication>(*command) ||
        std::holds_alternative<session_complete>(*command))
      return command;
    if (std::holds_alternative<send_identify_system>(*command))
      command = session.on(client::system_identified{cluster, 3, core::lsn(0x5000)});
    else if (const auto* show = std::get_if<send_show>(&*command))
      command = session.on(client::setting_shown{show->setting, show->setting == "wal_level"          ? wal_level
                                                                : show->setting == "wal_segment_size" ? "64MB"
                                                                                                      : "on"});
    else if (std::holds_alternative<send_create_slot>(*command))
      command = session.on(client::slot_created{});
    else if (std::holds_alternative<send_start_backup>(*command)) {
      BOOST_REQUIRE(session.on(client::backup_started{.start = core::lsn(0x4028)}));
      BOOST_REQUIRE(session.on(client::archive_started{0}));
      command = session.on(client::backup_finished{core::lsn(0x4800), 3});
    } else {
      return core::error{core::errc::io_error, "the session waits for nothing that comes"};
    }
  }
  return core::error{core::errc::io_error, "the session does not end"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_pageserver_source_session)

BOOST_AUTO_TEST_CASE(a_probe_learns_what_the_timeline_must_know) {
  source_session session({.wanted = session_goal::kind::probe, .slot = "s", .resume_from = {}, .system_id = 0});
  const auto end = converse(session);
  BOOST_REQUIRE(end);
  BOOST_TEST(std::holds_alternative<session_complete>(*end));
  BOOST_TEST(session.system_id() == cluster);
  BOOST_TEST(session.data_checksums());
  BOOST_TEST(session.wal_log_hints());
  BOOST_TEST(session.wal_segment_size() == 64u << 20);
}

BOOST_AUTO_TEST_CASE(an_import_streams_from_the_start_of_its_backup) {
  source_session session({.wanted = session_goal::kind::import, .slot = "s", .resume_from = {}, .system_id = cluster});
  const auto end = converse(session);
  BOOST_REQUIRE(end);
  const auto& stream = std::get<send_start_replication>(*end);
  BOOST_TEST(stream.from.value == 0x4028u);
  BOOST_TEST(stream.source_timeline == 3u);
}

BOOST_AUTO_TEST_CASE(resuming_at_a_page_boundary_asks_for_the_position_behind_the_header) {
  source_session session(
      {.wanted = session_goal::kind::resume, .slot = "s", .resume_from = core::lsn(0x4000), .system_id = cluster});
  const auto end = converse(session);
  BOOST_REQUIRE(end);
  BOOST_TEST(std::get<send_start_replication>(*end).from.value == 0x4018u);
}

BOOST_AUTO_TEST_CASE(a_safekeeper_is_asked_for_nothing_but_who_it_is) {
  const session_goal goal{.wanted = session_goal::kind::follow,
                          .slot = {},
                          .resume_from = core::lsn(0x4000000),
                          .system_id = cluster,
                          .wal_segment_size = 64u << 20};
  source_session session(goal);
  const auto first = session.on(client::connected{.server_version = 150020, .in_recovery = true});
  BOOST_REQUIRE((first && std::holds_alternative<send_identify_system>(*first)));
  const auto second = session.on(client::system_identified{cluster, 1, core::lsn(0x5000000)});
  BOOST_REQUIRE((second && std::holds_alternative<send_start_replication>(*second)));
  // A segment begins there, whose header is longer than that of other pages.
  BOOST_TEST(std::get<send_start_replication>(*second).from.value == 0x4000028u);
  BOOST_TEST(session.source_head().value == 0x5000000u);

  source_session not_told(goal);
  BOOST_TEST(not_told.on(client::system_identified{0, 1, core::lsn()}).has_value());
  source_session other(goal);
  const auto refused = other.on(client::system_identified{cluster + 1, 1, core::lsn()});
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == core::errc::conflict));
}

BOOST_AUTO_TEST_CASE(sources_that_cannot_be_followed_are_refused_with_a_way_out) {
  source_session standby({});
  const auto refused = standby.on(client::connected{.server_version = 150020, .in_recovery = true});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().detail.find("primary") != std::string::npos);

  source_session minimal({});
  const auto too_little = converse(minimal, "minimal");
  BOOST_REQUIRE(!too_little);
  BOOST_TEST(too_little.error().detail.find("wal_level") != std::string::npos);

  source_session other(
      {.wanted = session_goal::kind::resume, .slot = "s", .resume_from = {}, .system_id = cluster + 1});
  const auto another = converse(other);
  BOOST_REQUIRE(!another);
  BOOST_TEST((another.error().code == core::errc::conflict));
}

BOOST_AUTO_TEST_CASE(attempts_come_less_and_less_often_until_wal_flows) {
  retry_backoff backoff;
  auto last = backoff.next();
  BOOST_TEST(last.count() == 100);
  for (int i = 0; i < 40; ++i) {
    const auto next = backoff.next();
    BOOST_TEST((next >= last));
    last = next;
  }
  BOOST_TEST(last.count() == 30'000);
  backoff.succeeded();
  BOOST_TEST(backoff.next().count() == 100);
}

BOOST_AUTO_TEST_SUITE_END()
