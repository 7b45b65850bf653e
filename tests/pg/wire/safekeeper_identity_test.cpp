#include "pg/wire/safekeeper_identity.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::pg::wire {
namespace {

const safekeeper_identity two{2, core::parse_id<core::instance_id>("0123456789abcdef0123456789abcdef").value(), 4711};

BOOST_AUTO_TEST_SUITE(pg_wire_safekeeper_identity)

BOOST_AUTO_TEST_CASE(what_is_told_is_understood) {
  BOOST_TEST(to_text(two) == "2 0123456789abcdef0123456789abcdef 4711");
  BOOST_TEST((parse_safekeeper_identity(to_text(two)) == two));
}

BOOST_AUTO_TEST_CASE(anything_else_is_not) {
  const std::string instance = " 0123456789abcdef0123456789abcdef ";
  for (const std::string& text : std::vector<std::string>{
           std::string(), std::string("2"), "2" + instance, "2" + instance + "4711 ", "2" + instance + "0",
           "0" + instance + "4711", "-2" + instance + "4711", "2 0123 4711", "x" + instance + "4711",
           "99999999999999999999" + instance + "1", "2" + instance + "99999999999"})
    BOOST_TEST(!parse_safekeeper_identity(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(only_the_expected_one_passes) {
  BOOST_TEST(check_identity(two, two));
  BOOST_TEST(check_identity({}, two));
  BOOST_TEST(check_identity({.id = 2}, two));
  auto other = two;
  other.id = 3;
  BOOST_TEST(check_identity(two, other).error().code == core::errc::conflict);
  other = two;
  other.instance.value[15] ^= 1;
  BOOST_TEST(check_identity(two, other).error().code == core::errc::conflict);
  other = two;
  other.process = 4712;
  BOOST_TEST(check_identity(two, other).error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::pg::wire
