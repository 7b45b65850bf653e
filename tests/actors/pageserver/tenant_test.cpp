#include <malloc.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/actors/pageserver/pageserver_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using core::lsn;

struct with_history : pageserver_fixture {
  /// Block 0 is filled with 1 at 0x1000, 2 at 0x1100, ... 5 at 0x1400.
  with_history() {
    shop = add("shop");
    for (std::uint64_t i = 1; i <= 4; ++i) {
      auto written = write(0, lsn(0x1000 + 0x100 * i), static_cast<std::uint8_t>(1 + i));
      run();
      BOOST_REQUIRE(written.outcome().has_value());
    }
  }
  auto branch(const std::string& name, std::optional<lsn> at, std::optional<core::timeline_id> of = {}) {
    return get(manager, messages::create_branch{
                            .tenant = shop.tenant, .ancestor = of.value_or(shop.timeline), .at = at, .name = name});
  }
  messages::source_added shop;
};

std::filesystem::path some_layer(const std::string& directory) {
  for (const auto& file : std::filesystem::directory_iterator(directory))
    if (file.path().extension() == ".delta" || file.path().extension() == ".image") return file.path();
  throw std::runtime_error("no layer in " + directory);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_tenant, pageserver_fixture)

BOOST_AUTO_TEST_CASE(a_source_becomes_a_tenant_whose_main_branch_is_imported_and_then_serves) {
  const auto added = get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}).value();
  BOOST_TEST(source.receivers.back().slot == "strata_shop");
  BOOST_TEST((info(added.tenant, added.timeline).state == messages::timeline_state::importing));
  const auto early = get(manager, messages::open_timeline{added.tenant, added.timeline});
  BOOST_REQUIRE(!early);
  BOOST_TEST(early.error().code == core::errc::unavailable);
  finish_import(lsn(0x1000));
  const auto now = info(added.tenant, added.timeline);
  BOOST_TEST((now.state == messages::timeline_state::active));
  BOOST_TEST(now.name == "main");
  BOOST_TEST(now.last_record_lsn == lsn(0x1000));
  BOOST_TEST(read(*open(added, added.timeline).store, 0, lsn(0x1000)) == 1);
}

BOOST_FIXTURE_TEST_CASE(an_idle_branch_takes_little_memory, with_history) {
  const auto in_use = [] {
    const auto heap = ::mallinfo2();
    return heap.uordblks + heap.hblkhd;
  };
  constexpr std::size_t count = 200;
  BOOST_REQUIRE(branch("first", {}).has_value());
  const std::size_t before = in_use();
  for (std::size_t i = 0; i < count; ++i) BOOST_REQUIRE(branch("b" + std::to_string(i), {}).has_value());
  const std::size_t each = (in_use() - before) / count;
  BOOST_TEST_MESSAGE(each << " bytes each");
  BOOST_TEST(each < 64u << 10);
}

BOOST_AUTO_TEST_CASE(a_source_that_is_refused_leaves_nothing_behind) {
  source.refuses = core::error{core::errc::invalid_argument, "wal_level is minimal"};
  const auto refused = get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().detail.find("wal_level is minimal") != std::string::npos);
  BOOST_TEST(get(manager, messages::list_tenants{}).value().tenants.empty());
  source.refuses.reset();
  BOOST_TEST(get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}));
  const auto again = get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"});
  BOOST_TEST(again.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(an_import_that_breaks_off_starts_over) {
  const auto added = get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}).value();
  BOOST_REQUIRE(source.receivers.back().store->import_value(page(1), lsn(0x500), filled(9)).has_value());
  source.receivers.back().store.reset();
  caf::anon_send_exit(source.receiver_actors.back(), caf::exit_reason::kill);
  run();
  BOOST_TEST((info(added.tenant, added.timeline).state == messages::timeline_state::importing));
  BOOST_TEST(info(added.tenant, added.timeline).last_error != "");
  advance(2s);
  BOOST_REQUIRE(source.receivers.size() == 2u);
  finish_import(lsn(0x1000));
  BOOST_TEST((info(added.tenant, added.timeline).state == messages::timeline_state::active));
  BOOST_TEST(read(*open(added, added.timeline).store, 1, lsn(0x1000)) == -1);
}

