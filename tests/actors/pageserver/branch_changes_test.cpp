#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/actors/pageserver/pageserver_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using core::lsn;

struct with_branch : pageserver_fixture {
  /// Block 0 is filled with 1 at 0x1000 and 2 at 0x1100.
  with_branch() {
    shop = add("shop");
    written(lsn(0x1100), 2);
    dev = branch("dev").value();
  }
  void written(lsn at, std::uint8_t fill) {
    auto done = write(0, at, fill);
    run();
    BOOST_REQUIRE(done.outcome().has_value());
  }
  core::result<messages::timeline_info> branch(const std::string& name, std::optional<core::wall_time> expires = {}) {
    return get(
        manager,
        messages::create_branch{
            .tenant = shop.tenant, .ancestor = shop.timeline, .at = {}, .name = name, .id = {}, .expires = expires});
  }
  core::result<messages::timeline_info> reset(const core::timeline_id& id, std::optional<std::string> keep_as = {}) {
    return get(manager, messages::reset_branch{shop.tenant, id, {}, std::move(keep_as)});
  }
  core::result<messages::timeline_info> protect(const core::timeline_id& id, bool on) {
    return get(manager, messages::change_branch{shop.tenant, id, on, {}});
  }
  core::result<messages::done> remove(const core::timeline_id& id) {
    return get(manager, messages::delete_timeline{shop.tenant, id});
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& each : get(manager, messages::list_timelines{shop.tenant}).value().timelines)
      found.push_back(each.name);
    std::sort(found.begin(), found.end());
    return found;
  }
  int head_of(const core::timeline_id& id) { return read(*open(shop, id).store, 0, lsn(0x1200)); }

  messages::source_added shop;
  messages::timeline_info dev;
};

using strings = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_branch_changes, with_branch)

BOOST_AUTO_TEST_CASE(a_reset_branch_has_its_name_and_the_head_of_its_parent) {
  written(lsn(0x1200), 3);
  BOOST_TEST(head_of(dev.id) == 2);
  const std::string files_of_old = timeline_directory(shop.tenant, dev.id);
  const auto now = reset(dev.id).value();
  BOOST_TEST((now.name == "dev" && now.id != dev.id && now.ancestor == shop.timeline));
  BOOST_TEST(head_of(now.id) == 3);
  BOOST_TEST((get(manager, messages::get_timeline{shop.tenant, dev.id}).error().code == core::errc::not_found));
  BOOST_TEST(!std::filesystem::exists(files_of_old));
  restart_server();
  BOOST_TEST(names() == (strings{"dev", "main"}), boost::test_tools::per_element());
  BOOST_TEST(head_of(now.id) == 3);
}

BOOST_AUTO_TEST_CASE(a_branch_that_is_kept_has_the_other_name_its_id_and_its_children) {
  const auto child = get(manager, messages::create_branch{shop.tenant, dev.id, {}, "child", {}}).value();
  written(lsn(0x1200), 3);
  BOOST_TEST((reset(dev.id).error().code == core::errc::conflict));
  const auto now = reset(dev.id, "before").value();
  for (int start = 0; start < 2; ++start) {
    BOOST_TEST(names() == (strings{"before", "child", "dev", "main"}), boost::test_tools::per_element());
    BOOST_TEST(info(shop.tenant, dev.id).name == "before");
    BOOST_TEST(head_of(dev.id) == 2);
    BOOST_TEST(head_of(child.id) == 2);
    BOOST_TEST(head_of(now.id) == 3);
    restart_server();
  }
}

BOOST_AUTO_TEST_CASE(a_request_for_a_name_does_not_touch_the_branch_that_was_kept_under_another) {
  written(lsn(0x1200), 3);
  const auto now = reset(dev.id, "before").value();
  const auto again = get(manager, messages::reset_branch{shop.tenant, dev.id, {}, {}, "dev"});
  BOOST_TEST((again.error().code == core::errc::conflict));
  BOOST_TEST(
      (get(manager, messages::delete_timeline{shop.tenant, dev.id, "dev"}).error().code == core::errc::conflict));
  BOOST_TEST(head_of(dev.id) == 2);
  BOOST_TEST(get(manager, messages::delete_timeline{shop.tenant, now.id, "dev"}).has_value());
  BOOST_TEST(get(manager, messages::delete_timeline{shop.tenant, dev.id, "before"}).has_value());
}

BOOST_AUTO_TEST_CASE(a_check_of_a_reset_changes_nothing) {
  const messages::reset_branch check{
      .tenant = shop.tenant, .timeline = dev.id, .at = {}, .keep_as = {}, .name = "dev", .check_only = true};
  BOOST_TEST((get(manager, check).value().id == dev.id));
  BOOST_TEST(names() == (strings{"dev", "main"}), boost::test_tools::per_element());
  BOOST_TEST(protect(dev.id, true).has_value());
  BOOST_TEST((get(manager, check).error().code == core::errc::conflict));
}

