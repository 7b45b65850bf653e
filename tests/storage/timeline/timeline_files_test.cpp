#include <sys/resource.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "storage/timeline/timeline_store.hpp"
#include "tests/storage/timeline/timeline_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;

BOOST_FIXTURE_TEST_SUITE(storage_timeline_timeline_files, tests::timeline_fixture)

BOOST_AUTO_TEST_CASE(layers_that_the_metadata_does_not_name_are_set_aside_and_temporary_files_removed) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  flush(*store);
  const auto layer = store->layers().front();
  const std::string home = directory_of(store->record().id);
  layer_record unnamed = layer;
  unnamed.number = 99;
  std::filesystem::copy(home + "/" + layer_file_name(layer), home + "/" + layer_file_name(unnamed));
  std::ofstream(home + "/12.tmp") << "half";
  BOOST_TEST(files() == 3u);
  reopen();
  BOOST_TEST(files() == 2u);
  BOOST_TEST(reads(1, 8008, 1));
  const std::string aside = home + "/set_aside/" + layer_file_name(unnamed);
  BOOST_TEST(std::filesystem::file_size(aside) == layer.size_bytes);
  // Another one of that name does not replace it.
  std::ofstream(home + "/" + layer_file_name(unnamed)) << "another";
  reopen();
  BOOST_TEST(std::filesystem::file_size(aside) == layer.size_bytes);
  BOOST_TEST(std::filesystem::file_size(aside + ".2") == 7u);
}

BOOST_AUTO_TEST_CASE(layers_of_an_unfinished_import_are_removed) {
  auto record = new_record(core::lsn());
  record.state = timeline_state::importing;
  expect(metadata->put_timeline(record));
  auto importing = open(record);
  expect(importing->import_value(page(1), core::lsn(8000), page_of(1)));
  expect(importing->update({.wal_log_hints = true}));
  const std::string home = directory_of(record.id);
  std::ofstream(home + "/0000000000000001__x.delta") << "layer of the import";
  importing.reset();
  importing = open(stored(record.id));
  BOOST_TEST(std::filesystem::is_empty(home));
}

BOOST_AUTO_TEST_CASE(a_damaged_layer_fails_the_reads_that_need_it_and_nothing_else) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  flush(*store);
  put(*store, page(2), core::lsn(8016), page_of(2));
  flush(*store);
  const auto layers = store->layers();
  BOOST_TEST_REQUIRE(layers.size() == 2u);
  const auto& newer = layers[0].begin < layers[1].begin ? layers[1] : layers[0];
  const std::string path = directory_of(store->record().id) + "/" + layer_file_name(newer);
  std::string whole;
  {
    std::ifstream file(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(file), {});
  }
  struct {
    const char* what;
    std::function<void()> damage;
  } const ways[] = {
      {"a byte of the footer",
       [&] {
         std::string wrong = whole;
         wrong[wrong.size() - 30] = static_cast<char>(wrong[wrong.size() - 30] ^ 1);
         std::ofstream(path, std::ios::binary | std::ios::trunc) << wrong;
       }},
      {"cut", [&] { std::filesystem::resize_file(path, 10); }},
      {"of another timeline", [&] { std::ofstream(path, std::ios::binary | std::ios::trunc) << "StLayer\n"; }},
      {"gone", [&] { std::filesystem::remove(path); }},
  };
  for (const auto& way : ways) {
    way.damage();
    reopen();
    expect(store->check_layers({}));
    BOOST_TEST_REQUIRE(store->damaged_layers().size() == 1u, way.what);
    BOOST_TEST(store->damaged_layers().front().find(layer_file_name(newer)) != std::string::npos, way.what);
    // Below the damaged layer everything is as right as before; above it nothing may be passed over.
    BOOST_TEST(reads(1, 8008, 1), way.what);
    BOOST_TEST((read_failure(1, 8016) == core::errc::corrupt), way.what);
    BOOST_TEST((read_failure(2, 8016) == core::errc::corrupt), way.what);
    put(*store, page(3), core::lsn(8024), page_of(3));
    BOOST_TEST(reads(3, 8024, 3), way.what);
    BOOST_TEST(!store->compact(true, nullptr).has_value(), way.what);
    BOOST_TEST(store->layers().size() == 2u, way.what);
  }
  std::ofstream(path, std::ios::binary | std::ios::trunc) << whole;
  reopen();
  expect(store->check_layers({}));
  BOOST_TEST(store->damaged_layers().empty());
  BOOST_TEST(reads(2, 8016, 2));
}

