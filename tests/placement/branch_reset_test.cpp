#include "placement/branch_reset.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

namespace strata::tests {
namespace {

using placement::check_reset;
using placement::known_branch;

const auto main_id = core::make_id<core::timeline_id>();
const auto dev_id = core::make_id<core::timeline_id>();

struct branches {
  std::vector<known_branch> all{{.id = main_id, .name = "main"}, {.id = dev_id, .name = "dev", .ancestor = main_id}};

  [[nodiscard]] std::string refusal(const core::timeline_id& id, const std::optional<std::string>& keep = {}) const {
    const auto checked = check_reset(id, keep, all);
    return checked ? "" : std::string(core::to_string(checked.error().code)) + ": " + checked.error().detail;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(placement_branch_reset, branches)

BOOST_AUTO_TEST_CASE(a_branch_with_a_parent_is_reset) {
  BOOST_TEST(refusal(dev_id) == "");
  BOOST_TEST(refusal(dev_id, "before") == "");
  BOOST_TEST(refusal(main_id).find("has no parent branch") != std::string::npos);
  BOOST_TEST(refusal(main_id, "before").find("has no parent branch") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_would_be_lost_is_kept_or_blocks) {
  all.push_back({.id = core::make_id<core::timeline_id>(), .name = "child", .ancestor = dev_id});
  BOOST_TEST(refusal(dev_id).find("has child branches: child") != std::string::npos);
  BOOST_TEST(refusal(dev_id, "before") == "");
  all.pop_back();
  all[1].deletion_protected = true;
  BOOST_TEST(refusal(dev_id).find("is protected from deletion") != std::string::npos);
  BOOST_TEST(refusal(dev_id, "before") == "");
}

BOOST_AUTO_TEST_CASE(the_new_name_is_free_and_may_be_one) {
  for (const char* taken : {"main", "dev"})
    BOOST_TEST(refusal(dev_id, taken).find("already exists") != std::string::npos);
  BOOST_TEST(refusal(dev_id, "a b") != "");
}

BOOST_AUTO_TEST_CASE(one_change_at_a_time) {
  for (const auto in : {known_branch::phase::creating, known_branch::phase::replacing}) {
    all[1].in = in;
    BOOST_TEST(refusal(dev_id).starts_with("busy"));
    BOOST_TEST(refusal(dev_id, "before").starts_with("busy"));
  }
}

BOOST_AUTO_TEST_CASE(the_old_branch_is_marked_or_renamed) {
  storage::timeline_record old;
  old.name = "dev";
  old.state = storage::timeline_state::active;
  old.expires = core::wall_time(std::chrono::seconds(1));
  auto gone = old;
  storage::apply_to_record(placement::edit_of_reset({}), gone);
  BOOST_TEST((gone.state == storage::timeline_state::deleting));
  BOOST_TEST(gone.name == "dev");
  storage::apply_to_record(placement::edit_of_reset("before"), old);
  BOOST_TEST((old.state == storage::timeline_state::active && !old.expires));
  BOOST_TEST(old.name == "before");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
