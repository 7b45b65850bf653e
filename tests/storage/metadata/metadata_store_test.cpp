#include "storage/metadata/metadata_store.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "storage/metadata/metadata_codec.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

wal_trace some_trace() {
  return {.begin = core::lsn(0x100000),
          .middle = core::lsn(0x200000),
          .end = core::lsn(0x200008),
          .older = 1,
          .newer = 2,
          .source_timeline = 3};
}

struct fixture {
  tests::temp_dir directory;
  std::unique_ptr<metadata_store> store = open();
  core::tenant_id tenant = core::make_id<core::tenant_id>();
  core::timeline_id timeline = core::make_id<core::timeline_id>();

  std::unique_ptr<metadata_store> open() {
    auto opened = metadata_store::open(directory.path().string());
    BOOST_TEST_REQUIRE(opened.has_value(), (opened ? "" : opened.error().detail));
    return *std::move(opened);
  }
  void reopen() {
    store.reset();
    store = open();
  }
  timeline_record put_timeline() {
    timeline_record record;
    record.tenant = tenant;
    record.id = timeline;
    record.name = "main";
    record.state = timeline_state::importing;
    record.ancestor = core::make_id<core::timeline_id>();
    record.ancestor_lsn = core::lsn(1);
    record.major = pg::major_version::v17;
    record.system_id = 2;
    record.wal_segment_size = 3;
    record.data_checksums = true;
    record.disk_consistent_lsn = core::lsn(4);
    record.previous_record_lsn = core::lsn(5);
    record.readable_from = core::lsn(6);
    record.gc_cutoff = core::lsn(7);
    record.created = core::wall_time(std::chrono::microseconds(8));
    record.source = source_record{
        "host=h",     "slot",
        true,         true,
        some_trace(), source_refusal{"not the same", core::lsn(12), core::wall_time(std::chrono::microseconds(13))}};
    record.custom_managers = {{128, core::lsn(9)}, {255, core::lsn(10)}};
    record.safekeepers = consensus::configuration{
        7, {{{1}, "h1", 5454}, {{2}, "h2", 5455}}, std::vector{consensus::member{{3}, "h3", 1}}};
    record.deletion_protected = true;
    record.expires = core::wall_time(std::chrono::microseconds(14));
    BOOST_TEST_REQUIRE(store->put_timeline(record));
    return record;
  }
  std::vector<std::uint64_t> commits(core::lsn begin, core::lsn end) {
    std::vector<std::uint64_t> ends;
    BOOST_TEST_REQUIRE(store
                           ->visit_commit_times(tenant, timeline, begin, end,
                                                [&](const commit_time& commit) {
                                                  BOOST_TEST_REQUIRE(commit.time ==
                                                                     -static_cast<pg::timestamp>(commit.end.value) *
                                                                         1000);
                                                  ends.push_back(commit.end.value);
                                                  return true;
                                                })
                           .has_value());
    return ends;
  }
};

layer_record some_layer(std::uint64_t number) {
  return {.number = number,
          .generation = core::generation(3),
          .residency = number % 2 == 0 ? layer_residency::remote : layer_residency::local,
          .kind = layer_kind::image,
          .level = 1,
          .keys = {{.block = 1}, {.block = 9}},
          .begin = core::lsn(10),
          .end = core::lsn(11),
          .size_bytes = 12};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_metadata_store, fixture)