BOOST_AUTO_TEST_CASE(a_failed_import_leaves_no_files_while_the_next_attempt_waits) {
  defaults.checkpoint_distance_bytes = pg::page_size;  // a file for each page
  restart_server();
  const auto added = get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}).value();
  const auto layers = [&] {
    const std::filesystem::directory_iterator files(timeline_directory(added.tenant, added.timeline));
    return std::count_if(begin(files), end(files), [](const auto& file) {
      return file.path().extension() == ".delta" || file.path().extension() == ".image";
    });
  };
  for (std::uint32_t block = 0; block < 3; ++block)
    BOOST_REQUIRE(source.receivers.back().store->import_value(page(block), lsn(0x500), filled(9)).has_value());
  BOOST_REQUIRE(layers() == 3);
  source.receivers.back().store.reset();
  caf::anon_send_exit(source.receiver_actors.back(), caf::exit_reason::kill);
  run();
  BOOST_TEST(source.receivers.size() == 1u);
  BOOST_TEST(layers() == 0);
  advance(2s);
  BOOST_REQUIRE(source.receivers.size() == 2u);
  finish_import(lsn(0x1000));
  BOOST_TEST(read(*open(added, added.timeline).store, 1, lsn(0x1000)) == -1);
}

BOOST_AUTO_TEST_CASE(an_import_that_is_deleted_before_its_next_attempt_leaves_no_files) {
  const auto added = get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}).value();
  BOOST_REQUIRE(source.receivers.back().store->import_value(page(1), lsn(0x500), filled(9)).has_value());
  source.receivers.back().store.reset();
  caf::anon_send_exit(source.receiver_actors.back(), caf::exit_reason::kill);
  run();
  BOOST_TEST(get(manager, messages::delete_timeline{added.tenant, added.timeline}).has_value());
  advance(100s);
  BOOST_TEST(source.receivers.size() == 1u);
  BOOST_TEST(!std::filesystem::exists(timeline_directory(added.tenant, added.timeline)));
  BOOST_TEST(get(manager, messages::list_timelines{added.tenant}).value().timelines.empty());
}

BOOST_AUTO_TEST_CASE(an_import_cut_off_by_a_restart_starts_over) {
  const auto added = get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}).value();
  BOOST_REQUIRE(source.receivers.back().store->import_value(page(1), lsn(0x500), filled(9)).has_value());
  restart_server();
  BOOST_TEST((info(added.tenant, added.timeline).state == messages::timeline_state::importing));
  finish_import(lsn(0x1000));
  BOOST_TEST(read(*open(added, added.timeline).store, 0, lsn(0x1000)) == 1);
  BOOST_TEST(read(*open(added, added.timeline).store, 1, lsn(0x1000)) == -1);
}

