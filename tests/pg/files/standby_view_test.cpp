#include "pg/files/standby_view.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <vector>

#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/wal_builder.hpp"

using namespace strata;
using namespace strata::pg::files;

namespace {

constexpr std::uint64_t segment = pg::default_wal_segment_size;

/// A stream whose record of interest begins `left` bytes before the end of a page.
struct stream_with_record {
  explicit stream_with_record(core::lsn start, std::uint32_t left) : wal({.start = start, .previous = start - 64}) {
    wal.append({.main_data = core::bytes(100, 1)});
    wal.fill_page_until(left);
    position = wal.position();
    previous = wal.previous();
    record = wal.append(of).start;
    wal.append({.main_data = core::bytes(5000, 3)});
  }
  [[nodiscard]] core::bytes rest() const {
    auto copy = wal;
    const core::bytes& all = copy.stream();
    return {all.begin() + static_cast<std::ptrdiff_t>(record - wal.start()), all.end()};
  }

  tests::wal_builder wal;
  tests::wal_record of{
      .manager = pg::wal::resource_manager::heap, .info = 0x20, .xid = 77, .main_data = core::bytes(200, 2)};
  core::lsn position;  ///< end of the record before
  core::lsn previous;
  core::lsn record;
};

standby_view view_of(const stream_with_record& from, pg::transaction_id oldest_active = 41) {
  start_point at;
  at.position = from.position;
  at.system_id = 4711;
  at.counters.next_xid = 815;
  at.counters.oldest_active_xid = oldest_active;
  auto made = standby_segments(at);
  BOOST_REQUIRE(made);
  return {*std::move(made), pg::default_wal_segment_size};
}

core::bytes patched(const standby_view& view, core::bytes rest, std::vector<std::size_t> cuts) {
  record_link_patch patch(view);
  cuts.push_back(rest.size());
  std::size_t from = 0;
  for (const std::size_t to : cuts) {
    patch.apply(view.record() + from, core::bytes_span(rest).subspan(from, to - from));
    from = to;
  }
  return rest;
}

/// What a server reads, as any reader of WAL would: the private checkpoint, then the record with its new link.
void check_stream(const stream_with_record& from) {
  const standby_view view = view_of(from);
  BOOST_TEST(view.record() == from.record);
  core::bytes stream;
  for (core::lsn at = view.wal().checkpoint; at < view.record();) {
    const core::bytes piece = view.read(at, 48);
    BOOST_REQUIRE(!piece.empty());
    core::append(stream, piece);
    at = at + piece.size();
  }
  core::append(stream, patched(view, from.rest(), {}));

  pg::wal::stream_decoder decoder({.start = view.wal().checkpoint,
                                   .major = pg::major_version::v15,
                                   .segment_size = pg::default_wal_segment_size,
                                   .system_id = 4711,
                                   .starts_at_record = true});
  decoder.feed(stream);
  const auto checkpoint = decoder.next();
  BOOST_REQUIRE(checkpoint);
  BOOST_REQUIRE(*checkpoint);
  BOOST_TEST((*checkpoint)->start == view.wal().checkpoint);
  BOOST_TEST((*checkpoint)->bytes[16] == 0x10);  // online
  const auto taken = checkpoint::decode((*checkpoint)->bytes.subspan(26));
  BOOST_REQUIRE(taken);
  BOOST_TEST(taken->redo == view.wal().checkpoint);
  BOOST_TEST(taken->next_xid == 815u);
  const auto record = decoder.next();
  if (!record) BOOST_FAIL(core::to_string(record.error()));
  BOOST_REQUIRE(*record);
  BOOST_TEST((*record)->start == from.record);
  const core::bytes expected = tests::encode_record(from.of, view.wal().checkpoint);
  const core::bytes_view found = (*record)->bytes.first(expected.size());
  BOOST_TEST(std::equal(found.begin(), found.end(), expected.begin()));
  const auto after = decoder.next();
  BOOST_REQUIRE(after);
  BOOST_TEST(after->has_value());
}

const core::lsn inside(segment * 3 + 5 * pg::wal_page_size);
/// The page after this one begins a segment.
const core::lsn last_page(segment * 4 - pg::wal_page_size);

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_standby_view)

BOOST_AUTO_TEST_CASE(the_first_record_follows_the_private_checkpoint_wherever_it_begins) {
  for (const core::lsn start : {inside, last_page})
    for (const std::uint32_t left : {0u, 8u, 16u, 24u, 32u, 40u, 104u, 112u, 120u, 128u, 4096u}) {
      BOOST_TEST_CONTEXT("begins " << left << " bytes before the end of the page at " << core::to_string(start))
      check_stream(stream_with_record(start, left));
    }
}

BOOST_AUTO_TEST_CASE(the_checkpoint_crosses_into_the_page_of_the_record) {
  for (const core::lsn start : {inside, last_page})
    for (std::size_t before = 0; before <= 136; before += 8) {
      // A record that fills its page but for what then stands before the record of interest.
      tests::wal_builder wal({.start = start, .previous = start - 64});
      wal.fill_page_until(0);
      const core::lsn page = wal.position();
      const std::uint64_t header = page.value % segment == 0 ? 40 : 24;
      start_point at;
      at.position = before == 0 ? page : page + header + before;
      at.counters.oldest_active_xid = 5;
      const auto made = standby_segments(at);
      BOOST_REQUIRE(made);
      BOOST_TEST(made->record == page + header + before);
      const core::lsn expected = before >= 120 ? made->record - 120 : page - (120 - before);
      BOOST_TEST(made->checkpoint == expected);
      const bool two_files = before < 120 && page.value % segment == 0;
      BOOST_TEST(made->segments.size() == (two_files ? 2u : 1u));
    }
}

BOOST_AUTO_TEST_CASE(every_division_of_the_stream_gives_the_same_bytes) {
  for (const std::uint32_t left : {8u, 16u, 24u, 4096u}) {
    const stream_with_record from(last_page, left);
    const standby_view view = view_of(from);
    const core::bytes whole = patched(view, from.rest(), {});
    BOOST_TEST((whole != from.rest()));
    std::vector<std::size_t> each;
    for (std::size_t cut = 1; cut < 100; ++cut) {
      BOOST_TEST((patched(view, from.rest(), {cut}) == whole));
      each.push_back(cut);
    }
    BOOST_TEST((patched(view, from.rest(), each) == whole));
  }
}

BOOST_AUTO_TEST_CASE(nothing_but_the_link_and_the_checksum_changes) {
  const stream_with_record from(inside, 4096);
  const core::bytes before = from.rest();
  const core::bytes after = patched(view_of(from), before, {});
  for (std::size_t i = 0; i < before.size(); ++i)
    if (i < 8 || (i >= 16 && i < 20) || i >= 24) BOOST_REQUIRE_EQUAL(before[i], after[i]);
}

BOOST_AUTO_TEST_CASE(where_nothing_runs_the_checkpoint_is_of_the_shutdown_type) {
  const stream_with_record from(inside, 4096);
  const standby_view quiet = view_of(from, 0);
  BOOST_TEST(quiet.read(quiet.wal().checkpoint, 24)[16] == 0x00);
}

BOOST_AUTO_TEST_CASE(a_position_without_wal_before_it_is_refused) {
  start_point at;
  at.position = core::lsn(segment + 40);
  BOOST_TEST(!standby_segments(at).has_value());
  at.position = core::lsn(segment + 40 + 120);
  BOOST_TEST(standby_segments(at).has_value());
  at.position = core::lsn(segment * 3 + 12);
  BOOST_TEST(!standby_segments(at).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