BOOST_AUTO_TEST_CASE(records_survive_a_restart_in_all_their_fields) {
  const std::vector<expired_branch> expired{{"ci-1", core::wall_time(std::chrono::microseconds(1))},
                                            {"ci-2", core::wall_time(std::chrono::microseconds(2))}};
  BOOST_TEST_REQUIRE(store->put_tenant({tenant, "acme", core::generation(3), "{}", expired}));
  const timeline_record wanted = put_timeline();
  reopen();
  const auto tenants = store->tenants();
  BOOST_TEST_REQUIRE(tenants->size() == 1u);
  BOOST_TEST((tenants->front().id == tenant && tenants->front().name == "acme" &&
              tenants->front().generation == core::generation(3) && tenants->front().options == "{}" &&
              tenants->front().expired == expired));
  const auto timelines = store->timelines(tenant);
  BOOST_TEST_REQUIRE(timelines->size() == 1u);
  const timeline_record& found = timelines->front();
  BOOST_TEST((found.tenant == wanted.tenant && found.id == wanted.id && found.name == wanted.name &&
              found.state == wanted.state));
  BOOST_TEST(
      (found.ancestor == wanted.ancestor && found.ancestor_lsn == wanted.ancestor_lsn && found.major == wanted.major));
  BOOST_TEST((found.system_id == 2u && found.wal_segment_size == 3u && found.data_checksums && !found.wal_log_hints));
  BOOST_TEST((found.disk_consistent_lsn == core::lsn(4) && found.previous_record_lsn == core::lsn(5)));
  BOOST_TEST(
      (found.readable_from == core::lsn(6) && found.gc_cutoff == core::lsn(7) && found.created == wanted.created));
  BOOST_TEST((found.source && found.source->conninfo == "host=h" && found.source->slot == "slot"));
  BOOST_TEST((found.source->slot_named && found.source->slot_existed && found.source->received == some_trace()));
  BOOST_TEST((found.source->refusal == wanted.source->refusal));
  BOOST_TEST((found.custom_managers == wanted.custom_managers));
  BOOST_TEST((found.safekeepers == wanted.safekeepers));
  BOOST_TEST((found.deletion_protected && found.expires == wanted.expires));
  BOOST_TEST(store->timelines(core::make_id<core::tenant_id>())->empty());
}

BOOST_AUTO_TEST_CASE(a_timeline_and_its_successor_change_in_one_step) {
  timeline_record successor = put_timeline();
  successor.id = core::make_id<core::timeline_id>();
  successor.expires.reset();
  timeline_edit edit{.name = "before", .deletion_protected = false};
  edit.expires.emplace();
  // Of a timeline that is not there nothing is stored.
  BOOST_TEST(!store->replace_timeline(tenant, core::make_id<core::timeline_id>(), edit, successor));
  BOOST_TEST(store->timelines(tenant)->size() == 1u);
  BOOST_TEST_REQUIRE(store->replace_timeline(tenant, timeline, edit, successor));
  reopen();
  const auto old = store->timeline(tenant, timeline);
  BOOST_TEST_REQUIRE(old);
  BOOST_TEST((old->name == "before" && !old->deletion_protected && !old->expires));
  const auto found = store->timeline(tenant, successor.id);
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST((found->name == "main" && found->deletion_protected && !found->expires));
}

BOOST_AUTO_TEST_CASE(a_promoted_source_stays_in_the_record_until_it_is_forgotten) {
  timeline_record record = put_timeline();
  record.ancestor.reset();
  record.ancestor_lsn = {};
  record.safekeepers.reset();
  BOOST_TEST_REQUIRE(store->put_timeline(record));
  BOOST_TEST(follows_source(record));
  timeline_edit promoted{.end_source = true};
  promoted.safekeepers = consensus::configuration{.generation = 1, .members = {{{1}, "h1", 5454}}};
  promoted.quorum_start = core::lsn(42);
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, promoted));
  reopen();
  auto found = store->timeline(tenant, timeline);
  BOOST_REQUIRE(found);
  BOOST_TEST((found->source && found->source->ended && !found->source->refusal && !follows_source(*found)));
  BOOST_TEST((found->quorum_start == core::lsn(42) && own_wal_begin(*found) == core::lsn(42)));
  BOOST_TEST((found->ancestor_lsn == core::lsn()));
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.forget_source = true}));
  reopen();
  found = store->timeline(tenant, timeline);
  BOOST_TEST((!found->source && found->quorum_start == core::lsn(42)));
}

BOOST_AUTO_TEST_CASE(custom_managers_that_can_not_be_are_damage) {
  const timeline_record good = put_timeline();
  const std::string key = metadata_codec::timeline_key(tenant, timeline);
  const auto decodes = [&](const timeline_record& of) {
    return metadata_codec::decode_timeline(key, metadata_codec::encode(of)).has_value();
  };
  BOOST_TEST(decodes(good));
  timeline_record changed = good;
  changed.custom_managers = {{127, core::lsn(9)}};
  BOOST_TEST(!decodes(changed));
  changed.custom_managers = {{130, core::lsn(9)}, {130, core::lsn(10)}};
  BOOST_TEST(!decodes(changed));
  core::bytes cut = metadata_codec::encode(good);
  cut.resize(cut.size() - 9);
  BOOST_TEST(!metadata_codec::decode_timeline(key, cut).has_value());
  // None at all is what records had before there were any.
  changed.custom_managers.clear();
  BOOST_TEST(metadata_codec::encode(changed).size() + 1 + 2 * 9 == metadata_codec::encode(good).size());
  BOOST_TEST(decodes(changed));
}

