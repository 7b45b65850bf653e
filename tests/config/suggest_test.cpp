#include "config/suggest.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

namespace strata::config {
namespace {

std::string for_typo(std::string_view text, std::vector<std::string_view> names) {
  return std::string(nearest(text, names));
}

BOOST_AUTO_TEST_SUITE(config_suggest)

BOOST_AUTO_TEST_CASE(letters_that_changed_places_are_one_mistake) {
  // The example of docs/cli.md.
  BOOST_TEST(did_you_mean("dve", std::vector<std::string_view>{"main", "dev"}) == "; did you mean \"dev\"?");
  BOOST_TEST(for_typo("edv", {"main", "dev"}) == "dev");
  BOOST_TEST(for_typo("mian", {"main", "dev"}) == "main");
  BOOST_TEST(for_typo("stauts", {"status", "source"}) == "status");
  BOOST_TEST(for_typo("ab", {"ba", "xy"}) == "ba");
}

BOOST_AUTO_TEST_CASE(one_mistake_in_a_short_word_and_a_third_of_a_long_one_are_borne) {
  BOOST_TEST(for_typo("de", {"dev"}) == "dev");
  BOOST_TEST(for_typo("devv", {"dev"}) == "dev");
  BOOST_TEST(for_typo("dex", {"dev"}) == "dev");
  BOOST_TEST(for_typo("xyv", {"dev"}) == "");
  BOOST_TEST(for_typo("brnch", {"branch", "source"}) == "branch");
  BOOST_TEST(for_typo("compuet", {"compute"}) == "compute");
  BOOST_TEST(for_typo("", {"dev"}) == "");
  BOOST_TEST(for_typo(std::string(65, 'a'), {"aaa"}) == "");
}

BOOST_AUTO_TEST_CASE(the_nearest_is_proposed_and_of_equals_the_first) {
  BOOST_TEST(for_typo("staging", {"staging2", "stagin"}) == "staging2");
  BOOST_TEST(for_typo("stagimg2", {"stagin", "staging2"}) == "staging2");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::config
