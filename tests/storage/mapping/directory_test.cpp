#include "storage/mapping/directory.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/page/checksum.hpp"
#include "tests/storage/mapping/mapping_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;

namespace {

constexpr pg::relation_fork table{pg::default_tablespace, 5, 16384, pg::fork::main};

struct pages {
  explicit pages(std::size_t count) : content(count * pg::page_size, 0xEE) {}
  void ask(const pg::relation_fork& of, pg::block_number block) {
    requests.push_back(
        {of, block, core::bytes_span(content).subspan(requests.size() * pg::page_size, pg::page_size), {}});
  }
  core::bytes page(std::size_t index) { return {requests[index].page.begin(), requests[index].page.end()}; }
  core::bytes content;
  std::vector<mapping::page_request> requests;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_directory)

BOOST_FIXTURE_TEST_CASE(blocks_behind_the_end_are_zeros_and_missing_relations_are_not_found, mapping_fixture) {
  const core::lsn end = ingest(page_image(table, 1, make_page(7)));
  pages read(5);
  read.ask(table, 1);
  read.ask(table, 2);
  read.ask({table.tablespace, table.database, table.relation, pg::fork::vm}, 0);
  read.ask({table.tablespace, table.database, 16999, pg::fork::main}, 0);
  read.ask(table, 0xFFFFFFFE);
  mapping::read_relation_pages(*store, read.requests, now(), read_mode::may_block);
  BOOST_TEST(read.page(0) == stamped(make_page(7), end));
  BOOST_TEST(all_zero(read.page(1)));
  BOOST_TEST(all_zero(read.page(2)));
  BOOST_TEST(all_zero(read.page(4)));
  for (const std::size_t index : {0u, 1u, 2u, 4u}) BOOST_TEST(!read.requests[index].failure);
  BOOST_REQUIRE(read.requests[3].failure);
  BOOST_TEST(read.requests[3].failure->code == core::errc::not_found);
}

BOOST_FIXTURE_TEST_CASE(a_block_that_must_exist_is_an_error_behind_the_end, mapping_fixture) {
  const core::lsn end = ingest(page_image(table, 1, make_page(7)));
  pages read(3);
  read.ask(table, 1);
  read.ask(table, 2);
  read.ask({table.tablespace, table.database, table.relation, pg::fork::vm}, 0);
  for (auto& each : read.requests) each.must_exist = true;
  mapping::read_relation_pages(*store, read.requests, now(), read_mode::may_block);
  BOOST_TEST(!read.requests[0].failure);
  BOOST_TEST(read.page(0) == stamped(make_page(7), end));
  for (const std::size_t index : {1u, 2u}) {
    BOOST_REQUIRE(read.requests[index].failure);
    BOOST_TEST(read.requests[index].failure->code == core::errc::out_of_range);
  }
  BOOST_TEST(read.requests[1].failure->detail.ends_with("the relation has 2 blocks"));
  BOOST_TEST(read.requests[2].failure->detail.ends_with("the relation has 0 blocks"));
}

BOOST_FIXTURE_TEST_CASE(pages_of_a_cluster_with_checksums_come_with_them, mapping_fixture) {
  const core::lsn end = ingest(page_image(table, 1, make_page(7)));
  store->freeze();
  BOOST_REQUIRE(store->flush_oldest());
  timeline_record with_checksums = store->record();
  with_checksums.data_checksums = true;
  reopen(with_checksums);
  pages read(2);
  read.ask(table, 1);
  read.ask(table, 0);
  mapping::read_relation_pages(*store, read.requests, now(), read_mode::may_block);
  core::bytes expected = stamped(make_page(7), end);
  pg::page::set_page_checksum(expected, 1);
  BOOST_TEST(read.page(0) == expected);
  BOOST_TEST(core::load_le<std::uint16_t>(expected.data() + 8) != 0);
  BOOST_TEST(all_zero(read.page(1)));
}

BOOST_FIXTURE_TEST_CASE(lists_show_what_was_there_at_their_lsn, mapping_fixture) {
  ingest(page_image(table, 4, make_page(7)));
  const core::lsn before = now();
  ingest(page_image({table.tablespace, table.database, 16385, pg::fork::init}, 0, make_page(8)));
  const auto early = mapping::relations(*store, pg::default_tablespace, 5, before);
  const auto late = mapping::relations(*store, pg::default_tablespace, 5, now());
  BOOST_REQUIRE(early && late);
  BOOST_TEST((*early == std::vector<mapping::relation_entry>{{table, 5}}));
  BOOST_TEST(late->size() == 2u);
  BOOST_TEST(mapping::database_size_bytes(*store, 5, now()).value() == 6 * pg::page_size);
  const auto unknown = mapping::database_size_bytes(*store, 99, now());
  BOOST_REQUIRE(!unknown);
  BOOST_TEST(unknown.error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_SUITE_END()
