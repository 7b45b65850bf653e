#include "actors/pageserver/ingest/source_session.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::actors::pageserver;
namespace client = pg::client;

namespace {

constexpr std::uint64_t cluster = 7000;

/// Answers every command as a fit source does, until the session streams, completes or refuses.
struct source_answers {
  std::string wal_level = "replica";
  std::string synchronous_standby_names = "";
  pg::major_version major = pg::major_version::v15;
  std::uint32_t timeline = 3;
  core::lsn flushed{0x5000};
  bool slot_existed = false;
  core::lsn slot_restart;
};
core::result<session_command> converse(source_session& session, const source_answers& answers = {}) {
  core::result<session_command> command = session.on(client::connected{
      .server_version = 150020, .major = answers.major, .in_recovery = false, .application_name = "strata"});
  for (int i = 0; i < 20; ++i) {
    if (!command || std::holds_alternative<send_start_replication>(*command) ||
        std::holds_alternative<session_complete>(*command))
      return command;
    if (std::holds_alternative<send_identify_system>(*command))
      command = session.on(client::system_identified{cluster, answers.timeline, answers.flushed});
    else if (std::holds_alternative<send_show_history>(*command))
      command = session.on(client::history_shown{"1\t0/1000\tx\n2\t0/2000\tx\n"});
    else if (std::holds_alternative<send_read_slot>(*command))
      command = session.on(client::slot_read{true, answers.slot_restart});
    else if (const auto* show = std::get_if<send_show>(&*command))
      command = session.on(client::setting_shown{show->setting, show->setting == "wal_level" ? answers.wal_level
                                                                : show->setting == "wal_segment_size" ? "64MB"
                                                                : show->setting == "synchronous_standby_names"
                                                                    ? answers.synchronous_standby_names
                                                                    : "on"});
    else if (std::holds_alternative<send_create_slot>(*command))
      command = session.on(client::slot_created{answers.slot_existed});
    else if (std::holds_alternative<send_drop_slot>(*command))
      command = session.on(client::slot_dropped{true});
    else if (std::holds_alternative<send_start_backup>(*command)) {
      BOOST_REQUIRE(session.on(client::backup_started{.start = core::lsn(0x4000028)}));
      BOOST_REQUIRE(session.on(client::archive_started{0}));
      command = session.on(client::backup_finished{core::lsn(0x4000800), 3});
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
  BOOST_TEST(stream.from.value == 0x4000000u);
  BOOST_TEST(stream.source_timeline == 3u);
}

// An idle source has not written the header of the page yet: what stands behind it is ahead of its WAL.
BOOST_AUTO_TEST_CASE(resuming_where_a_source_stands_at_the_start_of_a_page_or_segment_asks_for_that_place) {
  for (const std::uint64_t at : {0x4000u, 0x4000000u, 0x8000000u}) {
    source_session session(
        {.wanted = session_goal::kind::resume, .slot = "s", .resume_from = core::lsn(at), .system_id = cluster});
    const auto end = converse(session, {.flushed = core::lsn(at)});
    BOOST_REQUIRE(end);
    BOOST_TEST(std::get<send_start_replication>(*end).from.value == at);
  }
}

BOOST_AUTO_TEST_CASE(what_was_received_is_read_again_on_the_timeline_that_has_it) {
  source_session session({.wanted = session_goal::kind::resume,
                          .slot = "s",
                          .resume_from = core::lsn(0x1ff8),
                          .read_from = core::lsn(0x800),
                          .source_timeline = 2,
                          .system_id = cluster});
  const auto first = converse(session);
  BOOST_REQUIRE(first);
  BOOST_TEST(std::get<send_start_replication>(*first).from.value == 0x800u);
  BOOST_TEST(std::get<send_start_replication>(*first).source_timeline == 1u);
  const auto second = session.on(client::streaming_ended{2, core::lsn(0x1000)});
  BOOST_REQUIRE(second);
  BOOST_TEST(std::get<send_start_replication>(*second).from.value == 0x1000u);
  BOOST_TEST(session.source_timeline() == 2u);
}

BOOST_AUTO_TEST_CASE(a_server_that_left_the_history_that_was_followed_is_not_the_same_any_more) {
  const auto refuses = [](std::uint32_t source_timeline, std::uint64_t resume_from, const source_answers& answers) {
    source_session session({.wanted = session_goal::kind::resume,
                            .slot = "s",
                            .resume_from = core::lsn(resume_from),
                            .source_timeline = source_timeline,
                            .system_id = cluster});
    const auto refused = converse(session, answers);
    return !refused && refused.error().code == core::errc::conflict &&
           refused.error().detail.find("not the same server") != std::string::npos;
  };
  BOOST_TEST(!refuses(3, 0x5000, {}));
  BOOST_TEST(refuses(3, 0x5008, {}));  // its WAL ends before
  BOOST_TEST(refuses(2, 0x2008, {}));  // it forked before
  BOOST_TEST(!refuses(2, 0x2000, {}));
  BOOST_TEST(refuses(3, 0x4000, {.timeline = 1}));
  BOOST_TEST(!refuses(0, 0x5000, {.timeline = 1}));
}

BOOST_AUTO_TEST_CASE(settings_on_which_answers_depend_are_named_when_computes_lack_them) {
  for (const auto& [name, value] : {std::pair{"search_path", "app, public"},
                                    {"timezone", "Europe/Berlin"},
                                    {"shared_preload_libraries", "pgaudit"},
                                    {"lc_numeric", "de_DE.UTF-8"}})
    BOOST_TEST(differs_on_computes({name, value}), name);
  for (const auto& [name, value] : {std::pair{"search_path", "\"$user\", public"},
                                    {"timezone", "GMT"},
                                    {"shared_preload_libraries", ""},
                                    {"wal_level", "logical"}})
    BOOST_TEST(!differs_on_computes({name, value}), name);
}

BOOST_AUTO_TEST_CASE(a_slot_of_somebody_else_is_not_taken) {
  const auto probe = [](const source_answers& answers) {
    source_session session({.wanted = session_goal::kind::probe, .slot = "s", .resume_from = {}, .system_id = 0});
    return converse(session, answers);
  };
  BOOST_TEST(probe({}));
  BOOST_TEST(probe({.slot_existed = true}));  // made by hand for us: nobody has used it
  const auto used = probe({.slot_existed = true, .slot_restart = core::lsn(0x3000)});
  BOOST_REQUIRE(!used);
  BOOST_TEST(used.error().code == core::errc::conflict);
  for (const char* said : {"--slot", "pg_drop_replication_slot('s')", "0/3000"})
    BOOST_TEST((used.error().detail.find(said) != std::string::npos), said);
  // 14 can't say who uses it.
  const auto unknown = probe({.major = pg::major_version::v14, .slot_existed = true});
  BOOST_REQUIRE(!unknown);
  BOOST_TEST(unknown.error().code == core::errc::conflict);
  source_session own({.wanted = session_goal::kind::resume, .slot = "s", .resume_from = core::lsn(0x4000)});
  BOOST_TEST(converse(own, {.slot_existed = true, .slot_restart = core::lsn(0x3000)}));
}

BOOST_AUTO_TEST_CASE(a_source_that_would_wait_for_us_at_commit_is_not_added_and_still_followed) {
  const source_answers waits{.synchronous_standby_names = "*"};
  source_session probe({.wanted = session_goal::kind::probe, .slot = "s", .resume_from = {}, .system_id = 0});
  const auto refused = converse(probe, waits);
  BOOST_REQUIRE(!refused);
  for (const char* said : {"synchronous_standby_names = '*'", "alter system"})
    BOOST_TEST((refused.error().detail.find(said) != std::string::npos), said);
  source_session resume({.wanted = session_goal::kind::resume, .slot = "s", .resume_from = core::lsn(0x4000)});
  BOOST_TEST(converse(resume, waits));
  BOOST_TEST(resume.synchronous_standby_names() == "*");
  source_session other({.wanted = session_goal::kind::probe, .slot = "s", .resume_from = {}, .system_id = 0});
  BOOST_TEST(converse(other, {.synchronous_standby_names = "FIRST 1 (a, b)"}));
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
  BOOST_TEST(not_told.on(client::system_identified{0, 1, core::lsn()}));
  source_session other(goal);
  const auto refused = other.on(client::system_identified{cluster + 1, 1, core::lsn()});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(sources_that_cannot_be_followed_are_refused_with_a_way_out) {
  source_session standby({});
  const auto refused = standby.on(client::connected{.server_version = 150020, .in_recovery = true});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().detail.find("primary") != std::string::npos);

  source_session minimal({});
  const auto too_little = converse(minimal, {.wal_level = "minimal"});
  BOOST_REQUIRE(!too_little);
  BOOST_TEST(too_little.error().detail.find("wal_level") != std::string::npos);

  source_session other(
      {.wanted = session_goal::kind::resume, .slot = "s", .resume_from = {}, .system_id = cluster + 1});
  const auto another = converse(other);
  BOOST_REQUIRE(!another);
  BOOST_TEST(another.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_SUITE_END()
