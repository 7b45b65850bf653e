#include "placement/timeline_deletion.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <tuple>

#include "tests/placement/exploration.hpp"

namespace strata::tests {
namespace {

using core::lsn;
using placement::check_deletion;
using placement::known_branch;
using placement::timeline_deletion;
using step = timeline_deletion::step;

/// A deletion, what it has left on disk, and the actor that writes there.
struct world {
  enum class record_is { active, deleting, gone };
  enum class files_are { whole, some, gone };

  timeline_deletion deletion;
  record_is record = record_is::active;
  files_are files = files_are::whole;
  bool writer = true;
  bool replied = false;

  [[nodiscard]] auto key() const {
    return std::tuple(deletion.now(), deletion.decided(), record, files, writer, replied);
  }
};

/// Every outcome of the step that the deletion stands at.
std::vector<world> next(const world& from) {
  std::vector<world> made;
  const auto add = [&](auto input) {
    world to = from;
    input(to);
    made.push_back(std::move(to));
  };
  if (from.writer && from.deletion.now() == step::mark) add([](world& of) { of.writer = false; });  // it failed
  switch (from.deletion.now()) {
    case step::mark:
      add([](world& of) {
        of.record = world::record_is::deleting;
        of.deletion.marked(of.writer);
        of.replied = true;
      });
      add([](world& of) { of.deletion.fail(); });
      break;
    case step::end_writer:
      add([](world& of) {
        of.writer = false;
        of.deletion.writer_ended();
      });
      break;
    case step::remove_files:
      add([](world& of) {
        of.files = world::files_are::gone;
        of.deletion.files_removed();
      });
      add([](world& of) {
        of.files = world::files_are::some;
        of.deletion.fail();
      });
      break;
    case step::delete_record:
      add([](world& of) {
        of.record = world::record_is::gone;
        of.deletion.record_deleted();
      });
      add([](world& of) { of.deletion.fail(); });
      break;
    case step::finished:
    case step::not_deleted:
    case step::left_behind: break;
  }
  return made;
}

void check_disk(const world& of) {
  // A branch has its files, files have a record that names them, and a deletion that was answered stands.
  BOOST_TEST((of.record != world::record_is::active || of.files == world::files_are::whole));
  BOOST_TEST((of.record != world::record_is::gone || of.files == world::files_are::gone));
  BOOST_TEST((!of.replied || of.record != world::record_is::active));
}

/// What a start finds, and does with it.
world restarted(const world& from) {
  world to = from;
  to.writer = false;
  to.deletion = timeline_deletion();
  storage::timeline_record record{.state = from.record == world::record_is::deleting ? storage::timeline_state::deleting
                                                                                     : storage::timeline_state::active};
  if (from.record != world::record_is::gone && timeline_deletion::was_interrupted(record))
    to.deletion = timeline_deletion::resumed();
  return to;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_timeline_deletion)

BOOST_AUTO_TEST_CASE(whatever_fails_the_branch_is_whole_or_marked) {
  std::set<step> reached;
  for (const world& each : explore(world{}, next)) {
    reached.insert(each.deletion.now());
    BOOST_TEST(each.deletion.broken_invariant() == "");
    check_disk(each);
    BOOST_TEST((each.deletion.decided() == (each.record != world::record_is::active)));
    if (each.deletion.now() == step::not_deleted) BOOST_TEST((each.record == world::record_is::active));
    if (each.deletion.now() == step::finished) BOOST_TEST((each.record == world::record_is::gone && !each.writer));
  }
  BOOST_TEST(reached.size() == 7u);
}

BOOST_AUTO_TEST_CASE(a_crash_after_any_step_is_resumed_until_nothing_is_left) {
  for (const world& crashed : explore(world{}, next)) {
    const world start = restarted(crashed);
    if (start.record != world::record_is::deleting) {
      check_disk(start);
      continue;
    }
    BOOST_TEST((start.deletion.now() == step::remove_files));
    bool finished = false;
    for (const world& each : explore(start, next)) {
      check_disk(each);
      // Crashes do not add up to anything else.
      check_disk(restarted(each));
      finished |= each.deletion.now() == step::finished && each.files == world::files_are::gone;
    }
    BOOST_TEST(finished);
  }
}

BOOST_AUTO_TEST_CASE(children_block_a_deletion_while_they_are_created_and_until_they_are_deleted) {
  using phase = known_branch::phase;
  const auto parent = core::make_id<core::timeline_id>();
  const auto child = core::make_id<core::timeline_id>();
  const auto other = core::make_id<core::timeline_id>();
  for (const phase first : {phase::creating, phase::present, phase::deleting})
    for (const phase second : {phase::creating, phase::present, phase::deleting}) {
      const std::vector<known_branch> branches{
          {.id = parent, .name = "main", .ancestor = {}, .ancestor_lsn = {}},
          {.id = child, .name = "dev", .in = first, .ancestor = parent, .ancestor_lsn = lsn(1)},
          {.id = other, .name = "test", .in = second, .ancestor = parent, .ancestor_lsn = lsn(1)}};
      const auto checked = check_deletion(parent, branches);
      BOOST_TEST(checked.has_value() == (first == phase::deleting && second == phase::deleting));
      if (!checked) {
        BOOST_TEST((checked.error().code == core::errc::conflict));
        BOOST_TEST((checked.error().detail.find("dev") != std::string::npos) == (first != phase::deleting));
        BOOST_TEST((checked.error().detail.find("test") != std::string::npos) == (second != phase::deleting));
      }
      BOOST_TEST(check_deletion(child, branches).has_value());
    }
}

BOOST_AUTO_TEST_CASE(protection_blocks_a_deletion_and_the_removal_of_its_tenant) {
  std::vector<known_branch> branches{{.id = core::make_id<core::timeline_id>(), .name = "main"},
                                     {.id = core::make_id<core::timeline_id>(), .name = "dev"}};
  BOOST_TEST(placement::check_removal(branches).has_value());
  branches[1].deletion_protected = true;
  BOOST_TEST(check_deletion(branches[0].id, branches).has_value());
  const auto refused = check_deletion(branches[1].id, branches);
  BOOST_TEST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == core::errc::conflict));
  BOOST_TEST(refused.error().detail == "branch dev is protected from deletion");
  BOOST_TEST(placement::check_removal(branches).error().detail == "branches are protected from deletion: dev");
}

BOOST_AUTO_TEST_CASE(a_branch_that_has_another_name_by_now_is_not_meant) {
  const std::array branches{known_branch{.id = core::make_id<core::timeline_id>(), .name = "before"}};
  BOOST_TEST(placement::check_name(branches[0].id, "before", branches).has_value());
  BOOST_TEST(placement::check_name(branches[0].id, "", branches).has_value());
  const auto refused = placement::check_name(branches[0].id, "dev", branches);
  BOOST_TEST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == core::errc::conflict));
  BOOST_TEST(refused.error().detail.find("is now named before") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_branch_that_is_being_reset_is_not_deleted) {
  const std::array branches{
      known_branch{.id = core::make_id<core::timeline_id>(), .name = "dev", .in = known_branch::phase::replacing}};
  BOOST_TEST((check_deletion(branches[0].id, branches).error().code == core::errc::busy));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
