#include "pg/files/slru.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::files;

BOOST_AUTO_TEST_SUITE(pg_files_slru)

BOOST_AUTO_TEST_CASE(places_follow_the_geometry) {
  BOOST_TEST((slru_page_at(clog_page_of(32768 * 33)) == slru_page{1, 1}));
  BOOST_TEST(clog_page_of(32767) == 0u);
  BOOST_TEST(multixact_offsets_page_of(2048) == 1u);
  BOOST_TEST(multixact_members_page_of(1635) == 0u);
  BOOST_TEST(multixact_members_page_of(1636) == 1u);
  BOOST_TEST(commit_ts_page_of(818) == 0u);
  BOOST_TEST(commit_ts_page_of(819) == 1u);
  BOOST_TEST(slru_page_at(multixact_members_page_of(0xFFFFFFFF)).segment == multixact_members_segment_last);
}

BOOST_AUTO_TEST_CASE(a_status_takes_two_bits_and_disturbs_no_other) {
  core::bytes page(pg::page_size);
  set_clog_status(page, 32768 + 5, clog_status::aborted);
  set_clog_status(page, 32768 + 6, clog_status::committed);
  set_clog_status(page, 32768 + 7, clog_status::sub_committed);
  BOOST_TEST(page[1] == (2 << 2 | 1 << 4 | 3 << 6));
  set_clog_status(page, 5, clog_status::committed);
  BOOST_TEST(clog_status_of(page, 5) == clog_status::committed);
  BOOST_TEST(clog_status_of(page, 6) == clog_status::committed);
  BOOST_TEST(clog_status_of(page, 7) == clog_status::sub_committed);
  BOOST_TEST(clog_status_of(page, 4) == clog_status::in_progress);
  set_clog_status(page, 32767, clog_status::committed);
  BOOST_TEST(page[8191] == 1 << 6);
}

BOOST_AUTO_TEST_CASE(offsets_lie_in_order) {
  core::bytes page(pg::page_size);
  set_multixact_offset(page, 2048 * 3 + 2047, 0xDEADBEEF);
  BOOST_TEST(core::load_le<std::uint32_t>(page.data() + 8188) == 0xDEADBEEFu);
  BOOST_TEST(multixact_offset_of(page, 2047) == 0xDEADBEEFu);
}

BOOST_AUTO_TEST_CASE(members_lie_in_groups_of_four) {
  core::bytes page(pg::page_size);
  set_multixact_member(page, 1636 * 2 + 5, {4711, 3});
  BOOST_TEST(page[20 + 1] == 3);
  BOOST_TEST(core::load_le<std::uint32_t>(page.data() + 20 + 4 + 4) == 4711u);
  set_multixact_member(page, 1635, {99, 5});
  BOOST_TEST(page[408 * 20 + 3] == 5);
  BOOST_TEST((multixact_member_at(page, 1635) == multixact_member{99, 5}));
  BOOST_TEST((multixact_member_at(page, 5) == multixact_member{4711, 3}));
}

BOOST_AUTO_TEST_CASE(the_last_page_of_members_ends_where_the_numbers_wrap) {
  BOOST_TEST(multixact_members_until_page_end(0) == 1636u);
  BOOST_TEST(multixact_members_until_page_end(1635) == 1u);
  BOOST_TEST(multixact_members_until_page_end(0xFFFFFFFF) == 1u);
  const std::uint32_t last_page_begin = 0xFFFFFFFFu / 1636 * 1636;
  BOOST_TEST(multixact_members_until_page_end(last_page_begin) == 1036u);
}

BOOST_AUTO_TEST_CASE(order_is_circular) {
  BOOST_TEST(precedes(1, 2));
  BOOST_TEST(!precedes(2, 2));
  BOOST_TEST(precedes(0xFFFFFFF0, 3));
  BOOST_TEST(!precedes(3, 0xFFFFFFF0));
}

BOOST_AUTO_TEST_CASE(a_commit_timestamp_takes_ten_bytes_and_disturbs_no_other) {
  core::bytes page(pg::page_size);
  set_commit_timestamp(page, 819 * 7 + 1, {0x0102030405060708, 0x0A0B});
  BOOST_TEST(page[10] == 0x08);
  BOOST_TEST(page[17] == 0x01);
  BOOST_TEST(page[18] == 0x0B);
  BOOST_TEST(page[19] == 0x0A);
  set_commit_timestamp(page, 818, {-1, 0xFFFF});
  BOOST_TEST((commit_timestamp_of(page, 1) == commit_timestamp{0x0102030405060708, 0x0A0B}));
  BOOST_TEST((commit_timestamp_of(page, 818) == commit_timestamp{-1, 0xFFFF}));
  BOOST_TEST((commit_timestamp_of(page, 0) == commit_timestamp{}));
  BOOST_TEST((commit_timestamp_of(page, 2) == commit_timestamp{}));
  BOOST_TEST(page[8190] == 0);
}

BOOST_AUTO_TEST_SUITE_END()
