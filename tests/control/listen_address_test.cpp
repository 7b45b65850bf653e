#include "control/listen_address.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::control {
namespace {

BOOST_AUTO_TEST_SUITE(control_listen_address)

BOOST_AUTO_TEST_CASE(addresses_of_this_machine_need_no_leave) {
  BOOST_TEST(*checked_listen_address("127.0.0.1", false) == "127.0.0.1");
  BOOST_TEST(*checked_listen_address("127.0.0.9", false) == "127.0.0.9");
  BOOST_TEST(*checked_listen_address("::1", false) == "::1");
  BOOST_TEST(*checked_listen_address("[::1]", false) == "::1");
  BOOST_TEST(*checked_listen_address("localhost", false) == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(others_are_refused_until_somebody_allows_them) {
  for (const char* address : {"0.0.0.0", "::", "[::]", "192.168.1.5", "::ffff:10.0.0.1"}) {
    const auto refused = checked_listen_address(address, false);
    BOOST_TEST_REQUIRE(!refused.has_value(), address);
    BOOST_TEST((refused.error().code == core::errc::invalid_argument), address);
    BOOST_TEST(refused.error().detail.find("--insecure") != std::string::npos, refused.error().detail);
    BOOST_TEST(checked_listen_address(address, true).has_value(), address);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_ip_address_is_refused_either_way) {
  for (const char* text : {"", "db1", "127.0.0.1:80", "::1]", "300.0.0.1", "*", "http://127.0.0.1"})
    for (const bool insecure : {false, true}) {
      const auto refused = checked_listen_address(text, insecure);
      BOOST_TEST_REQUIRE(!refused.has_value(), text);
      BOOST_TEST(refused.error().detail.find("not an IP address") != std::string::npos, refused.error().detail);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
