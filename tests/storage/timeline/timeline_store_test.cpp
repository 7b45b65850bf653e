#include "storage/timeline/timeline_store.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "storage/value.hpp"
#include "tests/storage/timeline/timeline_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

using fixture = tests::timeline_fixture;

/// Files of this process may not grow beyond a size.
struct size_limit {
  explicit size_limit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limited{bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~size_limit() { setrlimit(RLIMIT_FSIZE, &before); }
  rlimit before{};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_timeline_store, fixture)

BOOST_AUTO_TEST_CASE(what_was_flushed_survives_a_crash_and_the_rest_does_not) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  put(*store, page(1), core::lsn(8016), page_of(2));
  flush(*store);
  BOOST_TEST(store->disk_consistent_lsn() == core::lsn(8016));
  put(*store, page(1), core::lsn(8024), page_of(3));
  BOOST_TEST(reads(1, 8024, 3));
  reopen();
  BOOST_TEST(store->last_record_lsn() == core::lsn(8016));
  BOOST_TEST(store->previous_record_lsn() == core::lsn(8008));
  BOOST_TEST(reads(1, 8008, 1));
  BOOST_TEST(reads(1, 8016, 2));
  put(*store, page(1), core::lsn(8024), page_of(4));
  BOOST_TEST(reads(1, 8024, 4));
}

BOOST_AUTO_TEST_CASE(a_page_without_a_base_is_an_error_and_never_zeros) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  BOOST_TEST(read_failure(2, 8008) == core::errc::corrupt);
  BOOST_TEST(read_failure(1, 8007) == core::errc::corrupt);
  flush(*store);
  BOOST_TEST(read_failure(2, 8008) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(an_edit_that_the_metadata_refuses_leaves_no_file) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  flush(*store);
  put(*store, page(1), core::lsn(8016), page_of(2));
  store->freeze();
  const auto record = store->record();
  // Of a timeline that is gone no edit is taken.
  expect(metadata->delete_timeline(record.tenant, record.id));
  BOOST_TEST(files() == 1u);
  for (int attempt = 0; attempt < 3; ++attempt) {
    BOOST_TEST(!store->flush_oldest().has_value());
    BOOST_TEST(!store->compact(true, nullptr).has_value());
    BOOST_TEST(files() == 1u);
  }
  BOOST_TEST(store->frozen_count() == 1u);
  expect(metadata->put_timeline(record));
  BOOST_TEST(store->flush_oldest());
  BOOST_TEST(reads(1, 8016, 2));
}

BOOST_AUTO_TEST_CASE(when_the_disk_is_full_nothing_moves_and_a_later_flush_succeeds) {
  for (std::uint64_t i = 1; i <= 200; ++i) {
    core::bytes noise(pg::page_size);
    std::mt19937 random(static_cast<unsigned>(i));
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    put(*store, page(static_cast<std::uint32_t>(i)), core::lsn(8000 + 8 * i), noise);
  }
  const core::bytes wanted = *read(*store, page(77), core::lsn(9600));
  store->freeze();
  {
    const size_limit limit(1u << 20);
    const auto flushed = store->flush_oldest();
    BOOST_TEST_REQUIRE(!flushed.has_value());
    BOOST_TEST(flushed.error().code == core::errc::disk_full);
  }
  BOOST_TEST((store->disk_consistent_lsn() == core::lsn(start)));
  BOOST_TEST(store->frozen_count() == 1u);
  BOOST_TEST(files() == 0u);
  BOOST_TEST((*read(*store, page(77), core::lsn(9600)) == wanted));
  BOOST_TEST_REQUIRE(store->flush_oldest());
  BOOST_TEST(store->disk_consistent_lsn() == core::lsn(9600));
  {
    const size_limit limit(1u << 20);
    const auto compacted = store->compact(true, nullptr);
    BOOST_TEST_REQUIRE(!compacted.has_value());
    BOOST_TEST(compacted.error().code == core::errc::disk_full);
  }
  BOOST_TEST(files() == 1u);
  BOOST_TEST_REQUIRE(store->compact(true, nullptr));
  BOOST_TEST(store->counters().l0_layers == 0u);
  BOOST_TEST((*read(*store, page(77), core::lsn(9600)) == wanted));
}

