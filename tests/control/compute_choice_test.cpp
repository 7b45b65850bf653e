#include "control/compute_choice.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::control {
namespace {

using host::compute_mode;
using host::compute_record;
using namespace std::chrono_literals;

const core::lsn head(0x2000);
const core::wall_time noon(std::chrono::hours(24 * 20000));

compute_record copy(const std::string& name, core::lsn at, std::chrono::seconds started) {
  compute_record made;
  made.name = name;
  made.tenant = "shop";
  made.branch = "dev";
  made.at = at;
  made.as_of = made.started = noon + started;
  made.port = 26555;
  return made;
}
compute_record writer(const std::string& name, std::chrono::seconds started) {
  auto made = copy(name, core::lsn(), started);
  made.mode = compute_mode::branch;
  return made;
}
std::string chosen(const std::vector<compute_record>& running) {
  const auto* found = present_among(running, head);
  return found == nullptr ? "none" : found->name;
}

BOOST_AUTO_TEST_SUITE(control_compute_choice)

BOOST_AUTO_TEST_CASE(the_name_of_a_branch_means_what_shows_it_as_it_is_now) {
  BOOST_TEST(chosen({}) == "none");
  BOOST_TEST(chosen({copy("old", core::lsn(0x1000), 0s)}) == "none");
  BOOST_TEST(chosen({copy("old", core::lsn(0x1000), 0s), copy("new", head, 5s)}) == "new");
  BOOST_TEST(chosen({copy("first", head, 0s), copy("second", head, 5s)}) == "first");
  BOOST_TEST(chosen({copy("second", head, 5s), copy("first", head, 0s)}) == "first");
  BOOST_TEST(chosen({copy("copy", head, 0s), writer("writer", 5s)}) == "writer");
  BOOST_TEST(chosen({writer("writer", 5s), copy("copy", head, 0s)}) == "writer");
  BOOST_TEST(chosen({writer("superseded", 0s), writer("newer", 5s)}) == "newer");
  BOOST_TEST(chosen({writer("newer", 5s), writer("superseded", 0s)}) == "newer");
  // Ahead of the head that the server knows: nobody can say what it is.
  BOOST_TEST(chosen({copy("ahead", core::lsn(0x3000), 0s)}) == "none");
}

BOOST_AUTO_TEST_CASE(a_compute_belongs_to_a_timeline_of_a_source_and_not_to_names) {
  auto record = copy("dev", head, 0s);
  record.tenant_id = core::make_id<core::tenant_id>();
  record.timeline_id = core::make_id<core::timeline_id>();
  BOOST_TEST(belongs_to(record, record.tenant_id, record.timeline_id));
  BOOST_TEST(!belongs_to(record, record.tenant_id, core::make_id<core::timeline_id>()));
  BOOST_TEST(!belongs_to(record, core::make_id<core::tenant_id>(), record.timeline_id));
}

BOOST_AUTO_TEST_CASE(names_are_those_of_branch_and_point_and_then_with_the_source) {
  const auto of_head = default_names("shop", "dev", {});
  BOOST_TEST(of_head == (std::vector<std::string>{"dev", "shop-dev"}), boost::test_tools::per_element());
  const auto of_point = default_names("shop", "main", core::lsn(0x3B21F08));
  BOOST_TEST(of_point == (std::vector<std::string>{"main-0-3B21F08", "shop-main-0-3B21F08"}),
             boost::test_tools::per_element());
  const auto of_standby = default_names("shop", "dev", {}, true);
  BOOST_TEST(of_standby == (std::vector<std::string>{"dev-standby", "shop-dev-standby"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_standby_is_never_what_the_name_of_a_branch_means) {
  auto standby = writer("standby", 0s);
  standby.mode = compute_mode::standby;
  BOOST_TEST(chosen({standby}) == "none");
  BOOST_TEST(chosen({standby, writer("writer", 5s)}) == "writer");
}

BOOST_AUTO_TEST_CASE(a_terminal_is_told_where_it_is) {
  BOOST_TEST(where_text(copy("x", head, 0s), noon + 12min) == "dev@shop, port 26555, copy 12 min old");
  BOOST_TEST(where_text(copy("x", head, 0s), noon) == "dev@shop, port 26555, copy 0 s old");
  BOOST_TEST(where_text(copy("x", head, 0s), noon + 49h) == "dev@shop, port 26555, copy 2 d old");
  // A clock that was set back makes nothing come from the future.
  BOOST_TEST(where_text(copy("x", head, 60s), noon) == "dev@shop, port 26555, copy 0 s old");
  BOOST_TEST(where_text(writer("x", 0s), noon + 12min) == "dev@shop, port 26555, writes the branch");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
