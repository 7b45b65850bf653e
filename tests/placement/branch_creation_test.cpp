#include "placement/branch_creation.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <tuple>

#include "tests/placement/exploration.hpp"

namespace strata::tests {
namespace {

using core::lsn;
using placement::branch_creation;
using placement::branch_request;
using placement::check_creation;
using placement::creation_check;
using placement::known_branch;
using step = branch_creation::step;

const auto parent = core::make_id<core::timeline_id>();
const auto stranger = core::make_id<core::timeline_id>();
const auto first = core::make_id<core::timeline_id>();
const auto second = core::make_id<core::timeline_id>();

/// A creation and the ancestor it is of, whose WAL goes from 1 to at most `end`.
struct world {
  static constexpr std::uint64_t end = 3;

  std::uint64_t wanted = 0;  ///< 0: the head
  branch_creation creation;
  std::uint64_t head = 1;
  std::uint64_t durable = 0;
  std::uint64_t cutoff = 0;  ///< nothing below can be read
  std::uint64_t point = 0;   ///< of the child, kept by the ancestor; 0: none
  bool record = false;       ///< of the child

  [[nodiscard]] auto key() const {
    return std::tuple(wanted, creation.now(), creation.at().value, head, durable, cutoff, point, record);
  }
  [[nodiscard]] bool ended() const { return creation.now() == step::created || creation.now() == step::failed; }

