#include "storage/metadata/metadata_rebuild.hpp"

#include <algorithm>

#include "storage/key_space.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/metadata/metadata_copy.hpp"
#include "tests/storage/metadata/metadata_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

namespace fs = std::filesystem;

struct fixture : tests::metadata_fixture {
  fixture() {
    const auto store = open();
    fill(*store, bank, "bank");
    fill(*store, shop, "shop");
    make_layer(*store);
    of_bank = content(*store, bank.id);
    of_shop = without_commits(*store, shop.id);
  }
  /// Of the shop's dev, a layer with a file.
  void make_layer(metadata_store& store) {
    const std::string to = copy_files(copies.string()).timeline_directory(shop.id, shop.dev);
    const auto writer = layer_writer::create({.directory = to, .tenant = shop.id, .timeline = shop.dev, .number = 7});
    BOOST_TEST_REQUIRE(writer);
    const core::page_key key = relation_page_key({1663, 5, 16384, pg::fork::main}, 1);
    BOOST_TEST_REQUIRE((*writer)->add(key, core::lsn(50), core::bytes{1, 2, 3}));
    const auto layer = (*writer)->finish({.number = 7,
                                          .kind = layer_kind::delta,
                                          .level = 0,
                                          .keys = {core::page_key::min(), core::page_key::max()},
                                          .begin = core::lsn(10),
                                          .end = core::lsn(101)});
    BOOST_TEST_REQUIRE(layer);
    layer_path = to + "/" + layer_file_name(*layer);
    BOOST_TEST_REQUIRE(store.apply(shop.id, shop.dev, {.add = {*layer}}));
  }
  static std::string without_commits(metadata_store& store, const core::tenant_id& tenant) {
    return content(store, tenant, false);
  }
  rebuild_report rebuild(bool force = false) const {
    auto done = rebuild_metadata(home.string(), copies.string(), force);
    BOOST_TEST_REQUIRE(done.has_value(), (done ? "" : done.error().detail));
    return *std::move(done);
  }
  static const rebuilt_timeline* find(const rebuild_report& in, const core::timeline_id& id) {
    const auto at =
        std::find_if(in.timelines.begin(), in.timelines.end(), [&](const auto& each) { return each.id == id; });
    return at == in.timelines.end() ? nullptr : &*at;
  }
  void check_serves(const std::string& bank_is, const std::string& shop_is) const {
    const auto store = open();
    BOOST_TEST(store->damaged().empty());
    for (const auto& [id, is] : {std::pair(bank.id, bank_is), std::pair(shop.id, shop_is)}) {
      const bool taken_over = is.find('@') != std::string::npos;
      BOOST_TEST(content(*store, id, taken_over) == is);
      if (taken_over) continue;
      // Its history in time begins with the rebuild, at what is on disk.
      const auto timelines = store->timelines(id);
      for (const auto& each : timelines.value()) {
        std::vector<commit_time> known;
        BOOST_REQUIRE(store->visit_commit_times(id, each.id, core::lsn(), core::lsn::max(), [&](const auto& at) {
          known.push_back(at);
          return true;
        }));
        BOOST_REQUIRE(known.size() == (each.disk_consistent_lsn.valid() ? 1u : 0u));
        if (known.empty()) continue;
        BOOST_TEST((known[0].end == each.disk_consistent_lsn));
        BOOST_TEST((pg::wall_time_of(known[0].time) == each.created));
      }
    }
    flush(*store, shop, 3);
    flush(*store, bank, 3);
  }

  std::string of_bank;
  std::string of_shop;  ///< but for the commit times
  fs::path layer_path;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_metadata_rebuild, fixture)