BOOST_AUTO_TEST_CASE(safekeepers_that_can_not_be_are_damage) {
  const timeline_record good = put_timeline();
  const std::string key = metadata_codec::timeline_key(tenant, timeline);
  const auto decodes = [&](const timeline_record& of) {
    return metadata_codec::decode_timeline(key, metadata_codec::encode(of)).has_value();
  };
  timeline_record changed = good;
  changed.safekeepers->new_members.reset();
  BOOST_TEST(decodes(changed));
  changed.safekeepers->generation = 0;
  BOOST_TEST(!decodes(changed));
  changed = good;
  changed.safekeepers->members[1].id = changed.safekeepers->members[0].id;
  BOOST_TEST(!decodes(changed));
  changed.safekeepers->members.clear();
  BOOST_TEST(!decodes(changed));
  const core::bytes whole = metadata_codec::encode(good);
  changed.safekeepers.reset();
  for (std::size_t size = metadata_codec::encode(changed).size(); size < whole.size(); ++size)
    BOOST_TEST(!metadata_codec::decode_timeline(key, core::bytes_view(whole).first(size)).has_value());
  // A record from before there were safekeepers.
  BOOST_TEST(decodes(changed));
}

BOOST_AUTO_TEST_CASE(an_edit_stores_who_keeps_the_wal) {
  timeline_record record = put_timeline();
  record.safekeepers->generation = 8;
  record.safekeepers->new_members.reset();
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.safekeepers = record.safekeepers}));
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.gc_cutoff = core::lsn(9)}));
  reopen();
  BOOST_TEST((store->timelines(tenant)->front().safekeepers == record.safekeepers));
}

const auto known = [](const timeline_record& of, std::uint64_t id) {
  for (const wal_keeper& each : of.wal_keepers)
    if (each.id.value == id) return each;
  return wal_keeper{};
};

BOOST_AUTO_TEST_CASE(members_of_the_first_generation_are_to_begin_and_who_joins_later_has_begun) {
  timeline_record record = put_timeline();
  record.safekeepers.reset();
  BOOST_TEST_REQUIRE(store->put_timeline(record));
  const auto store_members = [&](const consensus::configuration& members) {
    BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.safekeepers = members}));
  };
  const auto to_create = [&] {
    std::vector<std::uint64_t> ids;
    const auto operations = store->pending_operations().value();
    for (const auto& each : operations.to_create)
      for (const auto& keeper : keepers_to_create(each)) ids.push_back(keeper.id.value);
    return ids;
  };
  using ids = std::vector<std::uint64_t>;
  BOOST_TEST((to_create() == ids{}));
  store_members({1, {{{2}, "h", 2}, {{1}, "h", 1}, {{3}, "h", 3}}, {}});
  BOOST_TEST((to_create() == ids{1, 2, 3}));

  // The first instance counts, and created stays created, whatever is said behind it.
  const auto first = core::make_id<core::instance_id>();
  const auto seen = [&](std::uint64_t id, core::instance_id instance, bool created) {
    const timeline_edit edit{.wal_keeper_seen = wal_keeper{{id}, instance, created}};
    BOOST_TEST_REQUIRE(store->apply(tenant, timeline, edit));
  };
  seen(2, first, false);
  seen(2, core::make_id<core::instance_id>(), true);
  seen(2, {}, false);
  reopen();
  const auto kept = store->timeline(tenant, timeline).value();
  BOOST_TEST((known(kept, 2) == wal_keeper{{2}, first, true}));
  BOOST_TEST((to_create() == ids{1, 3}));

  // 4 takes the place of 1, which is not forgotten; 3 is still to begin.
  store_members({2, {{{1}, "h", 1}, {{2}, "h", 2}, {{3}, "h", 3}}, {{{{2}, "h", 2}, {{3}, "h", 3}, {{4}, "h", 4}}}});
  store_members({3, {{{2}, "h", 2}, {{3}, "h", 3}, {{4}, "h", 4}}, {}});
  BOOST_TEST((to_create() == ids{3}));
  BOOST_TEST(known(*store->timeline(tenant, timeline), 4).created);
  BOOST_TEST(!known(*store->timeline(tenant, timeline), 1).created);
  // And 1 comes back, by fetching the WAL.
  store_members({4, {{{1}, "h", 1}, {{3}, "h", 3}, {{4}, "h", 4}}, {}});
  BOOST_TEST(known(*store->timeline(tenant, timeline), 1).created);
  BOOST_TEST((to_create() == ids{3}));

  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.state = timeline_state::deleting}));
  BOOST_TEST((to_create() == ids{}));
}

