#include "config/branch_spec.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <ctime>

#include "config/time_text.hpp"
#include "tests/support/printing.hpp"

namespace strata::config {
namespace {

using namespace std::chrono_literals;

/// Local time is Berlin's for these tests, given as a rule so that no time zone files are needed.
struct berlin {
  berlin() { ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), ::tzset(); }
  ~berlin() { ::unsetenv("TZ"), ::tzset(); }
};

core::wall_time utc(std::string_view text) { return *parse_iso_time(text, default_zone::utc); }
// A Sunday in winter, 15:30 in Berlin.
const core::wall_time now = utc("2026-11-22T14:30:00Z");

core::wall_time time_in(const branch_spec& spec) { return std::get<core::wall_time>(spec.at); }

BOOST_FIXTURE_TEST_SUITE(config_branch_spec, berlin)

BOOST_AUTO_TEST_CASE(a_branch_alone_means_its_head) {
  const auto spec = parse_branch_spec("main", now);
  BOOST_TEST_REQUIRE(spec);
  BOOST_TEST(spec->branch == "main");
  BOOST_TEST(spec->tenant == "");
  BOOST_TEST(std::holds_alternative<branch_head>(spec->at));
  BOOST_TEST(std::holds_alternative<branch_head>(parse_branch_spec("main@head", now)->at));
}

BOOST_AUTO_TEST_CASE(a_source_may_stand_in_front) {
  const auto spec = parse_branch_spec("shop/dev@0/3B21F08", now);
  BOOST_TEST_REQUIRE(spec);
  BOOST_TEST(spec->tenant == "shop");
  BOOST_TEST(spec->branch == "dev");
  BOOST_TEST(std::get<core::lsn>(spec->at).value == 0x3B21F08u);
}

BOOST_AUTO_TEST_CASE(times_are_understood_as_people_write_them) {
  struct time_case {
    const char* text;
    const char* utc;
  };
  for (const auto& each : {
           time_case{"2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"},
           {"2026-11-22T12:00Z", "2026-11-22T12:00:00Z"},
           {"2026-11-22 12:00:00+02", "2026-11-22T10:00:00Z"},
           {"2026-11-22 12:00:00.25 +02:30", "2026-11-22T09:30:00.25Z"},
           {"2026-11-21 20:00:00-0330", "2026-11-21T23:30:00Z"},
           {"2026-11-22 12:00", "2026-11-22T11:00:00Z"},
           {"2026-07-01 12:00", "2026-07-01T10:00:00Z"},
           {"2026-11-22", "2026-11-21T23:00:00Z"},
           {"10m", "2026-11-22T14:20:00Z"},
           {"2 hours ago", "2026-11-22T12:30:00Z"},
           {"1h30m ago", "2026-11-22T13:00:00Z"},
           {"7 d", "2026-11-15T14:30:00Z"},
           {"yesterday 14:00", "2026-11-21T13:00:00Z"},
           {"today 9:05", "2026-11-22T08:05:00Z"},
           {"14:06:41", "2026-11-22T13:06:41Z"},
           {"now", "2026-11-22T14:30:00Z"},
           {"yesterday", "2026-11-20T23:00:00Z"},
           {"today", "2026-11-21T23:00:00Z"},
           {"Yesterday 14:00", "2026-11-21T13:00:00Z"},
           {"2026-11-21 17:55:50 UTC", "2026-11-21T17:55:50Z"},
           {"2026-11-21 17:55:50 CET", "2026-11-21T16:55:50Z"},
           {"2026-07-01 12:00:00 CEST", "2026-07-01T10:00:00Z"},
           {"2026-07-01 12:00:00 CET", "2026-07-01T11:00:00Z"},
           {"2026-11-22 12:00 Europe/Berlin", "2026-11-22T11:00:00Z"},
           {"2026-07-01 12:00 America/New_York", "2026-07-01T16:00:00Z"},
           {"2026-07-01 12:00 EST", "2026-07-01T17:00:00Z"},
           {"2026-11-22T12:00 asia/kolkata", "2026-11-22T06:30:00Z"},
           {"2026-11-22 Asia/Tokyo", "2026-11-21T15:00:00Z"},
           {"yesterday 14:00 UTC", "2026-11-21T14:00:00Z"},
           {"today Asia/Tokyo", "2026-11-21T15:00:00Z"},
           {"14:06 +00", "2026-11-22T14:06:00Z"},
           {"2026-10-25 02:30:00 CEST", "2026-10-25T00:30:00Z"},
           {"2026-10-25 02:30:00 CET", "2026-10-25T01:30:00Z"},
           {"2026-10-25 03:00", "2026-10-25T02:00:00Z"},
           {"2026-10-25 01:59:59", "2026-10-24T23:59:59Z"},
           {"2026-03-29 03:00", "2026-03-29T01:00:00Z"},
       }) {
    const auto spec = parse_branch_spec("main@" + std::string(each.text), now);
    BOOST_TEST_REQUIRE(spec.has_value(), each.text);
    BOOST_TEST(utc_text(time_in(*spec)) == utc_text(utc(each.utc)), each.text);
  }
}

BOOST_AUTO_TEST_CASE(yesterday_is_the_day_before_also_when_the_clocks_change) {
  // Berlin went back to winter time on 2026-10-25: that day has 25 hours.
  const auto spec = parse_branch_spec("main@yesterday 23:30", utc("2026-10-25T22:30:00Z"));
  BOOST_TEST_REQUIRE(spec);
  BOOST_TEST(utc_text(time_in(*spec)) == "2026-10-24T21:30:00.000000Z");
}

BOOST_AUTO_TEST_CASE(what_means_nothing_is_refused_with_the_forms_that_do) {
  for (const char* text : {"main@",
                           "main@soon",
                           "main@10",
                           "main@10 parsecs ago",
                           "main@2026-13-01",
                           "main@2026-02-30",
                           "main@25:00",
                           "main@12:60",
                           "main@2026-11-22T",
                           "main@2026-11-22T12:00Q",
                           "main@0/",
                           "main@0/XYZ",
                           "main@0/0",
                           "main@123456789/0",
                           "main@yesterday noon",
                           "main@yesterdayish",
                           "main@12:00:00.",
                           "main@2026-11-22 12:00 Mars/Olympus",
                           "main@2026-11-22 12:00 +0x",
                           "main@UTC",
                           "main@Europe/Berlin",
                           "main@2026-11-22Z",
                           "main@2026-11-22 12:00 /",
                           "main@2026-11-22 12:00+25",
                           "main@ago"}) {
    const auto spec = parse_branch_spec(text, now);
    BOOST_TEST_REQUIRE(!spec.has_value(), text);
    BOOST_TEST((spec.error().code == core::errc::invalid_argument), text);
  }
  BOOST_TEST(parse_branch_spec("main@soon", now).error().detail.find("2 hours ago") != std::string::npos);
}

std::string refused(std::string_view text, core::wall_time at = now) {
  const auto spec = parse_branch_spec("main@" + std::string(text), at);
  BOOST_TEST_REQUIRE(!spec.has_value(), text);
  BOOST_TEST((spec.error().code == core::errc::invalid_argument), text);
  return spec.error().detail;
}

BOOST_AUTO_TEST_CASE(a_time_that_came_twice_is_asked_about_and_one_that_never_came_is_refused) {
  for (const char* text : {"2026-10-25 02:30", "2026-10-25 02:00", "2026-10-25T02:59:59.5"}) {
    const std::string asked = refused(text);
    BOOST_TEST(asked.find("is ambiguous") != std::string::npos, asked);
  }
  const std::string asked = refused("2026-10-25 02:30 Europe/Berlin");
  BOOST_TEST(asked.find("2026-10-25 02:30:00+02 (CEST)") != std::string::npos, asked);
  BOOST_TEST(asked.find("2026-10-25 02:30:00+01 (CET)") != std::string::npos, asked);
  // What is proposed is understood.
  BOOST_TEST(parse_branch_spec("main@2026-10-25 02:30:00+02", now));
  BOOST_TEST(refused("yesterday 2:30", utc("2026-10-26T09:00:00Z")).find("is ambiguous") != std::string::npos);
  for (const char* text :
       {"2026-03-29 02:30", "2026-03-29 02:00", "2026-03-29 02:59:59", "2026-03-08 02:30 US/Eastern"})
    BOOST_TEST(refused(text).find("put forward") != std::string::npos, text);
  // A day begins with its first moment: in Cairo there was no midnight on 2026-04-24, and two on 2025-10-31.
  BOOST_TEST(utc_text(time_in(*parse_branch_spec("main@2026-04-24 Africa/Cairo", now))) ==
             "2026-04-23T22:00:00.000000Z");
}

BOOST_AUTO_TEST_CASE(what_local_text_prints_is_read_back) {
  for (const char* zone : {"CET-1CEST,M3.5.0,M10.5.0/3", "UTC", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo",
                           "Asia/Riyadh", "Pacific/Chatham"}) {
    ::setenv("TZ", zone, 1), ::tzset();
    // Through two days on which clocks change, by the half hour.
    for (const char* day : {"2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-11-01T00:00:00Z"})
      for (int half_hours = 0; half_hours < 72; ++half_hours) {
        const core::wall_time time = utc(day) + half_hours * 30min;
        const auto read = parse_moment(local_text(time), now);
        BOOST_TEST_REQUIRE(read.has_value(), zone << ": " << local_text(time));
        BOOST_TEST((*read == time), zone << ": " << local_text(time));
      }
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_zone_is_named_where_it_is_written) {
  BOOST_TEST(refused("2026-11-22 12:00 Europe/Berlim").find("did you mean \"Europe/Berlin\"?") != std::string::npos);
  BOOST_TEST(refused("2026-11-22 12:00 XYZ").find("no time zone is called \"XYZ\"") != std::string::npos);
  ::setenv("TZ", "Europe/Berlim", 1), ::tzset();
  BOOST_TEST(refused("yesterday").find("TZ is \"Europe/Berlim\"") != std::string::npos);
  BOOST_TEST(parse_branch_spec("main@2026-11-22 12:00Z", now));
  BOOST_TEST(parse_branch_spec("main@10m", now));
}

BOOST_AUTO_TEST_CASE(the_future_has_no_branches) {
  for (const char* text : {"main@2026-11-22T14:30:01Z", "main@today 23:00"}) {
    const auto spec = parse_branch_spec(text, now);
    BOOST_TEST_REQUIRE(!spec.has_value(), text);
    BOOST_TEST(spec.error().detail.find("future") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(names_are_checked) {
  for (const char* text : {"", "@10m", "/main", "shop/", "a/b/c", "-x", "mäin", "a b", "../etc"})
    BOOST_TEST(!parse_branch_spec(text, now).has_value(), text);
  BOOST_TEST(!check_name("branch", std::string(64, 'a')).has_value());
  BOOST_TEST(check_name("branch", std::string(63, 'a')));
  BOOST_TEST(check_name("branch", "ci-42_x.y"));
}

BOOST_AUTO_TEST_CASE(a_point_says_how_it_was_understood) {
  BOOST_TEST(to_string(branch_point(branch_head{}), now) == "head");
  BOOST_TEST(to_string(branch_point(core::lsn(0x3B21F08)), now) == "0/3B21F08");
  BOOST_TEST(to_string(parse_branch_spec("main@61 s", now)->at, now) == "2026-11-22 15:28:59 CET (61 s ago)");
}

BOOST_AUTO_TEST_CASE(ages_are_told_in_one_unit) {
  BOOST_TEST(age_text(now, now) == "now");
  BOOST_TEST(age_text(now - 61s, now) == "61 s ago");
  BOOST_TEST(age_text(now - 3min, now) == "3 min ago");
  BOOST_TEST(age_text(now - 5h, now) == "5 h ago");
  BOOST_TEST(age_text(now - 72h, now) == "3 d ago");
  BOOST_TEST(age_text(now + 3min, now) == "in 3 min");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::config