BOOST_AUTO_TEST_CASE(an_aged_layer_without_versions_moves_the_frontier_without_a_file) {
  BOOST_TEST(!store->freeze_due());
  BOOST_TEST(!store->freeze());
  write_batch batch;
  batch.finish_record(core::lsn(8000), core::lsn(8008));
  store->append(std::move(batch));
  BOOST_TEST(!store->freeze_due());
  clock.advance(options.checkpoint_timeout);
  BOOST_TEST(store->freeze_due());
  BOOST_TEST(store->freeze());
  BOOST_TEST_REQUIRE(store->flush_oldest());
  BOOST_TEST(store->disk_consistent_lsn() == core::lsn(8008));
  BOOST_TEST(files() == 0u);
  BOOST_TEST(!store->freeze_due());
  const auto nothing = store->flush_oldest();
  BOOST_TEST_REQUIRE(!nothing.has_value());
  BOOST_TEST(nothing.error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_CASE(a_read_that_must_not_wait_says_so_and_works_after_one_that_may) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  BOOST_TEST(read(*store, page(1), core::lsn(8008), read_mode::memory_only));
  flush(*store);
  reopen();
  BOOST_TEST(read_failure(1, 8008, read_mode::memory_only) == core::errc::would_block);
  BOOST_TEST(reads(1, 8008, 1));
  BOOST_TEST(read(*store, page(1), core::lsn(8008), read_mode::memory_only));
}

BOOST_AUTO_TEST_CASE(each_page_of_a_vectored_read_fails_on_its_own) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  put(*store, page(3), core::lsn(8016), page_of(3));
  flush(*store);
  std::vector<core::bytes> buffers(4, core::bytes(pg::page_size));
  std::vector<page_read> reads;
  for (std::uint32_t block : {3, 2, 1, 3}) reads.push_back({page(block), buffers[reads.size()], {}});
  store->read_pages(reads, core::lsn(8016), read_mode::may_block);
  BOOST_TEST((!reads[0].failure && buffers[0] == page_of(3)));
  BOOST_TEST((reads[1].failure && reads[1].failure->code == core::errc::corrupt));
  BOOST_TEST((!reads[2].failure && buffers[2] == page_of(1)));
  BOOST_TEST((!reads[3].failure && buffers[3] == page_of(3)));
}

BOOST_AUTO_TEST_CASE(a_branch_sees_its_ancestor_up_to_the_branch_point_and_no_further) {
  put(*store, page(1), core::lsn(8008), page_of(1));
  put(*store, page(2), core::lsn(8016), page_of(2));
  put(*store, page(1), core::lsn(8024), page_of(3));
  auto record = new_record(core::lsn(8016));
  record.ancestor = store->record().id;
  record.ancestor_lsn = core::lsn(8016);
  expect(metadata->put_timeline(record));
  const auto child = open(record, store);
  BOOST_TEST((*read(*child, page(1), core::lsn(8016)) == page_of(1)));
  put(*child, page(2), core::lsn(8024), page_of(9));
  BOOST_TEST((*read(*child, page(1), core::lsn(8024)) == page_of(1)));
  BOOST_TEST((*read(*child, page(2), core::lsn(8024)) == page_of(9)));
  BOOST_TEST(reads(2, 8024, 2));
  BOOST_TEST(!child->check_readable(core::lsn(8015)).has_value());
  BOOST_TEST(child->check_readable(core::lsn(8016)));
  BOOST_TEST(!child->check_readable(core::lsn(8025)).has_value());
}

BOOST_AUTO_TEST_CASE(a_page_that_cannot_be_rebuilt_is_left_out_of_image_layers) {
  options.image_creation_threshold = 1;
  store->set_options(options);
  std::uint64_t at = start;
  for (std::uint32_t block = 0; block < 20; ++block) put(*store, page(block), core::lsn(at += 8), page_of(block));
  set_size(at += 8, 20);
  write_batch batch;
  batch.reserve(page(7), core::lsn(at + 8), 2)[0] = 9;  // no kind we know
  batch.finish_record(core::lsn(at), core::lsn(at + 8));
  store->append(std::move(batch));
  at += 8;
  flush(*store);
  const auto outcome = expect(store->compact(true, nullptr));
  BOOST_TEST(outcome.images_out >= 2u);
  for (const layer_record& layer : store->layers())
    BOOST_TEST((layer.kind != layer_kind::image || !layer.keys.contains(page(7))));
  expect(store->collect({.cutoff = core::lsn(at), .branch_points = {}}));
  BOOST_TEST(read_failure(7, at) == core::errc::corrupt);
  for (std::uint32_t block = 0; block < 20; ++block)
    if (block != 7) BOOST_TEST(reads(block, at, block));
  put(*store, page(7), core::lsn(at + 8), page_of(70));
  BOOST_TEST(reads(7, at + 8, 70));
}

