#include "placement/cluster_import.hpp"

#include <boost/test/unit_test.hpp>
#include <tuple>

#include "tests/placement/exploration.hpp"

namespace strata::tests {
namespace {

using placement::cluster_import;
using step = cluster_import::step;

/// An import, and what it has left in the metadata.
struct world {
  enum class root_is { absent, importing, active };

  cluster_import import;
  root_is root = root_is::absent;
  bool is_removed = false;

  [[nodiscard]] auto key() const { return std::tuple(import.now(), root, is_removed); }
  [[nodiscard]] std::vector<storage::timeline_record> records() const {
    if (root == root_is::absent) return {};
    auto record = placement::root_record({}, {}, {}, {});
    if (root == root_is::active) record.state = storage::timeline_state::active;
    return {record};
  }
};

std::vector<world> next(const world& from) {
  std::vector<world> made;
  const auto add = [&](auto input) {
    world to = from;
    input(to);
    made.push_back(std::move(to));
  };
  switch (from.import.now()) {
    case step::store_records:
      add([](world& of) {
        of.root = world::root_is::importing;
        of.import.records_stored();
      });
      add([](world& of) { of.import.fail({core::errc::disk_full, "full"}); });
      // Stored, though that was not answered.
      add([](world& of) {
        of.root = world::root_is::importing;
        of.import.fail({core::errc::outcome_unknown, "unknown"});
      });
      break;
    case step::import_files:
      add([](world& of) {
        of.root = world::root_is::active;
        of.import.files_imported();
      });
      add([](world& of) { of.import.fail({core::errc::corrupt, "damaged"}); });
      break;
    case step::remove:
      add([](world& of) {
        of.root = world::root_is::absent;
        of.is_removed = true;
        of.import.removed();
      });
      break;
    case step::imported:
    case step::failed: break;
  }
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_cluster_import)

BOOST_AUTO_TEST_CASE(after_a_crash_there_is_a_whole_tenant_or_one_that_the_next_start_removes) {
  std::size_t ends = 0;
  for (const world& each : explore(world{}, next)) {
    const bool usable = each.root == world::root_is::active;
    BOOST_TEST(cluster_import::was_interrupted(each.records()) == (each.root == world::root_is::importing));
    BOOST_TEST(usable == (each.import.now() == step::imported));
    if (!each.import.ended()) continue;
    ++ends;
    if (each.import.now() == step::failed) BOOST_TEST((each.root == world::root_is::absent && each.is_removed));
  }
  BOOST_TEST(ends == 2u);
}

BOOST_AUTO_TEST_CASE(the_import_of_a_source_is_no_interrupted_creation) {
  auto record = placement::root_record({}, {}, {.major = pg::major_version::v16, .system_id = 7}, {});
  BOOST_TEST(record.name == "main");
  BOOST_TEST(record.system_id == 7u);
  BOOST_TEST(cluster_import::was_interrupted(std::vector{record}));
  record.source = storage::source_record{.conninfo = "host=h", .slot = "s"};
  BOOST_TEST(!cluster_import::was_interrupted(std::vector{record}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