BOOST_FIXTURE_TEST_CASE(a_branch_reads_like_its_ancestor_at_its_point_and_survives_a_restart, with_history) {
  const auto made = branch("test", lsn(0x1200)).value();
  BOOST_TEST((made.state == messages::timeline_state::active));
  BOOST_TEST(made.ancestor_lsn == lsn(0x1200));
  BOOST_TEST(made.last_record_lsn == lsn(0x1200));
  BOOST_TEST(read(*open(shop, made.id).store, 0, lsn(0x1200)) == 3);
  restart_server();
  const auto timeline = open(shop, made.id);
  BOOST_TEST(read(*timeline.store, 0, lsn(0x1200)) == 3);
  BOOST_TEST(!timeline.store->check_readable(lsn(0x1100)).has_value());
  BOOST_TEST(get(manager, messages::list_timelines{shop.tenant}).value().timelines.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_branch_at_the_head_and_a_branch_of_a_branch, with_history) {
  const auto head = branch("head", std::nullopt).value();
  BOOST_TEST(head.ancestor_lsn == lsn(0x1400));
  const auto deeper = branch("deeper", std::nullopt, head.id).value();
  BOOST_TEST(read(*open(shop, deeper.id).store, 0, lsn(0x1400)) == 5);
  // Nobody writes to a branch: waiting for more is refused at once.
  const auto never = get(open(shop, head.id).actor, messages::wait_lsn{lsn(0x1500), 60s});
  BOOST_REQUIRE(!never);
  BOOST_TEST(never.error().code == core::errc::out_of_range);
}

BOOST_FIXTURE_TEST_CASE(a_branch_knows_the_extensions_whose_records_it_holds, with_history) {
  const auto ids = [&](const core::timeline_id& of) {
    std::string text;
    for (const auto& seen : info(shop.tenant, of).custom_managers)
      text += std::to_string(seen.id) + " " + core::to_string(seen.since) + " ";
    return text;
  };
  BOOST_TEST(ids(shop.timeline) == "");
  auto main = open(shop, shop.timeline).store;
  BOOST_REQUIRE(main->update({.custom_manager_seen = storage::custom_manager{200, lsn(0x1200)}}).has_value());
  BOOST_REQUIRE(main->update({.custom_manager_seen = storage::custom_manager{130, lsn(0x1300)}}).has_value());
  const auto before = branch("before", lsn(0x1100)).value();
  const auto between = branch("between", lsn(0x1200)).value();
  const auto after = branch("after", lsn(0x1400)).value();
  const auto deeper = branch("deeper", std::nullopt, between.id).value();
  main = {};  // a server's storage outlives all who read from it
  for (const bool restarted : {false, true}) {
    if (restarted) restart_server();
    BOOST_TEST(ids(shop.timeline) == "130 0/1300 200 0/1200 ");
    BOOST_TEST(ids(before.id) == "");
    BOOST_TEST(ids(between.id) == "200 0/1200 ");
    BOOST_TEST(ids(after.id) == "130 0/1300 200 0/1200 ");
    BOOST_TEST(ids(deeper.id) == "200 0/1200 ");
  }
}

BOOST_FIXTURE_TEST_CASE(the_same_branch_twice_is_the_same_branch_and_another_is_a_conflict, with_history) {
  messages::create_branch request{.tenant = shop.tenant,
                                  .ancestor = shop.timeline,
                                  .at = lsn(0x1200),
                                  .name = "test",
                                  .id = core::make_id<core::timeline_id>()};
  BOOST_TEST((get(manager, request).value().id == request.id));
  BOOST_TEST((get(manager, request).value().id == request.id));
  request.at = lsn(0x1300);
  // Without an id nothing tells a request that comes again from one for a new branch.
  for (const auto& other : {get(manager, request), branch("test", lsn(0x1200)), branch("test", lsn(0x1300))}) {
    BOOST_REQUIRE(!other);
    BOOST_TEST(other.error().code == core::errc::conflict);
  }
  BOOST_TEST(!branch("bad name", std::nullopt).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_branch_point_that_has_not_arrived_is_waited_for, with_history) {
  auto early = ask(manager, messages::create_branch{
                                .tenant = shop.tenant, .ancestor = shop.timeline, .at = lsn(0x1500), .name = "soon"});
  run();
  BOOST_TEST(!early.answered());
  auto written = write(0, lsn(0x1500), 6);
  run();
  BOOST_REQUIRE(early.answered());
  BOOST_TEST(read(*open(shop, early.outcome().value().id).store, 0, lsn(0x1500)) == 6);
}

BOOST_FIXTURE_TEST_CASE(a_branch_that_is_being_created_has_its_name_and_its_id_and_keeps_its_ancestor, with_history) {
  const messages::create_branch soon{.tenant = shop.tenant,
                                     .ancestor = shop.timeline,
                                     .at = lsn(0x1500),
                                     .name = "soon",
                                     .id = core::make_id<core::timeline_id>()};
  auto early = ask(manager, soon);
  run();
  BOOST_TEST(!early.answered());
  auto same_id = soon;
  same_id.name = "other";
  BOOST_TEST((get(manager, same_id).error().code == core::errc::conflict));
  BOOST_TEST((get(manager, soon).error().code == core::errc::busy));
  BOOST_TEST((branch("soon", lsn(0x1200)).error().code == core::errc::conflict));
  const auto refused = get(manager, messages::delete_timeline{shop.tenant, shop.timeline}).error();
  BOOST_TEST((refused.code == core::errc::conflict));
  BOOST_TEST(refused.detail.find("soon") != std::string::npos, refused.detail);
  auto written = write(0, lsn(0x1500), 6);
  run();
  BOOST_TEST((early.outcome().value().id == soon.id));
  BOOST_TEST((get(manager, soon).value().id == soon.id));
}

BOOST_FIXTURE_TEST_CASE(a_creation_that_fails_leaves_nothing, with_history) {
  auto early = ask(manager, messages::create_branch{
                                .tenant = shop.tenant, .ancestor = shop.timeline, .at = lsn(0x1500), .name = "soon"});
  run();
  advance(31s);
  BOOST_REQUIRE(early.answered());
  BOOST_TEST((early.outcome().error().code == core::errc::timeout));
  BOOST_TEST(get(manager, messages::list_timelines{shop.tenant}).value().timelines.size() == 1u);
  BOOST_TEST(branch("soon", lsn(0x1200)).has_value());
}

BOOST_FIXTURE_TEST_CASE(collection_keeps_what_a_branch_needs_and_nothing_else, with_history) {
  const auto made = branch("test", lsn(0x1200)).value();
  auto main = open(shop, shop.timeline);
  auto written = write(0, lsn(0x1500), 6);
  run();
  BOOST_REQUIRE(get(main.actor, messages::checkpoint_timeline{}).has_value());
  BOOST_REQUIRE(get(main.actor, messages::compact_timeline{}).has_value());
  const auto collected = get(main.actor, messages::collect_garbage{0}).value();
  BOOST_TEST(collected.cutoff == lsn(0x1500));
  BOOST_TEST(read(*open(shop, made.id).store, 0, lsn(0x1200)) == 3);
  BOOST_TEST(read(*main.store, 0, lsn(0x1500)) == 6);
  const auto late = branch("late", lsn(0x1300));
  BOOST_REQUIRE(!late);
  BOOST_TEST(late.error().code == core::errc::out_of_range);
  main = {};  // a server's storage outlives all who read from it
  restart_server();
  const auto again = open(shop, shop.timeline);
  BOOST_REQUIRE(get(again.actor, messages::collect_garbage{0}).has_value());
  BOOST_TEST(read(*open(shop, made.id).store, 0, lsn(0x1200)) == 3);
}

BOOST_FIXTURE_TEST_CASE(a_timeline_with_branches_is_not_deleted_and_without_it_goes_with_its_files, with_history) {
  const auto made = branch("test", lsn(0x1200)).value();
  const auto refused = get(manager, messages::delete_timeline{shop.tenant, shop.timeline});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::conflict);
  BOOST_TEST(refused.error().detail.find("test") != std::string::npos);
  const auto branch_files = timeline_directory(shop.tenant, made.id);
  BOOST_TEST(std::filesystem::exists(branch_files));
  BOOST_TEST(get(manager, messages::delete_timeline{shop.tenant, made.id}));
  BOOST_TEST(!std::filesystem::exists(branch_files));
  const auto gone = get(manager, messages::get_timeline{shop.tenant, made.id});
  BOOST_TEST(gone.error().code == core::errc::not_found);
  BOOST_TEST(source.dropped_slots.empty());
  BOOST_TEST(get(manager, messages::delete_timeline{shop.tenant, shop.timeline}));
  BOOST_TEST(source.dropped_slots.size() == 1u);
  restart_server();
  BOOST_TEST(get(manager, messages::list_timelines{shop.tenant}).value().timelines.empty());
}

BOOST_FIXTURE_TEST_CASE(a_damaged_layer_is_told_and_the_timeline_serves_what_does_not_need_it, with_history) {
  const auto made = branch("test", lsn(0x1200)).value();
  const auto other = add("other");
  const auto layer = some_layer(timeline_directory(shop.tenant, shop.timeline));
  stop_server();
  std::filesystem::resize_file(layer, 10);
  start_server();
  const auto found = info(shop.tenant, shop.timeline);
  BOOST_TEST((found.state == messages::timeline_state::active));
  BOOST_TEST(found.last_error.find(std::filesystem::path(layer).filename().string()) != std::string::npos,
             found.last_error);
  BOOST_TEST((info(shop.tenant, made.id).state == messages::timeline_state::active));
  BOOST_TEST(read(*open(other, other.timeline).store, 0, lsn(0x1000)) == 1);
}

BOOST_FIXTURE_TEST_CASE(a_tenant_with_damaged_metadata_is_broken_and_the_others_serve, with_history) {
  const auto other = add("other");
  stop_server();
  const auto seal = directory / "metadata/seals" / core::to_string(shop.tenant);
  std::filesystem::resize_file(seal, 0);
  start_server();
  const auto tenants = get(manager, messages::list_tenants{}).value().tenants;
  BOOST_TEST_REQUIRE(tenants.size() == 2u);
  BOOST_TEST(tenants[0].name == "other");
  BOOST_TEST((tenants[0].state == messages::tenant_state::active));
  BOOST_TEST(tenants[1].name == "shop");
  BOOST_TEST((tenants[1].state == messages::tenant_state::broken));
  BOOST_TEST(tenants[1].reason.starts_with("the metadata of the tenant is damaged"), tenants[1].reason);
  BOOST_TEST(tenants[1].reason.find(seal.string()) != std::string::npos, tenants[1].reason);
  for (const auto& refused : {get(manager, messages::list_timelines{shop.tenant}).error(),
                              get(manager, messages::open_timeline{shop.tenant, shop.timeline}).error(),
                              get(manager, messages::delete_tenant{shop.tenant}).error()})
    BOOST_TEST(refused.detail.find("tenant shop is broken") != std::string::npos, refused.detail);
  // Its name stays taken, and its files stay.
  BOOST_TEST(!get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}).has_value());
  BOOST_TEST(std::filesystem::exists(some_layer(timeline_directory(shop.tenant, shop.timeline))));
  BOOST_TEST(read(*open(other, other.timeline).store, 0, lsn(0x1000)) == 1);
}