BOOST_AUTO_TEST_CASE(in_a_record_that_does_not_tell_all_members_have_begun) {
  const timeline_record written = put_timeline();
  BOOST_TEST(written.wal_keepers.empty());
  const auto found = store->timeline(tenant, timeline).value();
  BOOST_TEST((found.wal_keepers == std::vector<wal_keeper>{{{1}, {}, true}, {{2}, {}, true}, {{3}, {}, true}}));
  timeline_record wrong = found;
  std::swap(wrong.wal_keepers[0], wrong.wal_keepers[1]);
  const std::string key = metadata_codec::timeline_key(tenant, timeline);
  BOOST_TEST(!metadata_codec::decode_timeline(key, metadata_codec::encode(wrong)).has_value());
  BOOST_TEST(store->timeline(tenant, core::make_id<core::timeline_id>()).error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_CASE(a_deleted_timeline_leaves_behind_from_whom_its_wal_has_to_go) {
  timeline_record record = put_timeline();
  const auto instance = core::make_id<core::instance_id>();
  // 7 is no member any more; nobody ever asked 8, so nothing can be there.
  record.wal_keepers = {{{1}, instance, true}, {{2}, instance, false}, {{7}, {}, true}, {{8}, {}, false}};
  BOOST_TEST_REQUIRE(store->put_timeline(record));
  BOOST_TEST_REQUIRE(store->delete_timeline(tenant, timeline));
  reopen();
  const auto left = [&] { return store->pending_operations()->to_delete; };
  BOOST_TEST((left() == std::vector<wal_deletion>{{tenant, timeline, {{1}, {2}, {7}}}}));
  BOOST_TEST(store->pending_operations()->to_create.empty());
  BOOST_TEST_REQUIRE(store->wal_deleted(tenant, timeline, {2}));
  BOOST_TEST_REQUIRE(store->wal_deleted(tenant, timeline, {2}));
  reopen();
  BOOST_TEST((left() == std::vector<wal_deletion>{{tenant, timeline, {{1}, {7}}}}));
  BOOST_TEST_REQUIRE(store->wal_deleted(tenant, timeline, {7}));
  BOOST_TEST_REQUIRE(store->wal_deleted(tenant, timeline, {1}));
  BOOST_TEST(left().empty());
  BOOST_TEST(store->wal_deleted(tenant, timeline, {1}));

  // One that never had safekeepers leaves nothing.
  record.wal_keepers.clear();
  record.safekeepers.reset();
  BOOST_TEST_REQUIRE(store->put_timeline(record));
  BOOST_TEST_REQUIRE(store->delete_timeline(tenant, timeline));
  BOOST_TEST(left().empty());
}

BOOST_AUTO_TEST_CASE(an_edit_changes_layers_and_positions_together) {
  put_timeline();
  timeline_edit edit{
      .add = {some_layer(3), some_layer(4)}, .disk_consistent_lsn = core::lsn(40), .state = timeline_state::active};
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, edit));
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.add = {some_layer(5)}, .remove = {3}}));
  reopen();
  const auto layers = store->layers(tenant, timeline);
  BOOST_TEST_REQUIRE(layers->size() == 2u);
  BOOST_TEST(((*layers)[0] == some_layer(4) && (*layers)[1] == some_layer(5)));
  const auto record = store->timelines(tenant)->front();
  BOOST_TEST((record.disk_consistent_lsn == core::lsn(40) && record.state == timeline_state::active &&
              record.gc_cutoff == core::lsn(7)));
}

BOOST_AUTO_TEST_CASE(layer_numbers_are_remembered_after_their_layers_are_gone) {
  put_timeline();
  BOOST_TEST(*store->last_layer_number(tenant, timeline) == 0u);
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.add = {some_layer(9)}}));
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.add = {some_layer(2)}, .remove = {9}}));
  reopen();
  BOOST_TEST(*store->last_layer_number(tenant, timeline) == 9u);
}

