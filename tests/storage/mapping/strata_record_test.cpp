#include "storage/strata_record.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <random>

#include "pg/files/slru.hpp"
#include "tests/storage/mapping/mapping_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;
using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(storage_mapping_strata_record)

BOOST_AUTO_TEST_CASE(an_empty_payload_leaves_the_page_as_it_is) {
  core::bytes page(pg::page_size, 3);
  BOOST_TEST(apply_strata_record({}, page));
  BOOST_TEST(page == core::bytes(pg::page_size, 3));
}

BOOST_AUTO_TEST_CASE(several_changes_are_applied_in_order) {
  core::bytes payload;
  const std::array<pg::transaction_id, 2> first{5, 32768 + 6};
  const std::array<pg::transaction_id, 1> second{5};
  encode_clog_status(payload, transaction_status::committed, first);
  encode_clog_status(payload, transaction_status::aborted, second);
  core::bytes page(pg::page_size);
  BOOST_TEST(apply_strata_record(payload, page));
  BOOST_TEST(pg::files::clog_status_of(page, 5) == pg::files::clog_status::aborted);
  BOOST_TEST(pg::files::clog_status_of(page, 6) == pg::files::clog_status::committed);
}

BOOST_AUTO_TEST_CASE(commit_timestamps_go_to_their_places) {
  core::bytes payload;
  const std::array<pg::transaction_id, 2> xids{819, 819 + 818};
  encode_commit_timestamps(payload, {77, 3}, xids);
  core::bytes page(pg::page_size);
  BOOST_TEST(apply_strata_record(payload, page));
  BOOST_TEST((pg::files::commit_timestamp_of(page, 0) == pg::files::commit_timestamp{77, 3}));
  BOOST_TEST((pg::files::commit_timestamp_of(page, 818) == pg::files::commit_timestamp{77, 3}));
  BOOST_TEST((pg::files::commit_timestamp_of(page, 1) == pg::files::commit_timestamp{}));
  core::store_le(payload.data() + payload.size() - 2, std::uint16_t{819});
  BOOST_TEST(!apply_strata_record(payload, page));
}

BOOST_AUTO_TEST_CASE(whatever_the_payload_contains_only_the_page_changes_or_it_is_refused) {
  std::mt19937 random(17);
  std::uint32_t refused = 0;
  std::uint32_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    core::bytes payload(random() % 24);
    for (std::uint8_t& byte : payload) byte = static_cast<std::uint8_t>(random());
    if (!payload.empty()) payload[0] = static_cast<std::uint8_t>(random() % 8);
    core::bytes page = make_page(static_cast<std::uint8_t>(i));
    const auto applied = apply_strata_record(payload, page);
    ++(applied ? accepted : refused);
    if (!applied) BOOST_TEST(applied.error().code == core::errc::corrupt);
  }
  BOOST_TEST(refused > 1000u);
  BOOST_TEST(accepted > 100u);
}

BOOST_AUTO_TEST_SUITE_END()
