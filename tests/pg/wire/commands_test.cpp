#include "pg/wire/commands.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::wire;

namespace {
const std::string tenant = "0123456789abcdef0123456789abcdef";
const std::string timeline = "fedcba9876543210fedcba9876543210";
}  // namespace

BOOST_AUTO_TEST_SUITE(pg_wire_commands)

BOOST_AUTO_TEST_CASE(streams_are_opened_in_three_versions) {
  const auto v3 = parse_command("PageStream_V3 " + tenant + "  " + timeline + ";");
  BOOST_REQUIRE(v3);
  const auto& opened = std::get<open_pagestream>(*v3);
  BOOST_TEST(opened.version == pagestream_version::v3);
  BOOST_TEST(to_string(opened.tenant) == tenant);
  BOOST_TEST(to_string(opened.timeline) == timeline);
  const auto v4 = parse_command("pagestream_v4 " + tenant + " " + timeline);
  BOOST_REQUIRE(v4);
  BOOST_TEST(std::get<open_pagestream>(*v4).version == pagestream_version::v4);
  BOOST_TEST(!parse_command("pagestream_v4 " + tenant));
  BOOST_TEST(!parse_command("pagestream_v5 " + tenant + " " + timeline));
  BOOST_TEST(parse_command("pagestream " + tenant + " " + timeline).error().code == core::errc::unsupported);
}

BOOST_AUTO_TEST_CASE(backups_take_an_lsn_and_options) {
  const auto parse = [](const std::string& rest, const char* name = "basebackup ") {
    const auto parsed = parse_command(name + tenant + " " + timeline + rest);
    return parsed ? std::get<send_backup>(*parsed) : send_backup{{}, {}, core::lsn(99), false, false};
  };
  BOOST_TEST(!parse("").at.valid());
  BOOST_TEST(!parse(" latest").at.valid());
  BOOST_TEST(parse(" 0/200 --gzip --replica").at.value == 0x200u);
  BOOST_TEST(parse(" --gzip").gzip);
  BOOST_TEST(parse(" 0/200 0/100", "fullbackup ").full);
  BOOST_TEST(!parse_command("basebackup " + tenant + " " + timeline + " 0/200 0/100"));
  BOOST_TEST(!parse_command("fullbackup " + tenant + " " + timeline + " now"));
  BOOST_TEST(!parse_command("fullbackup " + tenant));
}

BOOST_AUTO_TEST_CASE(everything_else_is_refused_with_a_hint) {
  for (const char* query : {"", ";", "select 1", "lease", "lease lsn a b c", "basebackup a b"})
    BOOST_TEST(!parse_command(query));
  BOOST_TEST(parse_command("select 1").error().detail.find("strata compute start") != std::string::npos);
  BOOST_TEST(parse_command("set x = 1"));
}

BOOST_AUTO_TEST_SUITE_END()
