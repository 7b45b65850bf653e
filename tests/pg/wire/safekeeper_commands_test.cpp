#include "pg/wire/safekeeper_commands.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::wire;

namespace {

template <class Command>
Command parsed(std::string_view query) {
  const auto command = parse_wal_command(query);
  BOOST_REQUIRE(command);
  BOOST_REQUIRE(std::holds_alternative<Command>(*command));
  return std::get<Command>(*command);
}

core::errc refused(std::string_view query) {
  const auto command = parse_wal_command(query);
  BOOST_REQUIRE(!command);
  return command.error().code;
}

const std::string tenant_text = "000102030405060708090a0b0c0d0e0f";
const std::string timeline_text = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

core::result<wal_client> client_of(const std::string& options) { return parse_wal_client({{"options", options}}); }

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_wire_safekeeper_commands)

BOOST_AUTO_TEST_CASE(pushing_wal) {
  BOOST_TEST(parsed<start_wal_push>("START_WAL_PUSH").protocol_version == 2u);
  const auto full = parsed<start_wal_push>("START_WAL_PUSH (proto_version '3', allow_timeline_creation 'false')");
  BOOST_TEST(full.protocol_version == 3u);
  BOOST_TEST(!full.allow_timeline_creation);
  BOOST_TEST(parsed<start_wal_push>("start_wal_push(proto_version='3');").allow_timeline_creation);
  for (const auto* wrong : {"START_WAL_PUSH x", "START_WAL_PUSH (proto_version)", "START_WAL_PUSH (proto_version 'x')",
                            "START_WAL_PUSH (proto_version '3'", "START_WAL_PUSH (proto_version '3') x",
                            "START_WAL_PUSH (unknown '3')", "START_WAL_PUSH (allow_timeline_creation 'maybe')",
                            "START_WAL_PUSH (proto_version '3' allow_timeline_creation 'true')"})
    BOOST_TEST((refused(wrong) == core::errc::invalid_argument), wrong);
}

BOOST_AUTO_TEST_CASE(streaming_wal) {
  BOOST_TEST((parsed<start_wal_stream>("START_REPLICATION 1/2A").from == core::lsn(0x10000002A)));
  const auto stock = parsed<start_wal_stream>("START_REPLICATION SLOT \"a b\" PHYSICAL 0/16B3748 TIMELINE 3");
  BOOST_TEST(stock.from == core::lsn(0x16B3748));
  BOOST_TEST(stock.timeline == 3u);
  BOOST_TEST(!stock.term);
  BOOST_TEST(parsed<start_wal_stream>("START_REPLICATION PHYSICAL 0/8 (term='7')").term.value() == 7u);
  BOOST_TEST(parsed<start_wal_stream>("start_replication 0/8 timeline 1 (term = '7')").term.value() == 7u);
  for (const auto* wrong :
       {"START_REPLICATION", "START_REPLICATION PHYSICAL", "START_REPLICATION SLOT", "START_REPLICATION 0/8 TIMELINE",
        "START_REPLICATION 0/8 TIMELINE x", "START_REPLICATION 0/8 (term='x')", "START_REPLICATION 0/8 (other='1')",
        "START_REPLICATION 0/8 x", "START_REPLICATION nowhere"})
    BOOST_TEST((refused(wrong) == core::errc::invalid_argument), wrong);
}

BOOST_AUTO_TEST_CASE(the_rest) {
  parsed<identify_system>("IDENTIFY_SYSTEM");
  parsed<timeline_status>("timeline_status;");
  parsed<set_nothing>("SET bytea_output = 'hex'");
  BOOST_TEST(parsed<show_setting>("SHOW WAL_segment_size").name == "wal_segment_size");
  BOOST_TEST(refused("SHOW") == core::errc::invalid_argument);
  BOOST_TEST(refused("SHOW a b") == core::errc::invalid_argument);
  BOOST_TEST(refused("SELECT 1") == core::errc::unsupported);
  BOOST_TEST(refused("") == core::errc::unsupported);
  BOOST_TEST(refused(std::string(60'000, '(')) == core::errc::unsupported);
}

BOOST_AUTO_TEST_CASE(a_client_says_which_timeline_it_means) {
  for (const std::string& options : {"-c tenant_id=" + tenant_text + " -c timeline_id=" + timeline_text,
                                     "-ctenant_id=" + tenant_text + " timeline_id=" + timeline_text,
                                     "-c timeline_id=" + timeline_text + " tenant_id=" + tenant_text,
                                     "--tenant_id=" + tenant_text + " --timeline_id=" + timeline_text + " -c other=x",
                                     "-c ztimelineid=" + timeline_text + " ztenantid=" + tenant_text}) {
    const auto client = client_of(options);
    BOOST_REQUIRE(client);
    BOOST_REQUIRE(client->tenant);
    BOOST_REQUIRE(client->timeline);
    BOOST_TEST(core::to_string(*client->tenant) == tenant_text);
    BOOST_TEST(core::to_string(*client->timeline) == timeline_text);
  }
  BOOST_TEST(!client_of("")->tenant);
  BOOST_TEST(!client_of("-c tenant_id=xyz"));
  BOOST_TEST(!client_of("-c tenant_id=" + std::string(32, '0')));
  const auto named = parse_wal_client({{"user", "u"}, {"application_name", "pageserver"}});
  BOOST_REQUIRE(named);
  BOOST_TEST(named->application_name == "pageserver");
}

BOOST_AUTO_TEST_SUITE_END()