BOOST_AUTO_TEST_CASE(an_opening_reads_no_layer_and_the_check_reads_each_once) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  flush(*store);
  const std::string path = directory_of(store->record().id) + "/" + layer_file_name(store->layers().front());
  std::filesystem::resize_file(path, 10);
  reopen();
  BOOST_TEST(store->damaged_layers().empty());
  BOOST_TEST(!store->check_layers([] { return true; }).has_value());
  BOOST_TEST(store->damaged_layers().empty());
  // Collection must not pass over damage that nobody has looked for yet.
  const auto collected = store->collect({});
  BOOST_TEST_REQUIRE(!collected.has_value());
  BOOST_TEST((collected.error().code == core::errc::corrupt));
  BOOST_TEST(store->damaged_layers().size() == 1u);
  expect(store->check_layers({}));
  BOOST_TEST(store->damaged_layers().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_layer_that_cannot_be_opened_just_now_is_not_damaged) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  flush(*store);
  reopen();
  rlimit before{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto checked = store->check_layers({});
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  BOOST_TEST(!checked.has_value());
  BOOST_TEST(store->damaged_layers().empty());
  // It was not passed over.
  expect(store->check_layers({}));
  expect(store->collect({}));
  BOOST_TEST(reads(1, 8008, 1));
}

BOOST_AUTO_TEST_CASE(a_remote_layer_is_no_damage_and_a_read_that_needs_it_says_so) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  flush(*store);
  put(*store, page(2), core::lsn(8016), page_of(2));
  flush(*store);
  const auto layers = store->layers();
  layer_record evicted = layers[0].begin < layers[1].begin ? layers[1] : layers[0];
  const auto id = store->record().id;
  const std::string path = directory_of(id) + "/" + layer_file_name(evicted);
  evicted.residency = layer_residency::remote;
  expect(metadata->apply(tenant, id, {.add = {evicted}}));
  std::filesystem::remove(path);
  reopen();
  expect(store->check_layers({}));
  BOOST_TEST(store->damaged_layers().empty());
  BOOST_TEST(reads(1, 8008, 1));
  BOOST_TEST((read_failure(2, 8016) == core::errc::unavailable));
  // What is not in the newer layer may not be taken from an older one without a look into it.
  BOOST_TEST((read_failure(1, 8016) == core::errc::unavailable));
}

BOOST_AUTO_TEST_CASE(layers_carry_the_generation_that_wrote_them_and_none_may_be_later) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  flush(*store);
  generation = core::generation(2);
  reopen();
  put(*store, page(1), core::lsn(8016), page_of(2));
  flush(*store);
  std::vector<std::uint32_t> found;
  for (const layer_record& layer : store->layers()) found.push_back(layer.generation.value);
  std::sort(found.begin(), found.end());
  BOOST_TEST((found == std::vector<std::uint32_t>{1, 2}));
  BOOST_TEST(reads(1, 8008, 1));
  BOOST_TEST(reads(1, 8016, 2));
  const auto record = store->record();
  store.reset();
  generation = core::generation(1);
  const auto stale = try_open(record);
  BOOST_TEST_REQUIRE(!stale.has_value());
  BOOST_TEST((stale.error().code == core::errc::corrupt));
  generation = core::generation(3);
  store = open(record);
  BOOST_TEST(reads(1, 8016, 2));
}

BOOST_AUTO_TEST_SUITE_END()