BOOST_AUTO_TEST_CASE(metadata_that_is_whole_is_left_alone) {
  const std::string current = read(database() / "CURRENT");
  const auto refused = rebuild_metadata(home.string(), copies.string(), false);
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().code == core::errc::conflict);
  BOOST_TEST(read(database() / "CURRENT") == current);
  const auto nowhere = rebuild_metadata((directory / "x/metadata").string(), (directory / "x/tenants").string(), true);
  BOOST_TEST(nowhere.error().code == core::errc::not_found);
  const auto in_use = open();
  const auto busy = rebuild_metadata(home.string(), copies.string(), true);
  BOOST_TEST(busy.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(a_damaged_tenant_comes_from_its_copies_and_the_others_are_taken_over) {
  const fs::path log = database_file(".log");
  const std::string cut = read(log).substr(0, fs::file_size(log) - 1);
  write(log, cut);
  BOOST_TEST(is_damaged(*open(), shop.id));
  const rebuild_report report = rebuild();
  BOOST_TEST(report.complete() == false);  // the layers of main have no files in this test
  BOOST_TEST(report.lost.empty());
  BOOST_TEST((report.whole == std::vector<std::string>{"bank"}));
  BOOST_TEST_REQUIRE(report.timelines.size() == 2u);
  BOOST_TEST_REQUIRE(find(report, shop.main));
  BOOST_TEST(find(report, shop.main)->recovered_to == core::lsn(120));
  BOOST_TEST(find(report, shop.main)->damaged_layers.size() == 2u);
  BOOST_TEST(find(report, shop.dev)->layers == 1u);
  BOOST_TEST(find(report, shop.dev)->damaged_layers.empty());
  BOOST_TEST(fs::exists(fs::path(report.kept_in) / "CURRENT"));
  check_serves(of_bank, of_shop);
  // It can go on from there, and break again.
  fs::remove(seal_of(shop.id));
  BOOST_TEST(is_damaged(*open(), shop.id));
  BOOST_TEST(rebuild().lost.empty());
  BOOST_TEST(open()->damaged().empty());
}

BOOST_AUTO_TEST_CASE(without_any_of_the_metadata_all_comes_from_the_copies) {
  const std::string bank_is = without_commits(*open(), bank.id);
  const std::string shop_is = content(*open(), shop.id);
  for (const char* gone : {"metadata", "seals", "STRATA", "metadata/CURRENT", ""}) {
    fs::copy(home, directory / "home", fs::copy_options::recursive);
    fs::copy(copies, directory / "copies", fs::copy_options::recursive);
    fs::remove_all(*gone == '\0' ? home : home / gone);
    {
      const auto opened = try_open();
      BOOST_TEST((!opened || !(*opened)->damaged().empty()), gone);
    }
    const rebuild_report report = rebuild();
    BOOST_TEST(report.lost.empty(), gone);
    // Without STRATA the tenants are whole.
    if (std::string(gone) == "STRATA")
      check_serves(of_bank, shop_is);
    else
      check_serves(bank_is, of_shop);
    for (const auto& [from, to] : {std::pair(directory / "home", home), std::pair(directory / "copies", copies)}) {
      fs::remove_all(to);
      fs::rename(from, to);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_has_no_copy_is_named_and_not_made_up) {
  const copy_files files(copies.string());
  fs::remove(database() / "CURRENT");
  write(files.path_of(shop.id, shop.main), "no copy");
  fs::remove(files.path_of(bank.id, std::nullopt));
  const rebuild_report report = rebuild();
  BOOST_TEST(!report.complete());
  BOOST_TEST_REQUIRE(report.lost.size() == 2u);
  const std::string lost = report.lost[0] + report.lost[1];
  BOOST_TEST(lost.find(core::to_string(shop.main)) != std::string::npos, lost);
  BOOST_TEST(lost.find("bank") != std::string::npos, lost);
  BOOST_TEST_REQUIRE(report.timelines.size() == 1u);
  BOOST_TEST((report.timelines.front().id == shop.dev));
  const auto store = open();
  BOOST_TEST(store->damaged().empty());
  BOOST_TEST(store->tenants()->size() == 1u);
  BOOST_TEST(store->timelines(shop.id)->size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_layer_file_that_is_another_one_is_named) {
  fs::remove(database() / "CURRENT");
  std::string layer = read(layer_path);
  layer[layer.size() - 20] = static_cast<char>(layer[layer.size() - 20] ^ 1);
  write(layer_path, layer);
  const rebuild_report report = rebuild();
  BOOST_TEST_REQUIRE(find(report, shop.dev));
  BOOST_TEST((find(report, shop.dev)->damaged_layers == std::vector<std::string>{layer_path.string()}));
}

BOOST_AUTO_TEST_CASE(what_was_deleted_does_not_come_back) {
  {
    const auto store = open();
    for (const auto& [tenant, id] :
         {std::pair(shop.id, shop.main), std::pair(bank.id, bank.main), std::pair(bank.id, bank.dev)}) {
      fs::remove_all(copy_files(copies.string()).timeline_directory(tenant, id));
      BOOST_TEST_REQUIRE(store->delete_timeline(tenant, id));
    }
    BOOST_TEST_REQUIRE(store->delete_tenant(bank.id));
  }
  fs::remove(database() / "CURRENT");
  const rebuild_report report = rebuild();
  BOOST_TEST(report.lost.empty());
  BOOST_TEST_REQUIRE(report.timelines.size() == 1u);
  BOOST_TEST((report.timelines.front().id == shop.dev));
  BOOST_TEST(open()->tenants()->size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_branch_of_which_nothing_is_left_is_named) {
  const core::timeline_id child = core::make_id<core::timeline_id>();
  {
    const auto store = open();
    auto record = timeline(shop.id, child, "child");
    record.ancestor = shop.dev;
    BOOST_TEST_REQUIRE(store->put_timeline(record));
  }
  const copy_files files(copies.string());
  const std::string directory_of_dev = files.timeline_directory(shop.id, shop.dev);
  const auto check_named = [&](const std::string& why) {
    const rebuild_report report = rebuild(true);
    BOOST_TEST_REQUIRE(report.lost.size() == 1u);
    BOOST_TEST(report.lost[0].find(core::to_string(shop.dev)) != std::string::npos, report.lost[0]);
    BOOST_TEST(report.lost[0].find(why) != std::string::npos, report.lost[0]);
    BOOST_TEST(!report.complete());
  };
  // It never had a layer: an empty directory looks as if nothing was ever there.
  fs::remove_all(directory_of_dev);
  fs::create_directory(directory_of_dev);
  check_named("timeline.copy");
  fs::remove(directory_of_dev);
  check_named("is a branch of it");
  fs::remove_all(files.timeline_directory(shop.id, child));
  BOOST_TEST(rebuild(true).lost.size() == 1u);  // the old metadata has the child
}

BOOST_AUTO_TEST_CASE(a_rebuild_that_was_killed_is_done_again) {
  const fs::path log = database_file(".log");
  const std::string cut = read(log).substr(0, fs::file_size(log) - 1);
  write(log, cut);
  fs::copy(database(), home / "rebuilt", fs::copy_options::recursive);
  fs::create_directories(home / "rebuilt.tmp");
  BOOST_TEST(rebuild().lost.empty());
  BOOST_TEST(!fs::exists(home / "rebuilt"));
  check_serves(of_bank, of_shop);
}

BOOST_AUTO_TEST_SUITE_END()
