#include "api/request_origin.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::api {
namespace {

std::optional<std::string> refused(const std::string& headers, bool on_loopback = true) {
  static std::string whole;  // the head has views of it
  whole = "POST /terminate HTTP/1.1\r\n" + headers + "\r\n";
  const auto head = find_head(whole);
  BOOST_TEST_REQUIRE(head.has_value());
  return foreign_origin(*head, on_loopback);
}

BOOST_AUTO_TEST_SUITE(api_request_origin)

BOOST_AUTO_TEST_CASE(programs_and_pages_of_the_server_itself_are_served) {
  for (const char* headers :
       {"", "Host: 127.0.0.1:7001\r\n", "host: LOCALHOST\r\n", "Host: localhost:1\r\n", "Host: [::1]:7001\r\n",
        "Host: 127.0.0.1:7001\r\nOrigin: http://127.0.0.1:7001\r\nSec-Fetch-Site: same-origin\r\n",
        "Host: localhost:7001\r\nSec-Fetch-Site: none\r\n"})
    BOOST_TEST(!refused(headers), headers);
}

BOOST_AUTO_TEST_CASE(a_name_that_was_made_to_lead_here_is_refused) {
  for (const char* headers :
       {"Host: evil.example\r\n", "Host: evil.example:7001\r\n", "Host: 127.0.0.1.evil.example\r\n", "Host: 127.1\r\n",
        "Host: localhost.evil.example\r\n", "Host: 10.0.0.1\r\n", "Host: \r\n",
        "Host: localhost\r\nHost: evil.example\r\n", "Host: localhost:evil\r\n"})
    BOOST_TEST(refused(headers).has_value(), headers);
  // Whoever listens elsewhere is reached by names that nobody here knows.
  BOOST_TEST(!refused("Host: db7.example:7001\r\n", false));
}

BOOST_AUTO_TEST_CASE(a_page_of_another_site_is_refused) {
  for (const char* headers :
       {"Host: localhost:7001\r\nOrigin: http://evil.example\r\n", "Host: localhost:7001\r\nOrigin: null\r\n",
        "Host: localhost:7001\r\nOrigin: http://localhost:8080\r\n",
        "Host: localhost:7001\r\nSec-Fetch-Site: cross-site\r\n",
        "Host: localhost:7001\r\nSec-Fetch-Site: same-site\r\n"})
    for (const bool on_loopback : {true, false}) BOOST_TEST(refused(headers, on_loopback).has_value(), headers);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::api
