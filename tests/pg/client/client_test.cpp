#include <boost/test/unit_test.hpp>

#include "pg/client/conninfo.hpp"
#include "pg/client/replication_connection.hpp"
#include "pg/client/server_error.hpp"
#include "pg/client/standby_names.hpp"
#include "pg/client/stream_messages.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::client;

namespace {

core::errc code_of(std::string sqlstate, std::string message) {
  return explain("test", {std::move(sqlstate), std::move(message), "", ""}).code;
}

core::bytes text(std::string_view of) { return {of.begin(), of.end()}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_client)

BOOST_AUTO_TEST_CASE(passwords_do_not_survive_redaction) {
  const std::pair<const char*, const char*> cases[] = {
      {"host=a password=top user=b", "host=a password=*** user=b"},
      {"password = 'to p\\' x' host=a", "password=*** host=a"},
      {"sslpassword=top host='a b'", "sslpassword=*** host='a b'"},
      {"postgresql://u:top@h:5432/db", "postgresql://u:***@h:5432/db"},
      {"postgres://u:t@p@h/db?sslmode=require&password=top&x=y",
       "postgres://u:***@h/db?sslmode=require&password=***&x=y"},
      {"postgresql://u@h/db", "postgresql://u@h/db"},
      {"postgresql://h:5432/db", "postgresql://h:5432/db"},
      {"password='top host=a", "***"},
      {"top", "***"},
      {"a b=c", "***"},
      {"", ""},
  };
  for (const auto& [given, expected] : cases) BOOST_TEST(redact_conninfo(given) == expected);
}

BOOST_AUTO_TEST_CASE(complaints_of_a_server_become_what_can_be_done) {
  using core::errc;
  BOOST_TEST(code_of("28P01", "password authentication failed") == errc::permission_denied);
  BOOST_TEST(code_of("28000", "no pg_hba.conf entry") == errc::permission_denied);
  BOOST_TEST(code_of("42501", "must be superuser") == errc::permission_denied);
  BOOST_TEST((code_of("42501", "could not open file \"./base/1/112\": Permission denied") == errc::io_error));
  BOOST_TEST(code_of("53300", "exceeds max_wal_senders (currently 10)") == errc::busy);
  BOOST_TEST(code_of("53400", "all replication slots are in use") == errc::busy);
  BOOST_TEST(code_of("42704", "replication slot does not exist") == errc::not_found);
  BOOST_TEST(code_of("58P01", "requested WAL segment 000000010000000000000001 has already been removed") ==
             errc::out_of_range);
  BOOST_TEST(code_of("55006", "slot is active") == errc::busy);
  BOOST_TEST(code_of("57P03", "starting up") == errc::unavailable);
  BOOST_TEST(code_of("57P01", "terminating connection") == errc::unavailable);
  BOOST_TEST(code_of("XX000", "something odd") == errc::io_error);
  BOOST_TEST(code_of("", "connection refused") == errc::unavailable);
  const auto error =
      explain("stream WAL from x", {"58P01", "requested WAL segment 1 has already been removed", "", ""});
  BOOST_TEST(error.detail.starts_with("stream WAL from x: the source no longer has the WAL"));
  BOOST_TEST(error.detail.find("[requested WAL segment 1 has already been removed]") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_failed_attempt_is_taken_apart) {
  auto complaint = parse_connection_failure(
      "connection to server at \"::1\", port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n"
      "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password authentication failed for user "
      "\"x\"\nLOCATION:  auth_failed, auth.c:338\n");
  BOOST_TEST(complaint.sqlstate == "28P01");
  BOOST_TEST(complaint.message == "password authentication failed for user \"x\"");
  complaint = parse_connection_failure("connection to server failed: FATAL:  53300: m\nDETAIL:  d\nHINT:  h\n");
  BOOST_TEST(complaint.detail == "d");
  BOOST_TEST(complaint.hint == "h");
  complaint = parse_connection_failure("server closed the connection unexpectedly\n\tThis probably means\n");
  BOOST_TEST(complaint.sqlstate == "");
  BOOST_TEST(complaint.message == "server closed the connection unexpectedly");
}

BOOST_AUTO_TEST_CASE(stream_messages_are_read_and_damage_refused) {
  core::bytes message = text("w");
  core::append_be(message, std::uint64_t{0x1000});
  core::append_be(message, std::uint64_t{0x2000});
  core::append_be(message, std::uint64_t{777});
  core::append(message, text("bytes"));
  const auto event = parse_stream_message(message);
  BOOST_REQUIRE(event);
  const auto& data = std::get<wal_data>(*event);
  BOOST_TEST(data.start.value == 0x1000u);
  BOOST_TEST(data.server_end.value == 0x2000u);
  BOOST_TEST(data.sent == 777);
  BOOST_TEST(data.bytes.size() == 5u);
  BOOST_TEST(!parse_stream_message(core::bytes_view(message).first(24)));

  core::bytes alive = text("k");
  core::append_be(alive, std::uint64_t{0x2000});
  core::append_be(alive, std::uint64_t{777});
  BOOST_TEST(!parse_stream_message(alive));
  alive.push_back(1);
  BOOST_TEST(std::get<keepalive>(*parse_stream_message(alive)).reply_requested);
  alive.push_back(1);
  BOOST_TEST(!parse_stream_message(alive));
  BOOST_TEST(!parse_stream_message({}));
  BOOST_TEST(!parse_stream_message(text("x")));
}

BOOST_AUTO_TEST_CASE(backup_messages_are_read_and_damage_refused) {
  auto event = parse_backup_message(text(std::string_view("nbase.tar\0\0", 11)));
  BOOST_REQUIRE(event);
  BOOST_TEST(std::get<archive_started>(**event).tablespace == 0u);
  event = parse_backup_message(text(std::string_view("n16400.tar\0/data/x\0", 19)));
  BOOST_REQUIRE(event);
  BOOST_TEST(std::get<archive_started>(**event).tablespace == 16400u);
  event = parse_backup_message(text("dxyz"));
  BOOST_REQUIRE(event);
  BOOST_TEST(std::get<archive_data>(**event).bytes.size() == 3u);
  event = parse_backup_message(text("p12345678"));
  BOOST_REQUIRE(event);
  BOOST_TEST(!event->has_value());
  for (const std::string_view wrong :
       {std::string_view(""), std::string_view("q"), std::string_view("nbase.tar"), std::string_view("nx.tar\0\0", 8),
        std::string_view("n0.tar\0\0", 8), std::string_view("n5.tarx\0\0", 9), std::string_view("nbase.tar\0\0x", 12)})
    BOOST_TEST(!parse_backup_message(text(wrong)));
}

BOOST_AUTO_TEST_CASE(user_and_database_of_a_connection_string_are_what_libpq_reads) {
  struct reading {
    const char* conninfo;
    const char* user;
    const char* database;
  };
  for (const reading& each : {reading{"postgresql://a%40b:p%3A@h:5/shop%20two", "a@b", "shop two"},
                              {"postgres://h/shop?user=app", "app", "shop"},
                              {"postgresql:///?host=/run&user=u%2Fv&dbname=d", "u/v", "d"},
                              {"host=h user = 'o\\'brien' dbname='my db'", "o'brien", "my db"},
                              {"host=h application_name=user passfile=/user=x", "", ""},
                              {"host=h password='user=no'", "", ""},
                              {"no conninfo", "", ""}}) {
    BOOST_TEST(user_in_conninfo(each.conninfo) == each.user, each.conninfo);
    BOOST_TEST(database_in_conninfo(each.conninfo) == each.database, each.conninfo);
  }
}

BOOST_AUTO_TEST_CASE(an_option_that_libpq_does_not_know_is_named_without_any_value) {
  for (const char* wrong : {"hots=127.0.0.1", "host=a password='s 3' hots=b", "  user=me hots = x"}) {
    const auto opened = replication_connection::open(wrong);
    BOOST_TEST_REQUIRE(!opened.has_value());
    BOOST_TEST(opened.error().code == core::errc::invalid_argument);
    BOOST_TEST(opened.error().detail.find("\"hots\"") != std::string::npos, opened.error().detail);
    BOOST_TEST(opened.error().detail.find("s 3") == std::string::npos, opened.error().detail);
  }
  for (const char* wrong : {"a secret", "host='a", "postgresql://me:secret@h:port/x?y=z"}) {
    const auto opened = replication_connection::open(wrong);
    BOOST_TEST_REQUIRE(!opened.has_value());
    BOOST_TEST(opened.error().detail.find("secret") == std::string::npos, opened.error().detail);
    BOOST_TEST(opened.error().detail.find("no option") == std::string::npos, opened.error().detail);
  }
}

BOOST_AUTO_TEST_CASE(a_list_of_synchronous_standbys_names_us_or_everybody) {
  for (const char* names :
       {"*", "strata", "Strata", "\"strata\"", "a, strata", "FIRST 2 (a, *)", "ANY 1 (strata)", "2 (x, strata)",
        "first 1(strata)", "\"a\"\"b\",strata", "\"*\"", "ANY 1 (a, \"*\")", "ANY\n1\n(strata)"})
    BOOST_TEST(names_standby(names, "strata"), names);
  for (const char* names : {"", "a", "strata2", "FIRST 1 (a, b)", "\"**\"", "\"stra\"\"ta\"", "1 (a)", "a,,b", "("})
    BOOST_TEST(!names_standby(names, "strata"), names);
  BOOST_TEST(names_standby("first", "first"));
  for (const char* names : {"FIRST 1 (a)", "FIRST\n1 (a)"}) BOOST_TEST(!names_standby(names, "first"), names);
}

BOOST_AUTO_TEST_CASE(commands_follow_the_syntax_of_the_major) {
  using pg::major_version;
  BOOST_TEST(base_backup_command({.label = "it's"}, major_version::v15) ==
             "BASE_BACKUP (LABEL 'it''s', PROGRESS, WAIT false, CHECKPOINT 'fast')");
  BOOST_TEST(base_backup_command({.label = "a"}, major_version::v16) ==
             "BASE_BACKUP (LABEL 'a', PROGRESS, TABLESPACE_MAP, WAIT false, CHECKPOINT 'fast')");
  BOOST_TEST(base_backup_command({.label = "a", .fast_checkpoint = false}, major_version::v14) ==
             "BASE_BACKUP LABEL 'a' PROGRESS NOWAIT TABLESPACE_MAP");
  BOOST_TEST(create_slot_command("s", slot_lifetime::permanent, major_version::v14) ==
             "CREATE_REPLICATION_SLOT \"s\" PHYSICAL RESERVE_WAL");
  BOOST_TEST(create_slot_command("s", slot_lifetime::permanent, major_version::v17) ==
             "CREATE_REPLICATION_SLOT \"s\" PHYSICAL (RESERVE_WAL)");
  BOOST_TEST(create_slot_command("s", slot_lifetime::connection, major_version::v15) ==
             "CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL (RESERVE_WAL)");
  BOOST_TEST(valid_slot_name("strata_1"));
  for (const std::string name : {"", "A", "a-b", "a\"b", "a;b"}) BOOST_TEST(!valid_slot_name(name));
  BOOST_TEST(!valid_slot_name(std::string(64, 'a')));
}

BOOST_AUTO_TEST_CASE(a_status_has_the_layout_of_the_protocol) {
  const core::bytes status = encode_status(core::lsn(1), core::lsn(2), core::lsn(3), 4, true);
  BOOST_REQUIRE_EQUAL(status.size(), 34u);
  BOOST_TEST(status[0] == 'r');
  BOOST_TEST(core::load_be<std::uint64_t>(status.data() + 9) == 2u);
  BOOST_TEST(core::load_be<std::uint64_t>(status.data() + 25) == 4u);
  BOOST_TEST(status[33] == 1);
}

BOOST_AUTO_TEST_CASE(an_unreadable_connection_string_is_refused_without_repeating_it) {
  for (const char* wrong : {"host", "postgresql://u:topsecret@h:port:x/", "password='topsecret"}) {
    const auto refused = replication_connection::open(wrong);
    BOOST_REQUIRE(!refused);
    BOOST_TEST(refused.error().code == core::errc::invalid_argument);
    BOOST_TEST(refused.error().detail.find("topsecret") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_host_can_not_become_another_option) {
  const std::string made = safekeeper_conninfo("h' sslkey='/etc", 5454, core::make_id<core::tenant_id>(),
                                               core::make_id<core::timeline_id>());
  BOOST_TEST(made.find("host='h\\' sslkey=\\'/etc' port=5454") == 0u);
  BOOST_TEST(conninfo_value(R"(a\b)") == R"('a\\b')");
}

BOOST_AUTO_TEST_CASE(time_is_counted_from_2000) {
  const core::wall_time begin{std::chrono::seconds(946'684'800)};
  BOOST_TEST(pg::timestamp_of(begin) == 0);
  BOOST_TEST(pg::timestamp_of(begin - std::chrono::microseconds(1)) == -1);
  BOOST_TEST((pg::wall_time_of(7) == begin + std::chrono::microseconds(7)));
}

BOOST_AUTO_TEST_CASE(sources_that_cannot_be_copied_are_told_why) {
  BOOST_TEST(require_wal_level("replica"));
  BOOST_TEST(require_wal_level("logical"));
  const auto refused = require_wal_level("minimal");
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().detail.find("wal_level = replica") != std::string::npos);
  BOOST_TEST(require_primary({.in_recovery = false}));
  BOOST_TEST(!require_primary({.in_recovery = true}));
}

BOOST_AUTO_TEST_SUITE_END()