BOOST_FIXTURE_TEST_CASE(options_are_durable, with_history) {
  auto options = get(manager, messages::get_tenant_options{shop.tenant}).value().options;
  BOOST_TEST((options.pitr_interval == defaults.pitr_interval));
  options.pitr_interval = std::chrono::hours(1);
  BOOST_TEST(get(manager, messages::set_tenant_options{shop.tenant, options}));
  restart_server();
  options = get(manager, messages::get_tenant_options{shop.tenant}).value().options;
  BOOST_TEST((options.pitr_interval == std::chrono::hours(1)));
  BOOST_TEST(options.gc_horizon_bytes == defaults.gc_horizon_bytes);
}

BOOST_FIXTURE_TEST_CASE(a_deleted_tenant_is_gone_with_its_slot_and_its_files, with_history) {
  BOOST_REQUIRE(branch("test", lsn(0x1200)).has_value());
  BOOST_TEST(get(manager, messages::delete_tenant{shop.tenant}));
  BOOST_TEST(source.dropped_slots.size() == 1u);
  BOOST_TEST(get(manager, messages::list_tenants{}).value().tenants.empty());
  BOOST_TEST(!std::filesystem::exists(timeline_directory(shop.tenant, shop.timeline)));
  restart_server();
  BOOST_TEST(get(manager, messages::list_tenants{}).value().tenants.empty());
  BOOST_TEST(get(manager, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}));
}