BOOST_AUTO_TEST_CASE(a_reset_that_fails_changes_nothing) {
  BOOST_TEST((reset(shop.timeline).error().code == core::errc::conflict));
  const auto future =
      get(manager, messages::reset_branch{.tenant = shop.tenant, .timeline = dev.id, .at = lsn(0x800), .keep_as = {}});
  BOOST_TEST((future.error().code == core::errc::out_of_range));
  BOOST_TEST(
      (get(manager, messages::reset_branch{shop.tenant, core::make_id<core::timeline_id>(), {}, {}}).error().code ==
       core::errc::not_found));
  BOOST_TEST(names() == (strings{"dev", "main"}), boost::test_tools::per_element());
  BOOST_TEST(head_of(dev.id) == 2);
  BOOST_TEST(remove(dev.id).has_value());
}

BOOST_AUTO_TEST_CASE(while_a_branch_is_reset_it_is_read_and_not_changed) {
  auto waiting = ask(manager, messages::reset_branch{shop.tenant, dev.id, lsn(0x1200), {}});
  run();
  BOOST_TEST(!waiting.answered());
  BOOST_TEST(head_of(dev.id) == 2);
  BOOST_TEST((remove(dev.id).error().code == core::errc::busy));
  BOOST_TEST((reset(dev.id, "before").error().code == core::errc::busy));
  BOOST_TEST(
      (get(manager, messages::create_branch{shop.tenant, dev.id, {}, "child", {}}).error().code == core::errc::busy));
  BOOST_TEST((remove(shop.timeline).error().code == core::errc::conflict));
  written(lsn(0x1200), 3);
  BOOST_TEST(head_of(waiting.outcome().value().id) == 3);
}

BOOST_AUTO_TEST_CASE(a_protected_branch_stays_and_so_does_its_tenant) {
  BOOST_TEST(protect(dev.id, true).value().deletion_protected);
  for (int start = 0; start < 2; ++start) {
    BOOST_TEST((remove(dev.id).error().code == core::errc::conflict));
    BOOST_TEST((reset(dev.id).error().code == core::errc::conflict));
    const auto removed = get(manager, messages::delete_tenant{shop.tenant});
    BOOST_TEST((removed.error().code == core::errc::conflict));
    BOOST_TEST(removed.error().detail.find("dev") != std::string::npos, removed.error().detail);
    BOOST_TEST(info(shop.tenant, dev.id).deletion_protected);
    restart_server();
  }
  BOOST_TEST(!protect(dev.id, false).value().deletion_protected);
  BOOST_TEST(remove(dev.id).has_value());
  BOOST_TEST(get(manager, messages::delete_tenant{shop.tenant}).has_value());
}

BOOST_AUTO_TEST_CASE(an_expired_branch_goes_once_it_has_no_children_and_is_listed) {
  const auto end = clock.now() + 60s;
  const auto ci = branch("ci", end).value();
  BOOST_TEST((ci.expires == end));
  const auto child = get(manager, messages::create_branch{shop.tenant, ci.id, {}, "child", {}}).value();
  advance(59s);
  BOOST_TEST(names() == (strings{"child", "ci", "dev", "main"}), boost::test_tools::per_element());
  advance(2s);
  BOOST_TEST(names() == (strings{"child", "ci", "dev", "main"}), boost::test_tools::per_element());
  BOOST_TEST(remove(child.id).has_value());
  advance(2s);
  BOOST_TEST(names() == (strings{"dev", "main"}), boost::test_tools::per_element());
  BOOST_TEST(!std::filesystem::exists(timeline_directory(shop.tenant, ci.id)));
  for (int round = 0; round < 2; ++round, restart_server()) {
    const auto expired = get(manager, messages::get_tenant{shop.tenant}).value().expired;
    BOOST_TEST_REQUIRE(expired.size() == 1u);
    BOOST_TEST(expired.front().name == "ci");
  }
}

BOOST_AUTO_TEST_CASE(a_branch_that_expired_while_the_server_was_down_goes_at_its_start) {
  BOOST_TEST(branch("ci", clock.now() + 60s).has_value());
  stop_server();
  clock.advance(61s);
  start_server();
  run();
  advance(2s);
  BOOST_TEST(names() == (strings{"dev", "main"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_expiry_is_changed_taken_back_and_inherited_by_a_reset) {
  const auto change = [&](std::optional<core::wall_time> expires) {
    return get(manager, messages::change_branch{shop.tenant, dev.id, {}, std::optional(expires)});
  };
  BOOST_TEST((branch("past", clock.now()).error().code == core::errc::invalid_argument));
  BOOST_TEST((change(clock.now()).error().code == core::errc::invalid_argument));
  const auto end = clock.now() + 60s;
  BOOST_TEST((change(end).value().expires == end));
  BOOST_TEST(!change({}).value().expires);
  BOOST_TEST((change(end).value().expires == end));
  BOOST_TEST(!protect(dev.id, true).value().expires);
  BOOST_TEST((change(end).error().code == core::errc::conflict));
  BOOST_TEST(protect(dev.id, false).has_value());
  BOOST_TEST((change(end).value().expires == end));
  const auto now = reset(dev.id, "before").value();
  BOOST_TEST((now.expires == end));
  BOOST_TEST(!info(shop.tenant, dev.id).expires);
  advance(61s);
  BOOST_TEST(names() == (strings{"before", "main"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
