#include "core/url.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::core {
namespace {

BOOST_AUTO_TEST_SUITE(core_url)

BOOST_AUTO_TEST_CASE(what_is_encoded_is_decoded) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  BOOST_TEST(url_decoded(url_encoded(all)) == all);
  BOOST_TEST(url_decoded(url_encoded(all), true) == all);
}

BOOST_AUTO_TEST_CASE(what_is_no_encoding_stays) {
  BOOST_TEST(url_decoded("a%2fb%2Fc") == "a/b/c");
  for (const char* text : {"%", "%4", "%4x", "%-1", "% 1", "a%", "100%!"}) BOOST_TEST(url_decoded(text) == text);
  BOOST_TEST(url_decoded("a+b") == "a+b");
  BOOST_TEST(url_decoded("a+b%2B", true) == "a b+");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::core