  void fail() {
    creation.fail({core::errc::unavailable, "something"});
    if (creation.leaves_point()) point = 0;
  }
  /// Everything that is only in memory is lost, and a branch's point comes back from its record.
  void crash() {
    head = durable;
    point = record ? creation.at().value : 0;
  }
};

std::vector<world> next(const world& from) {
  std::vector<world> made;
  const auto add = [&](auto input) {
    world to = from;
    input(to);
    made.push_back(std::move(to));
  };
  // What the ancestor does meanwhile.
  if (from.head < world::end) add([](world& of) { ++of.head; });
  if (from.durable < from.head) add([](world& of) { of.durable = of.head; });
  if (from.cutoff < from.durable && (from.point == 0 || from.cutoff < from.point)) add([](world& of) { ++of.cutoff; });
  if (from.ended()) return made;
  add([](world& of) { of.fail(); });
  switch (from.creation.now()) {
    case step::find_point:
      if (from.wanted <= from.head)
        add([](world& of) { of.creation.point_found(lsn(of.wanted == 0 ? of.head : of.wanted)); });
      break;
    case step::register_point:
      if (from.creation.at().value >= from.cutoff)
        add([](world& of) {
          of.point = of.creation.at().value;
          of.creation.point_registered(lsn(of.durable));
        });
      break;
    case step::flush_ancestor:
      add([](world& of) {
        of.durable = of.head;
        of.creation.ancestor_flushed(lsn(of.durable));
      });
      break;
    case step::store_record:
      add([](world& of) {
        of.record = true;
        of.creation.record_stored();
      });
      break;
    case step::open_timeline: add([](world& of) { of.creation.timeline_opened(); }); break;
    case step::created:
    case step::failed: break;
  }
  return made;
}

std::vector<world> all_worlds() {
  std::vector<world> all;
  for (std::uint64_t wanted = 0; wanted <= world::end; ++wanted)
    for (world& each : explore(world{.wanted = wanted}, next)) all.push_back(std::move(each));
  return all;
}

/// The child can be read at its point, now and for ever.
bool readable(const world& of) {
  const std::uint64_t at = of.creation.at().value;
  return of.point == at && of.cutoff <= at && of.durable >= at;
}

branch_request wish(std::string name, std::optional<core::timeline_id> id, std::optional<lsn> at = {}) {
  return {.ancestor = parent, .at = at, .name = std::move(name), .id = id};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_branch_creation)

BOOST_AUTO_TEST_CASE(whatever_happens_a_stored_branch_can_be_read_at_its_point) {
  std::map<step, int> reached;
  const auto worlds = all_worlds();
  for (const world& each : worlds) {
    ++reached[each.creation.now()];
    BOOST_TEST(each.creation.broken_invariant() == "");
    BOOST_TEST(each.creation.stored() == each.record);
    if (each.record) BOOST_TEST(readable(each));
    if (each.creation.now() == step::created) BOOST_TEST(each.record);
    // A creation that failed leaves a branch or nothing.
    if (each.creation.now() == step::failed) BOOST_TEST((each.record || each.point == 0));
  }
  BOOST_TEST(reached.size() == 7u);
  BOOST_TEST_MESSAGE(worlds.size() << " worlds");
}

BOOST_AUTO_TEST_CASE(a_crash_after_any_step_leaves_the_branch_or_no_trace_and_the_same_request_ends_it) {
  for (world each : all_worlds()) {
    const auto request = wish("dev", first, each.wanted == 0 ? std::nullopt : std::optional(lsn(each.wanted)));
    each.crash();
    std::vector<known_branch> found{{.id = parent, .name = "main", .ancestor = {}, .ancestor_lsn = {}}};
    if (each.record)
      found.push_back({.id = first, .name = "dev", .ancestor = parent, .ancestor_lsn = each.creation.at()});
    const auto checked = check_creation(request, found);
    BOOST_TEST_REQUIRE(checked.has_value());
    BOOST_TEST((*checked == (each.record ? creation_check::repeated : creation_check::create)));
    if (each.record) BOOST_TEST(readable(each));
    if (!each.record) BOOST_TEST(each.point == 0u);
  }
}

BOOST_AUTO_TEST_CASE(the_ancestor_is_flushed_only_when_it_is_not_durable_up_to_the_point) {
  branch_creation durable;
  durable.point_found(lsn(5));
  durable.point_registered(lsn(5));
  BOOST_TEST((durable.now() == step::store_record));
  branch_creation behind;
  behind.point_found(lsn(5));
  behind.point_registered(lsn(4));
  BOOST_TEST((behind.now() == step::flush_ancestor));
  // A flush that does not get there must not be taken for one that did.
  behind.ancestor_flushed(lsn(4));
  BOOST_TEST((behind.now() == step::failed));
  BOOST_TEST(behind.leaves_point());
}

BOOST_AUTO_TEST_CASE(every_request_against_every_branch_is_created_repeated_or_refused) {
  using phase = known_branch::phase;
  const std::optional<core::timeline_id> ids[] = {std::nullopt, first, second};
  const std::optional<lsn> points[] = {std::nullopt, lsn(1), lsn(2)};
  int created = 0, repeated = 0, busy = 0, conflicts = 0;
  for (const char* name : {"dev", "test"})
    for (const auto& id : ids)
      for (const auto& ancestor : {parent, stranger})
        for (const auto& at : points)
          for (const phase in : {phase::creating, phase::present, phase::deleting}) {
            const known_branch dev{.id = first,
                                   .name = "dev",
                                   .in = in,
                                   .ancestor = parent,
                                   .ancestor_lsn = lsn(in == phase::creating ? 0 : 1)};
            const branch_request request{.ancestor = ancestor, .at = at, .name = name, .id = id};
            const bool same_name = request.name == dev.name;
            const bool same_id = id == dev.id;
            const auto checked = check_creation(request, std::span(&dev, 1));
            if (checked && *checked == creation_check::create) {
              ++created;
              BOOST_TEST((!same_name && !same_id));
            } else if (checked) {
              ++repeated;
              BOOST_TEST((same_name && same_id && in == phase::present && ancestor == parent &&
                          at.value_or(lsn(1)) == lsn(1)));
            } else if (checked.error().code == core::errc::busy) {
              ++busy;
              BOOST_TEST((same_name && id && in == phase::creating));
            } else {
              ++conflicts;
              BOOST_TEST((checked.error().code == core::errc::conflict));
              BOOST_TEST((same_name || same_id));
              BOOST_TEST(checked.error().detail.find("dev") != std::string::npos);
            }
          }
  BOOST_TEST(created == 36);
  BOOST_TEST(repeated == 2);
  BOOST_TEST(busy == 12);
  BOOST_TEST(created + repeated + busy + conflicts == 108);
}

BOOST_AUTO_TEST_CASE(a_name_that_no_branch_may_have_is_refused_first) {
  const auto refused = check_creation(wish("bad name", first), {});
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error().code == core::errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_branch_that_is_being_reset_gets_no_child) {
  const std::array branches{known_branch{.id = parent, .name = "main", .in = known_branch::phase::replacing}};
  const auto child = check_creation({.ancestor = parent, .at = {}, .name = "dev", .id = first}, branches);
  BOOST_TEST_REQUIRE(!child);
  BOOST_TEST((child.error().code == core::errc::busy));
}

BOOST_AUTO_TEST_CASE(a_branch_has_the_cluster_of_its_ancestor_and_a_history_of_its_own) {
  const storage::timeline_record ancestor{.tenant = core::make_id<core::tenant_id>(),
                                          .id = parent,
                                          .name = "main",
                                          .state = storage::timeline_state::importing,
                                          .ancestor = stranger,
                                          .ancestor_lsn = lsn(7),
                                          .major = pg::major_version::v15,
                                          .system_id = 42,
                                          .wal_segment_size = 1u << 20,
                                          .data_checksums = true,
                                          .wal_log_hints = true,
                                          .disk_consistent_lsn = lsn(90),
                                          .previous_record_lsn = lsn(80),
                                          .readable_from = lsn(10),
                                          .gc_cutoff = lsn(20),
                                          .created = core::wall_time(std::chrono::seconds(1)),
                                          .source = storage::source_record{.conninfo = "host=a", .slot = "s"},
                                          .safekeepers = consensus::configuration{.generation = 3, .members = {}},
                                          .wal_keepers = {{.id = {1}, .instance = {}, .created = true}},
                                          .custom_managers = {{130, lsn(30)}, {131, lsn(50)}, {132, lsn(51)}},
                                          .deletion_protected = true,
                                          .expires = core::wall_time(std::chrono::seconds(2)),
                                          .logical_wal = true};
  const auto made = placement::branch_record(ancestor, {.id = first,
                                                        .name = "dev",
                                                        .at = lsn(50),
                                                        .previous_record = lsn(45),
                                                        .created = core::wall_time(std::chrono::seconds(9))});
  BOOST_TEST((made.tenant == ancestor.tenant && made.id == first));
  BOOST_TEST(made.name == "dev");
  BOOST_TEST((made.state == storage::timeline_state::active));
  BOOST_TEST((made.ancestor == parent && made.ancestor_lsn == lsn(50)));
  BOOST_TEST((made.major == ancestor.major && made.system_id == 42u && made.wal_segment_size == 1u << 20));
  BOOST_TEST((made.data_checksums && made.wal_log_hints));
  BOOST_TEST((made.disk_consistent_lsn == lsn(50) && made.previous_record_lsn == lsn(45)));
  BOOST_TEST((made.readable_from == lsn(50) && made.gc_cutoff == lsn()));
  BOOST_TEST((made.created == core::wall_time(std::chrono::seconds(9))));
  BOOST_TEST((!made.source && !made.safekeepers && made.wal_keepers.empty()));
  BOOST_TEST((!made.deletion_protected && !made.expires));
  BOOST_TEST(made.logical_wal);
  BOOST_TEST(!placement::branch_record(ancestor, {.id = first, .name = "dev", .at = lsn(50), .logical_wal = false})
                  .logical_wal);
  BOOST_TEST_REQUIRE(made.custom_managers.size() == 2u);
  BOOST_TEST((made.custom_managers[1] == storage::custom_manager{131, lsn(50)}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
