#include "control/pick.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::control {
namespace {

struct entry {
  std::string id;
  std::string name;
};

const std::vector<entry> all{{"0123456789abcdef0123456789abcdef", "main"},
                             {"0123456789ffffff0123456789abcdef", "dev"},
                             {"fedcba98765432100000000000000000", "demo"},
                             {"a0000000000000000000000000000000", "release-1"},
                             {"b0000000000000000000000000000000", "release-12"}};

std::string found(const std::string& wanted) {
  const auto picked = pick(all, wanted);
  BOOST_TEST((picked.entry == nullptr || picked.candidates.empty()));
  return picked.entry == nullptr ? "" : picked.entry->name;
}

BOOST_AUTO_TEST_SUITE(control_pick)

BOOST_AUTO_TEST_CASE(a_whole_name_wins_over_those_that_begin_with_it) {
  BOOST_TEST(found("release-1") == "release-1");
  BOOST_TEST(found("release-12") == "release-12");
}

BOOST_AUTO_TEST_CASE(a_prefix_that_only_one_has_is_enough) {
  BOOST_TEST(found("m") == "main");
  BOOST_TEST(found("dem") == "demo");
  BOOST_TEST(found("x") == "");
  BOOST_TEST(pick(all, "x").candidates.empty());
  BOOST_TEST(found("") == "");
}

BOOST_AUTO_TEST_CASE(a_prefix_that_several_have_is_told_with_them) {
  BOOST_TEST(found("de") == "");
  BOOST_TEST((pick(all, "de").candidates == std::vector<std::string>{"dev", "demo"}));
  BOOST_TEST((pick(all, "release").candidates == std::vector<std::string>{"release-1", "release-12"}));
}

BOOST_AUTO_TEST_CASE(of_an_id_eight_digits_are_needed) {
  BOOST_TEST(found("fedcba98765432100000000000000000") == "demo");
  BOOST_TEST(found("fedcba98") == "demo");
  BOOST_TEST(found("fedcba9") == "");
  BOOST_TEST(pick(all, "fedcba9").candidates.empty());
  // One digit of an id is no branch, and no reason to call a name ambiguous.
  BOOST_TEST(found("b") == "");
  BOOST_TEST((pick(all, "0123456789").candidates == std::vector<std::string>{"main", "dev"}));
  BOOST_TEST(found("0123456789a") == "main");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