BOOST_AUTO_TEST_CASE(an_edit_of_a_deleted_timeline_is_refused) {
  put_timeline();
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.add = {some_layer(9)}, .commit_times = {{-8000, core::lsn(8)}}}));
  BOOST_TEST_REQUIRE(store->delete_timeline(tenant, timeline));
  BOOST_TEST(store->layers(tenant, timeline)->empty());
  BOOST_TEST(commits(core::lsn(0), core::lsn::max()).empty());
  const auto refused = store->apply(tenant, timeline, {.disk_consistent_lsn = core::lsn(1)});
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_CASE(commit_times_come_back_by_range_and_are_forgotten_up_to_a_limit) {
  put_timeline();
  timeline_edit edit;
  std::vector<std::uint64_t> all;
  for (std::uint64_t at = 8; at < 80000; at += 8) {
    edit.commit_times.push_back({-static_cast<pg::timestamp>(at) * 1000, core::lsn(at)});
    all.push_back(at);
  }
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, edit));
  BOOST_TEST((commits(core::lsn(0), core::lsn::max()) == all));
  BOOST_TEST((commits(core::lsn(40001), core::lsn(40017)) == std::vector<std::uint64_t>{40008, 40016}));
  BOOST_TEST((commits(core::lsn(40008), core::lsn(40016)) == std::vector<std::uint64_t>{40008}));
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.forget_commit_times_below = core::lsn(70001)}));
  const auto kept = commits(core::lsn(0), core::lsn::max());
  BOOST_TEST(kept.size() < all.size());
  BOOST_TEST(kept.front() <= 70000u);
  BOOST_TEST(kept.back() == all.back());
}

BOOST_AUTO_TEST_CASE(a_second_server_learns_who_has_the_directory) {
  const auto second = metadata_store::open(directory.path().string());
  BOOST_TEST_REQUIRE(!second.has_value());
  BOOST_TEST(second.error().code == core::errc::conflict);
  BOOST_TEST(second.error().detail.find(std::to_string(::getpid())) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_damaged_or_foreign_identity_file_is_refused) {
  store.reset();
  const std::string path = (directory / "STRATA").string();
  std::string right;
  {
    std::ifstream file(path, std::ios::binary);
    right.assign(std::istreambuf_iterator<char>(file), {});
  }
  BOOST_TEST_REQUIRE(right.size() == 20u);
  for (std::size_t i = 0; i <= right.size(); ++i) {
    std::string wrong = right;
    if (i < right.size()) wrong[i] = static_cast<char>(wrong[i] ^ 4);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << wrong;
    const auto opened = metadata_store::open(directory.path().string());
    if (i == right.size()) {
      BOOST_TEST(opened);
      continue;
    }
    BOOST_TEST_REQUIRE(!opened.has_value());
    BOOST_TEST(opened.error().code == core::errc::corrupt);
    BOOST_TEST(opened.error().detail.find(path) != std::string::npos);
  }
  std::filesystem::remove(path);
  const auto opened = metadata_store::open(directory.path().string());
  BOOST_TEST_REQUIRE(!opened.has_value());
  BOOST_TEST(opened.error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_refusal_stands_until_it_is_taken_back_and_a_trace_moves_with_the_wal) {
  put_timeline();
  timeline_edit edit{.resume_source = true};
  edit.received = some_trace();
  edit.received->end = core::lsn(0x200010);
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, edit));
  reopen();
  auto found = store->timeline(tenant, timeline);
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST((!found->source->refusal && found->source->received->end == core::lsn(0x200010)));
  const source_refusal refusal{"another", core::lsn(1), {}};
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.refuse_source = refusal}));
  BOOST_TEST_REQUIRE(store->apply(tenant, timeline, {.disk_consistent_lsn = core::lsn(5)}));
  reopen();
  found = store->timeline(tenant, timeline);
  BOOST_TEST((found->source->refusal == refusal && found->source->received->end == core::lsn(0x200010)));
}

BOOST_AUTO_TEST_CASE(a_slot_stays_when_the_user_made_it_or_named_it_for_what_was_imported) {
  timeline_record record;
  BOOST_TEST(!keeps_slot(record));
  for (const auto state : {timeline_state::importing, timeline_state::active, timeline_state::deleting}) {
    record.state = state;
    record.source = source_record{"host=h", "strata_shop"};
    BOOST_TEST(!keeps_slot(record));
    record.source->slot_named = true;
    BOOST_TEST(keeps_slot(record) == (state != timeline_state::importing));
    record.source->slot_existed = true;
    BOOST_TEST(keeps_slot(record));
  }
}

BOOST_AUTO_TEST_SUITE_END()
