#include "config/quantity.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::config {
namespace {

using namespace std::chrono_literals;

struct duration_case {
  std::string_view text;
  std::chrono::milliseconds value;
};

BOOST_AUTO_TEST_SUITE(config_quantity)

BOOST_AUTO_TEST_CASE(durations_are_read_with_any_usual_unit) {
  for (const auto& [text, value] : {duration_case{"10 min", 10min},
                                    {"10m", 10min},
                                    {"7 d", 24h * 7},
                                    {"7days", 24h * 7},
                                    {"1h30m", 90min},
                                    {"2 hours 5 seconds", 2h + 5s},
                                    {"250ms", 250ms},
                                    {"250", 250ms},
                                    {"1 Week", 24h * 7},
                                    {" 20 s ", 20s},
                                    {"0", 0ms}}) {
    const auto parsed = parse_duration(text);
    BOOST_TEST_REQUIRE(parsed.has_value(), text);
    BOOST_TEST(parsed->count() == value.count(), text);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_duration_is_refused_with_an_example) {
  for (const char* text : {"", " ", "min", "10 parsecs", "-5m", "1.5h", "10m 5", "5 5", "99999999999 d",
                           "18446744073709551616", "1001 w 1000000 d"}) {
    const auto parsed = parse_duration(text);
    BOOST_TEST_REQUIRE(!parsed.has_value(), text);
    BOOST_TEST(parsed.error().code == core::errc::invalid_argument);
    BOOST_TEST(parsed.error().detail.find("10 min") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_duration_written_is_the_same_when_read) {
  for (const std::chrono::milliseconds value :
       std::initializer_list<std::chrono::milliseconds>{0ms, 1ms, 999ms, 1000ms, 90s, 10min, 36h, 24h * 7}) {
    const auto parsed = parse_duration(duration_text(value));
    BOOST_TEST_REQUIRE(parsed);
    BOOST_TEST(parsed->count() == value.count());
  }
  BOOST_TEST(duration_text(24h * 7) == "7d");
  BOOST_TEST(duration_text(36h) == "36h");
  BOOST_TEST(duration_text(90s) == "90s");
}

BOOST_AUTO_TEST_CASE(sizes_are_powers_of_1024_whatever_the_unit_is_called) {
  const std::uint64_t mib = 1u << 20;
  BOOST_TEST(*parse_size("128 MiB") == 128 * mib);
  BOOST_TEST(*parse_size("64MB") == 64 * mib);
  BOOST_TEST(*parse_size("8k") == 8192u);
  BOOST_TEST(*parse_size("1048576") == mib);
  BOOST_TEST(*parse_size("2T") == 2 * mib * mib);
  for (const char* text : {"", "MB", "1.5 GB", "-1", "1 MB 1 kB", "17000000 TB", "12 bananas"})
    BOOST_TEST(!parse_size(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(sizes_for_people_have_two_or_three_digits) {
  BOOST_TEST(size_text(312) == "312 B");
  BOOST_TEST(size_text(1536) == "1.5 KiB");
  BOOST_TEST(size_text(78u << 20) == "78.0 MiB");
  BOOST_TEST(size_text(500u << 20) == "500 MiB");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::config
