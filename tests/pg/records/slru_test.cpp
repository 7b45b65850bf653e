#include "pg/records/slru.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/pg/records/record_bytes.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::records;
using tests::held_record;
using tests::part;
using tests::record_bytes;

namespace {

constexpr auto clog = pg::wal::resource_manager::clog;
constexpr auto multixact = pg::wal::resource_manager::multixact;
constexpr auto commit_ts = pg::wal::resource_manager::commit_ts;
constexpr auto v15 = pg::major_version::v15;
constexpr auto v17 = pg::major_version::v17;

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_records_slru)

BOOST_AUTO_TEST_CASE(page_numbers_are_wider_from_17_on) {
  const held_record narrow(clog, 0x00, record_bytes().u32(33).bytes());
  const auto zero = part<slru_zero_page>(decode_clog(narrow, v15));
  BOOST_TEST(zero.page == 33u);
  BOOST_TEST(zero.kind == pg::slru_kind::clog);
  BOOST_TEST(!decode_clog(narrow, v17));
  const held_record wide(clog, 0x00, record_bytes().u64(33).bytes());
  BOOST_TEST(part<slru_zero_page>(decode_clog(wide, v17)).page == 33u);
  BOOST_TEST(!decode_clog(wide, v15));
}

BOOST_AUTO_TEST_CASE(a_clog_truncation_names_the_first_page_to_keep) {
  const held_record narrow(clog, 0x10, record_bytes().u32(7).u32(8).u32(9).bytes());
  const auto cut = part<clog_truncate>(decode_clog(narrow, v15));
  BOOST_TEST(cut.page == 7u);
  BOOST_TEST(cut.oldest_xid == 8u);
  BOOST_TEST(cut.oldest_xid_database == 9u);
  const held_record wide(clog, 0x10, record_bytes().u64(7).u32(8).u32(9).bytes());
  BOOST_TEST(part<clog_truncate>(decode_clog(wide, v17)).oldest_xid_database == 9u);
}

BOOST_AUTO_TEST_CASE(impossible_pages_and_operations_are_refused) {
  BOOST_TEST(!decode_clog(held_record(clog, 0x00, record_bytes().u32(131072).bytes()), v15));
  BOOST_TEST(!decode_clog(held_record(clog, 0x00, record_bytes().u64(std::uint64_t{1} << 40).bytes()), v17));
  BOOST_TEST(!decode_clog(held_record(clog, 0x20, record_bytes().u32(1).bytes()), v15));
  BOOST_TEST(!decode_multixact(held_record(multixact, 0x10, record_bytes().u32(2625286).bytes()), v15));
  BOOST_TEST(!decode_multixact(held_record(multixact, 0x00, record_bytes().u32(2097152).bytes()), v15));
  BOOST_TEST(!decode_multixact(held_record(multixact, 0x40, record_bytes().u32(1).bytes()), v15));
}

BOOST_AUTO_TEST_CASE(commit_timestamps_have_pages_and_a_truncation) {
  const auto zero =
      part<slru_zero_page>(decode_commit_ts(held_record(commit_ts, 0x00, record_bytes().u32(5).bytes()), v15));
  BOOST_TEST(zero.kind == pg::slru_kind::commit_ts);
  BOOST_TEST(zero.page == 5u);
  const held_record narrow(commit_ts, 0x10, record_bytes().u32(7).u32(8).bytes());
  const auto cut = part<commit_ts_truncate>(decode_commit_ts(narrow, v15));
  BOOST_TEST(cut.page == 7u);
  BOOST_TEST(cut.oldest_xid == 8u);
  BOOST_TEST(!decode_commit_ts(narrow, v17));
  const held_record wide(commit_ts, 0x10, record_bytes().u64(7).u32(8).bytes());
  BOOST_TEST(part<commit_ts_truncate>(decode_commit_ts(wide, v17)).oldest_xid == 8u);
  BOOST_TEST(!decode_commit_ts(held_record(commit_ts, 0x00, record_bytes().u32(5244161).bytes()), v15));
  BOOST_TEST(!decode_commit_ts(held_record(commit_ts, 0x20, record_bytes().u32(1).bytes()), v15));
}

BOOST_AUTO_TEST_CASE(multixact_pages_say_which_file_they_belong_to) {
  const auto offsets =
      part<slru_zero_page>(decode_multixact(held_record(multixact, 0x00, record_bytes().u32(5).bytes()), v15));
  BOOST_TEST(offsets.kind == pg::slru_kind::multixact_offsets);
  const auto members =
      part<slru_zero_page>(decode_multixact(held_record(multixact, 0x10, record_bytes().u64(5).bytes()), v17));
  BOOST_TEST(members.kind == pg::slru_kind::multixact_members);
  BOOST_TEST(members.page == 5u);
}

BOOST_AUTO_TEST_CASE(a_created_multixact_lists_its_members) {
  const core::bytes data = record_bytes().u32(100).u32(200).u32(2).u32(1000).u32(1).u32(1001).u32(5).bytes();
  const held_record record(multixact, 0x20, data);
  const auto create = part<multixact_create>(decode_multixact(record, v15));
  BOOST_TEST(create.id == 100u);
  BOOST_TEST(create.offset == 200u);
  BOOST_REQUIRE_EQUAL(create.members.size(), 2u);
  BOOST_TEST((create.members[0] == pg::files::multixact_member{1000, 1}));
  BOOST_TEST((create.members[1] == pg::files::multixact_member{1001, 5}));
  BOOST_TEST(tests::only_the_exact_length_is_accepted(multixact, 0x20, data,
                                                      [](const auto& of) { return decode_multixact(of, v15); }));
  const held_record strange(multixact, 0x20, record_bytes().u32(1).u32(2).u32(1).u32(1000).u32(6).bytes());
  BOOST_TEST(decode_multixact(strange, v15).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_multixact_truncation_has_two_ranges) {
  const core::bytes data = record_bytes().u32(5).u32(10).u32(20).u32(30).u32(40).bytes();
  const auto cut = part<multixact_truncate>(decode_multixact(held_record(multixact, 0x30, data), v15));
  BOOST_TEST(cut.oldest_database == 5u);
  BOOST_TEST(cut.offsets_begin == 10u);
  BOOST_TEST(cut.offsets_end == 20u);
  BOOST_TEST(cut.members_begin == 30u);
  BOOST_TEST(cut.members_end == 40u);
  BOOST_TEST(tests::only_the_exact_length_is_accepted(multixact, 0x30, data,
                                                      [](const auto& of) { return decode_multixact(of, v15); }));
}

BOOST_AUTO_TEST_SUITE_END()