BOOST_FIXTURE_TEST_CASE(a_slot_that_cannot_be_dropped_is_named_to_who_removes_its_source, with_history) {
  source.refuses = core::error{core::errc::unavailable, "nothing answers there"};
  const auto deleted = get(manager, messages::delete_tenant{shop.tenant});
  BOOST_REQUIRE(deleted.has_value());
  BOOST_REQUIRE(deleted->slots.size() == 1u);
  BOOST_TEST(deleted->slots[0].slot == "strata_shop");
  BOOST_TEST(deleted->slots[0].source == "host=nowhere");
  BOOST_TEST(deleted->slots[0].why == "nothing answers there");
  BOOST_TEST(get(manager, messages::list_tenants{}).value().tenants.empty());
}

BOOST_FIXTURE_TEST_CASE(a_slot_that_could_not_be_dropped_is_dropped_when_its_server_is_back, with_history) {
  source.refuses = core::error{core::errc::unavailable, "nothing answers there"};
  BOOST_TEST(get(manager, messages::delete_tenant{shop.tenant})->slots.at(0).remembered);
  advance(100s);
  restart_server();
  advance(100s);
  BOOST_TEST(source.dropped_slots.empty());
  source.refuses.reset();
  advance(100s);
  BOOST_TEST(source.dropped_slots.size() == 1u);
  BOOST_TEST(source.dropped_slots.at(0) == "strata_shop");
  restart_server();
  advance(100s);
  BOOST_TEST(source.dropped_slots.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_source_that_takes_over_a_leftover_slots_name_keeps_it, with_history) {
  source.refuses = core::error{core::errc::unavailable, "nothing answers there"};
  BOOST_TEST(get(manager, messages::delete_tenant{shop.tenant})->slots.at(0).remembered);
  source.refuses.reset();
  add("shop");
  advance(100s);
  BOOST_TEST(source.dropped_slots.empty());
}

BOOST_AUTO_TEST_CASE(a_slot_that_the_user_named_stays_once_the_source_was_imported) {
  const auto add_named = [&](const std::string& name) {
    return get(manager, messages::add_source{.name = name, .conninfo = "host=nowhere", .slot = "mine"}).value();
  };
  const auto kept = add_named("kept");
  finish_import(lsn(0x1000));
  restart_server();
  const auto deleted = get(manager, messages::delete_tenant{kept.tenant}).value();
  BOOST_TEST(source.dropped_slots.empty());
  BOOST_REQUIRE(deleted.slots.size() == 1u);
  BOOST_TEST(deleted.slots[0].slot == "mine");
  BOOST_TEST(deleted.slots[0].why == "");
  // We made it for an import that came to nothing.
  BOOST_TEST(get(manager, messages::delete_tenant{add_named("failed").tenant}).value().slots.empty());
  BOOST_TEST(source.dropped_slots.size() == 1u);
  // It was there before.
  source.slot_existed = true;
  BOOST_TEST(get(manager, messages::delete_tenant{add_named("theirs").tenant}).value().slots.size() == 1u);
  BOOST_TEST(source.dropped_slots.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_refused_source_is_resumed_by_a_person_alone, with_history) {
  BOOST_REQUIRE(source.receivers.back().store->update(
      {.refuse_source = storage::source_refusal{"another server", lsn(0x1400), {}}}));
  restart_server();
  BOOST_TEST(source.receivers.back().store->record().source->refusal->why == "another server");
  BOOST_REQUIRE(get(manager, messages::resume_source{shop.tenant, shop.timeline}));
  BOOST_TEST(source.resumed == 1);
  BOOST_TEST(!source.receivers.back().store->record().source->refusal.has_value());
  BOOST_REQUIRE(get(manager, messages::resume_source{shop.tenant, shop.timeline}));  // nothing to take back
  BOOST_TEST(source.resumed == 1);
  const auto made = branch("test", lsn(0x1200)).value();
  BOOST_TEST(
      (get(manager, messages::resume_source{shop.tenant, made.id}).error().code == core::errc::invalid_argument));
}

BOOST_FIXTURE_TEST_CASE(a_removal_cut_off_by_a_kill_is_completed_and_leaves_no_files, with_history) {
  const auto test = branch("test", lsn(0x1200)).value();
  add("other");
  stop_server();
  // As far as a removal comes before it removes anything: all that is to go is marked.
  metadata = storage::metadata_store::open((directory / "metadata").string(), (directory / "tenants").string()).value();
  for (const auto& id : {shop.timeline, test.id})
    BOOST_REQUIRE(metadata->apply(shop.tenant, id, {.state = storage::timeline_state::deleting}).has_value());
  metadata.reset();
  start_server();
  BOOST_TEST(get(manager, messages::list_timelines{shop.tenant}).value().timelines.empty());
  BOOST_TEST(!std::filesystem::exists(timeline_directory(shop.tenant, shop.timeline)));
  BOOST_TEST(!std::filesystem::exists(timeline_directory(shop.tenant, test.id)));
  BOOST_TEST(get(manager, messages::delete_tenant{shop.tenant}));
  BOOST_TEST(get(manager, messages::list_tenants{}).value().tenants.size() == 1u);
  BOOST_TEST(files->unknown_directories().value().empty());
}

BOOST_FIXTURE_TEST_CASE(a_directory_that_no_record_names_is_told_and_kept, with_history) {
  const std::string stranger = timeline_directory(shop.tenant, core::make_id<core::timeline_id>());
  const std::string of_nobody =
      timeline_directory(core::make_id<core::tenant_id>(), core::make_id<core::timeline_id>());
  for (const auto& path : {stranger, of_nobody}) std::filesystem::create_directories(path);
  auto unknown = files->unknown_directories().value();
  std::sort(unknown.begin(), unknown.end());
  BOOST_TEST(unknown == (std::vector<std::string>{std::min(stranger, of_nobody), std::max(stranger, of_nobody)}),
             boost::test_tools::per_element());
  restart_server();
  BOOST_TEST(std::filesystem::exists(stranger));
  BOOST_TEST(std::filesystem::exists(of_nobody));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