BOOST_AUTO_TEST_CASE(a_relation_that_cannot_be_rebuilt_does_not_hold_up_the_others) {
  options.image_creation_threshold = 1;
  store->set_options(options);
  const pg::relation_fork unreadable{1663, 5, 16385, pg::fork::main};
  std::uint64_t at = start;
  for (std::uint32_t block = 0; block < 20; ++block) put(*store, page(block), core::lsn(at += 8), page_of(block));
  set_size(at += 8, 20);
  core::bytes value;
  core::append_le<std::uint32_t>(value, 300);
  put(*store, relation_catalog_key(unreadable), core::lsn(at += 8), value);
  for (std::uint32_t block = 0; block < 300; ++block) {
    write_batch batch;
    batch.reserve(relation_page_key(unreadable, block), core::lsn(at + 8), 2)[0] = 9;
    batch.finish_record(core::lsn(at), core::lsn(at + 8));
    store->append(std::move(batch));
    at += 8;
  }
  put(*store, page(3, 16386), core::lsn(at += 8), page_of(3));
  flush(*store);
  const auto outcome = expect(store->compact(true, nullptr));
  BOOST_TEST(outcome.images_out > 0u);
  BOOST_TEST(outcome.images_out < 10u);
  std::size_t of_readable = 0;
  for (const layer_record& layer : store->layers()) {
    if (layer.kind != layer_kind::image) continue;
    for (std::uint32_t block = 0; block < 300; ++block)
      BOOST_TEST_REQUIRE(!layer.keys.contains(relation_page_key(unreadable, block)));
    if (layer.keys.contains(page(5))) ++of_readable;
  }
  BOOST_TEST(of_readable == 1u);
  BOOST_TEST(reads(5, at, 5));
}

BOOST_AUTO_TEST_CASE(compacted_layers_do_not_span_what_nothing_has_changed) {
  options.image_creation_threshold = 100;
  options.compaction_target_bytes = 64u << 10;
  store->set_options(options);
  std::uint64_t at = start;
  for (std::uint32_t i = 0; i < 20; ++i) {
    core::bytes noise(pg::page_size);
    std::mt19937 random(i);
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    put(*store, page(i % 2 == 0 ? i : 5'000'000 + i), core::lsn(at += 8), noise);
  }
  flush(*store);
  expect(store->compact(true, nullptr));
  for (const layer_record& layer : store->layers()) BOOST_TEST(!layer.keys.contains(page(1'000'000)));
  BOOST_TEST(read(*store, page(4), core::lsn(at)));
  BOOST_TEST(read(*store, page(5'000'005), core::lsn(at)));
}

BOOST_AUTO_TEST_CASE(versions_of_one_hot_page_are_split_over_layers) {
  options.compaction_target_bytes = 40000;
  options.image_creation_threshold = 100;
  store->set_options(options);
  std::uint64_t at = start;
  put(*store, page(1), core::lsn(at += 8), page_of(5));
  put(*store, page(3), core::lsn(at += 8), page_of(6));
  for (std::uint32_t i = 0; i < 200; ++i) {
    core::bytes noise(pg::page_size);
    std::mt19937 random(i);
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    put(*store, page(2), core::lsn(at += 8), noise);
  }
  flush(*store);
  std::vector<core::bytes> wanted;
  for (std::uint64_t when = start + 24; when <= at; when += 8)
    wanted.push_back(*read(*store, page(2), core::lsn(when)));
  const auto outcome = expect(store->compact(true, nullptr));
  BOOST_TEST(outcome.layers_out > 10u);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    BOOST_TEST_REQUIRE((*read(*store, page(2), core::lsn(start + 24 + 8 * i)) == wanted[i]));
  BOOST_TEST(reads(1, at, 5));
  BOOST_TEST(reads(3, at, 6));
}

BOOST_AUTO_TEST_CASE(an_import_is_readable_when_finished_and_bounded_in_memory) {
  options.checkpoint_distance_bytes = 64u << 10;
  auto record = new_record(core::lsn(0));
  record.state = timeline_state::importing;
  expect(metadata->put_timeline(record));
  store = open(record);
  for (std::uint32_t i = 0; i < 100; ++i)
    expect(store->import_value(page(i * 37 % 100), core::lsn(9000), page_of(i * 37 % 100)));
  BOOST_TEST(files() > 5u);
  expect(store->finish_import(core::lsn(9000), core::lsn(9100)));
  BOOST_TEST(store->last_record_lsn() == core::lsn(9000));
  BOOST_TEST(!store->check_readable(core::lsn(9000)).has_value());
  put(*store, page(5), core::lsn(9104), page_of(500));
  flush(*store);
  reopen();
  BOOST_TEST(store->record().state == timeline_state::active);
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t i = 0; i < 100; ++i) BOOST_TEST_REQUIRE(reads(i, 9104, i == 5 ? 500 : i));
    BOOST_TEST(reads(5, 9000, 5));
    expect(store->compact(true, nullptr));
  }
  BOOST_TEST(store->counters().l0_layers == 0u);
}

