#include <boost/test/unit_test.hpp>

#include "tests/storage/mapping/mapping_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using pg::wal::resource_manager;
using storage::read_mode;

namespace {

constexpr pg::relation_fork heap{pg::default_tablespace, 5, 16384, pg::fork::main};

/// A relation of one block in a layer file that is not open, and ingest that has not seen it.
struct cold_cluster : mapping_fixture {
  cold_cluster() {
    ingest(page_image(heap, 0, make_page(1)));
    store->freeze();
    BOOST_REQUIRE(store->flush_oldest().has_value());
    restart_ingest();
    close_layers();
  }
  void close_layers() {
    const std::uint64_t end = layers->next_ticket();
    for (std::uint64_t ticket = 1; ticket < end; ++ticket) layers->forget(ticket);
  }

  core::result<void> try_in_memory(const wal_record& what) { return try_ingest(what, read_mode::memory_only); }
  /// What ingest says without the disk, and that it has changed nothing.
  [[nodiscard]] bool needs_disk(const wal_record& what) {
    hold();
    const auto added = try_in_memory(what);
    return !added && added.error().code == core::errc::would_block && batch.empty() && batch.entries().empty();
  }
};

wal_record create(const pg::relation_fork& of) {
  return {.manager = resource_manager::storage,
          .info = 0x10,
          .main_data = payload_of(of.tablespace, of.database, of.relation, static_cast<std::uint32_t>(of.fork))};
}
wal_record truncate(const pg::relation_fork& of, std::uint32_t blocks) {
  return {.manager = resource_manager::storage,
          .info = 0x20,
          .main_data = payload_of(blocks, of.tablespace, of.database, of.relation, std::uint32_t{7})};
}
wal_record commit_dropping(const pg::relation_fork& of) {
  return {.manager = resource_manager::transaction,
          .info = 0x80,
          .xid = 740,
          .main_data = payload_of(std::int64_t{1000}, std::uint32_t{4}, std::uint32_t{1}, of.tablespace, of.database,
                                  of.relation)};
}
/// A change of a heap page, with its image, that clears bits of the visibility map.
wal_record heap_delete(pg::block_number block) {
  return {.manager = resource_manager::heap,
          .info = 0x10,
          .xid = 740,
          .blocks = {{.id = 0, .relation = heap, .block = block, .image = image_of(make_page(1))}},
          .main_data = payload_of(std::uint32_t{740}, std::uint16_t{1}, std::uint8_t{0}, std::uint8_t{1})};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_mapping_ingest_memory, cold_cluster)

BOOST_AUTO_TEST_CASE(a_record_whose_sizes_are_on_disk_changes_nothing_without_it) {
  BOOST_TEST(needs_disk(page_image(heap, 1, make_page(2))));
  BOOST_TEST(needs_disk(create(heap)));
  BOOST_TEST(needs_disk(truncate(heap, 0)));
  BOOST_TEST(needs_disk(commit_dropping(heap)));
  BOOST_TEST(needs_disk(heap_delete(0)));
  release();
  BOOST_TEST(size(heap).value() == 1u);
}

BOOST_AUTO_TEST_CASE(databases_and_what_the_timelines_record_says_need_the_disk) {
  BOOST_TEST(needs_disk(
      {.manager = resource_manager::database,
       .main_data = payload_of(std::uint32_t{77}, pg::default_tablespace, std::uint32_t{5}, pg::default_tablespace)}));
  BOOST_TEST(needs_disk({.manager = resource_manager{130}, .main_data = {1}}));
  BOOST_TEST(store->record().custom_managers.empty());
  ingest({.manager = resource_manager{130}, .main_data = {1}});
  BOOST_TEST(try_in_memory({.manager = resource_manager{130}, .main_data = {1}}).has_value());
}

BOOST_AUTO_TEST_CASE(a_record_is_the_same_whether_it_was_tried_without_the_disk_or_not) {
  for (const wal_record& what : {page_image(heap, 3, make_page(2)), heap_delete(1), truncate(heap, 2)}) {
    close_layers();
    if (const auto tried = try_in_memory(what); !tried) {
      BOOST_TEST((tried.error().code == core::errc::would_block));
      ingest(what);
    }
  }
  BOOST_TEST(size(heap).value() == 2u);
  BOOST_TEST(all_zero(page(heap, 2)));
}

BOOST_AUTO_TEST_CASE(what_was_seen_once_needs_the_disk_no_more) {
  ingest(heap_delete(0));
  close_layers();
  BOOST_TEST(try_in_memory(page_image(heap, 1, make_page(2))).has_value());
  BOOST_TEST(try_in_memory(heap_delete(1)).has_value());
  BOOST_TEST(try_in_memory({.manager = resource_manager::xlog, .info = 0x20, .main_data = {1}}).has_value());
  BOOST_TEST(size(heap).value() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
