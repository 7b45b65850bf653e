#include "placement/branch_expiry.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <vector>

namespace strata::tests {
namespace {

using placement::known_branch;
using namespace std::chrono_literals;

const core::wall_time now{1000s};
const auto main_id = core::make_id<core::timeline_id>();
const auto dev_id = core::make_id<core::timeline_id>();

known_branch dev(std::optional<core::wall_time> expires) {
  return {.id = dev_id, .name = "dev", .ancestor = main_id, .ancestor_lsn = core::lsn(1), .expires = expires};
}
std::vector<core::timeline_id> expired(const std::vector<known_branch>& all) {
  return placement::expired_branches(all, now);
}
core::errc refusal(const known_branch& branch, core::wall_time at) {
  const auto checked = placement::check_expiry(branch, at, now);
  BOOST_TEST_REQUIRE(!checked);
  return checked.error().code;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_branch_expiry)

BOOST_AUTO_TEST_CASE(a_branch_expires_at_its_time_and_not_before) {
  BOOST_TEST(expired({dev(now + 1us)}).empty());
  BOOST_TEST((expired({dev(now)}) == std::vector{dev_id}));
  BOOST_TEST((expired({dev(now - 1us)}) == std::vector{dev_id}));
  BOOST_TEST(expired({dev({})}).empty());
}

BOOST_AUTO_TEST_CASE(children_protection_and_another_change_keep_it) {
  known_branch child{.id = core::make_id<core::timeline_id>(), .name = "child", .ancestor = dev_id};
  BOOST_TEST(expired({dev(now), child}).empty());
  child.in = known_branch::phase::creating;
  BOOST_TEST(expired({dev(now), child}).empty());
  child.in = known_branch::phase::deleting;
  BOOST_TEST((expired({dev(now), child}) == std::vector{dev_id}));
  for (const auto in : {known_branch::phase::creating, known_branch::phase::replacing, known_branch::phase::deleting}) {
    known_branch changing = dev(now);
    changing.in = in;
    BOOST_TEST(expired({changing}).empty());
  }
  known_branch kept = dev(now);
  kept.deletion_protected = true;
  BOOST_TEST(expired({kept}).empty());
}

BOOST_AUTO_TEST_CASE(only_an_unprotected_branch_of_a_branch_gets_an_expiry_in_the_future) {
  BOOST_TEST(placement::check_expiry(dev({}), now + 1us, now).has_value());
  BOOST_TEST((refusal(dev({}), now) == core::errc::invalid_argument));
  known_branch kept = dev({});
  kept.deletion_protected = true;
  BOOST_TEST((refusal(kept, now + 1h) == core::errc::conflict));
  BOOST_TEST((refusal({.id = main_id, .name = "main"}, now + 1h) == core::errc::conflict));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