BOOST_AUTO_TEST_CASE(an_interrupted_import_starts_from_nothing) {
  options.checkpoint_distance_bytes = 64u << 10;
  auto record = new_record(core::lsn(0));
  record.state = timeline_state::importing;
  expect(metadata->put_timeline(record));
  store = open(record);
  for (std::uint32_t i = 0; i < 50; ++i) expect(store->import_value(page(i), core::lsn(9000), page_of(i)));
  BOOST_TEST(files() > 1u);
  reopen();
  BOOST_TEST(files() == 0u);
  expect(store->import_value(page(1), core::lsn(9500), page_of(11)));
  expect(store->import_value(page(2), core::lsn(9600), page_of(22)));  // a newer backup: the older value is gone
  expect(store->finish_import(core::lsn(9600), core::lsn(9600)));
  BOOST_TEST(read_failure(1, 9600) == core::errc::corrupt);
  BOOST_TEST(reads(2, 9600, 22));
}

BOOST_AUTO_TEST_CASE(collection_closes_the_window_and_keeps_leased_points) {
  options.image_creation_threshold = 1;
  options.compaction_target_bytes = 16u << 10;
  store->set_options(options);
  std::uint64_t at = start;
  for (std::uint32_t round = 0; round < 4; ++round) {
    for (std::uint32_t block = 0; block < 8; ++block)
      put(*store, page(block), core::lsn(at += 8), page_of(round * 8 + block));
    set_size(at += 8, 8);
    flush(*store);
    expect(store->compact(true, nullptr));
  }
  const core::lsn leased(start + 72);  // the end of the first round
  const std::size_t before = store->layers().size();
  const auto outcome = expect(store->collect({.cutoff = core::lsn(at - 80), .branch_points = {leased}}));
  BOOST_TEST(outcome.removed > 0u);
  BOOST_TEST(store->layers().size() == before - outcome.removed);
  BOOST_TEST(files() == before - outcome.removed);
  BOOST_TEST((outcome.cutoff == core::lsn(at - 80)));
  BOOST_TEST(read_failure(1, at - 88) == core::errc::out_of_range);
  BOOST_TEST(!store->check_readable(core::lsn(at - 88)).has_value());
  BOOST_TEST(store->check_readable(leased));
  for (std::uint32_t block = 0; block < 8; ++block) {
    BOOST_TEST(reads(block, leased.value, block));
    BOOST_TEST(reads(block, at, 24 + block));
  }
  // It never goes back, and never passes what is on disk.
  BOOST_TEST((expect(store->collect({.cutoff = core::lsn(start), .branch_points = {}})).cutoff == core::lsn(at - 80)));
  BOOST_TEST((expect(store->collect({.cutoff = core::lsn::max(), .branch_points = {}})).cutoff == core::lsn(at)));
  BOOST_TEST(reads(3, at, 27));
  reopen();
  BOOST_TEST((store->gc_cutoff() == core::lsn(at)));
  BOOST_TEST(reads(3, at, 27));
}

BOOST_AUTO_TEST_CASE(readers_go_on_while_layers_come_and_go) {
  options.checkpoint_distance_bytes = 64u << 10;
  options.compaction_target_bytes = 64u << 10;
  options.compaction_threshold = 2;
  options.image_creation_threshold = 1;
  store->set_options(options);
  std::uint64_t at = start;
  for (std::uint32_t block = 0; block < 16; ++block) put(*store, page(block), core::lsn(at += 8), page_of(block));
  set_size(at += 8, 16);
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0}, right{0};
  std::vector<std::thread> readers;
  for (unsigned seed = 0; seed < 2; ++seed)
    readers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!done) {
        const core::lsn when = store->last_record_lsn();
        const std::uint32_t block = random() % 16;
        const auto found = read(*store, page(block), when);
        // The number of the page's last version by then: block, block + 16, ... in turn.
        const std::uint64_t versions = (when.value - start) / 8;
        const std::uint64_t count = versions <= 17 ? 1 : 1 + (versions - 17 + 15 - block) / 16;
        const auto number = static_cast<std::uint32_t>(block + 16 * (count - 1));
        if (found && *found == page_of(number))
          ++right;
        else if (found || found.error().code != core::errc::out_of_range)
          ++wrong;
      }
    });
  std::atomic<bool> appended{false};
  std::thread background([&] {
    while (!appended || store->frozen_count() > 0) {
      if (store->frozen_count() > 0) expect(store->flush_oldest());
      expect(store->compact(false, nullptr));
      expect(store->collect({.cutoff = store->disk_consistent_lsn() - 64, .branch_points = {}}));
    }
  });
  for (std::uint32_t i = 16; i < 1200; ++i) {
    put(*store, page(i % 16), core::lsn(at += 8), page_of(i));
    if (store->freeze_due()) {
      while (store->frozen_count() > 1) std::this_thread::yield();
      store->freeze();
    }
  }
  appended = true;
  background.join();
  done = true;
  for (auto& reader : readers) reader.join();
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(right > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
