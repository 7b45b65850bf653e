#include "pg/files/start_segment.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "pg/wal/version.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::files;

namespace {

constexpr std::uint64_t segment = pg::default_wal_segment_size;

start_point point(std::uint64_t position) {
  start_point at;
  at.position = core::lsn(position);
  at.previous = core::lsn(position - 48);
  at.system_id = 4711;
  at.counters.next_xid = 815;
  at.counters.oldest_active_xid = 99;
  return at;
}

/// Reads the one record back as any reader of the stream would, and gives its end.
void check_readable(const start_point& at) {
  const auto made = start_segments(at);
  BOOST_REQUIRE(made);
  std::map<std::string, const sparse_file*> files;
  for (const auto& file : made->segments) files[file.name] = &file;

  pg::wal::stream_decoder decoder({.start = at.position,
                                   .major = at.major,
                                   .segment_size = at.segment_size,
                                   .system_id = at.system_id,
                                   .starts_at_record = true});
  std::optional<pg::wal::framed_record> found;
  std::vector<core::bytes> fed;
  while (!found) {
    const core::lsn next = decoder.position();
    const auto file = files.find(wal_segment_name(1, next, at.segment_size));
    BOOST_REQUIRE(file != files.end());
    const std::uint64_t offset = next.value % at.segment_size;
    fed.push_back(file->second->read(offset, std::min<std::uint64_t>(256, at.segment_size - offset)));
    decoder.feed(fed.back());
    auto record = decoder.next();
    if (!record) BOOST_FAIL(core::to_string(record.error()));
    found = *record;
  }
  BOOST_TEST(found->start.value == made->record_start.value);
  BOOST_TEST(found->end.value == made->record_end.value);

  pg::wal::record parsed;
  BOOST_REQUIRE(pg::wal::parse_record(found->bytes, found->start, found->end, at.major, parsed));
  BOOST_TEST(parsed.previous.value == at.previous.value);
  BOOST_TEST(parsed.info == 0);
  BOOST_TEST(parsed.manager == pg::wal::resource_manager::xlog);
  const auto counters = checkpoint::decode(parsed.main_data);
  BOOST_REQUIRE(counters);
  BOOST_TEST((*counters == made->copy));
  BOOST_TEST(counters->redo.value == made->record_start.value);
  BOOST_TEST(counters->oldest_active_xid == 0u);

  // The first page of each file has a valid long header, whatever lies behind it.
  for (const auto& file : made->segments) {
    const core::bytes header = file.read(0, 40);
    BOOST_TEST(core::load_le<std::uint16_t>(header.data()) == pg::wal::page_magic(at.major));
    BOOST_TEST((header[2] & 2) == 2);
    BOOST_TEST(core::load_le<std::uint64_t>(header.data() + 24) == at.system_id);
    BOOST_TEST(core::load_le<std::uint32_t>(header.data() + 32) == at.segment_size);
    BOOST_TEST(file.size == at.segment_size);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_start_segment)

BOOST_AUTO_TEST_CASE(segment_names_count_in_hexadecimal_groups) {
  BOOST_TEST(wal_segment_name(1, core::lsn(0x3000028)) == "000000010000000000000003");
  BOOST_TEST(wal_segment_name(2, core::lsn(0x1FF000000)) == "0000000200000001000000FF");
  BOOST_TEST(wal_segment_name(1, core::lsn(0x1'40000000), 1u << 30) == "000000010000000100000001");
}

BOOST_AUTO_TEST_CASE(a_record_begins_behind_the_header_of_its_page) {
  BOOST_TEST(record_start_at(core::lsn(3 * segment)).value().value == 3 * segment + 40);
  BOOST_TEST(record_start_at(core::lsn(3 * segment + 8192)).value().value == 3 * segment + 8216);
  BOOST_TEST(record_start_at(core::lsn(3 * segment + 8216)).value().value == 3 * segment + 8216);
  BOOST_TEST(record_start_at(core::lsn(3 * segment + 8192 * 2 - 8)).value().value == 3 * segment + 8192 * 2 - 8);
}

BOOST_AUTO_TEST_CASE(positions_where_no_record_can_begin_are_refused) {
  for (const std::uint64_t offset : {1ul, 4ul, 8ul, 32ul, 8192ul + 8, 8192ul + 16, 8192ul + 25}) {
    const auto refused = record_start_at(core::lsn(segment + offset));
    BOOST_REQUIRE_MESSAGE(!refused, "offset " << offset);
    BOOST_TEST(refused.error().code == core::errc::invalid_argument);
    BOOST_TEST(!start_segments(point(segment + offset)));
  }
  BOOST_TEST(!record_start_at(core::lsn(0)));
  BOOST_TEST(!record_start_at(core::lsn(segment), 12345));
  start_point backwards = point(segment + 8000);
  backwards.previous = backwards.position;
  BOOST_TEST(start_segments(backwards).error().code == core::errc::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_normalised_position_is_always_accepted_and_never_earlier_than_its_page) {
  for (const std::uint64_t page : {segment, segment + 8192, 5 * segment - 8192})
    for (std::uint64_t offset = 0; offset < 8192; ++offset) {
      const core::lsn position(page + offset);
      const core::lsn normal = normalise_position(position);
      BOOST_REQUIRE_MESSAGE(record_start_at(normal), "position " << position.value);
      BOOST_REQUIRE(normal.value >= page);
      if (const auto as_it_is = record_start_at(position))
        BOOST_REQUIRE_EQUAL(record_start_at(normal).value().value, as_it_is->value);
    }
}

BOOST_AUTO_TEST_CASE(the_record_can_be_read_back_from_any_position) {
  for (const std::uint64_t page : {3 * segment, 3 * segment + 8192, 3 * segment + 80 * 8192, 4 * segment - 8192})
    for (std::uint64_t offset = 0; offset < 8192; offset += 8)
      if (record_start_at(core::lsn(page + offset))) check_readable(point(page + offset));
}

BOOST_AUTO_TEST_CASE(the_record_can_be_read_back_in_every_major_and_segment_size) {
  for (unsigned major = 14; major <= 18; ++major)
    for (const std::uint32_t size : {1u << 20, 16u << 20, 1u << 30})
      for (const std::uint64_t back : {0, 8, 56, 112, 120, 8192}) {
        start_point at = point(std::uint64_t{7} * size - back);
        at.segment_size = size;
        at.major = static_cast<pg::major_version>(major);
        check_readable(at);
      }
}

BOOST_AUTO_TEST_CASE(a_record_over_the_end_of_a_segment_makes_a_second_file) {
  auto made = start_segments(point(4 * segment - 64));
  BOOST_REQUIRE(made);
  BOOST_REQUIRE_EQUAL(made->segments.size(), 2u);
  BOOST_TEST(made->segments[0].name == "000000010000000000000003");
  BOOST_TEST(made->segments[1].name == "000000010000000000000004");
  const core::bytes header = made->segments[1].read(0, 40);
  BOOST_TEST((header[2] & 1) == 1);
  BOOST_TEST(core::load_le<std::uint32_t>(header.data() + 16) == 114u - 64u);
  BOOST_TEST(made->record_end.value == 4 * segment + 40 + 56);

  made = start_segments(point(4 * segment - 120));
  BOOST_REQUIRE(made);
  BOOST_TEST(made->segments.size() == 1u);
  BOOST_TEST(made->record_end.value == 4 * segment);
}

BOOST_AUTO_TEST_CASE(without_a_previous_record_an_earlier_position_is_named) {
  start_point at = point(3 * segment);
  at.previous = {};
  const auto made = start_segments(at);
  BOOST_REQUIRE(made);
  const core::bytes record = made->segments[0].read(40, 114);
  const auto previous = core::load_le<std::uint64_t>(record.data() + 8);
  BOOST_TEST(previous > 0u);
  BOOST_TEST(previous < at.position.value);
}

BOOST_AUTO_TEST_CASE(reading_a_sparse_file_in_parts_gives_the_whole) {
  const auto made = start_segments(point(3 * segment + 8192 * 9 - 40));
  BOOST_REQUIRE(made);
  const sparse_file& file = made->segments[0];
  const core::bytes whole = file.read(0, file.size);
  core::bytes joined;
  for (std::uint64_t at = 0; at < file.size; at += 100'003)
    core::append(joined, file.read(at, std::min<std::uint64_t>(100'003, file.size - at)));
  BOOST_TEST((joined == whole));
  std::size_t set = 0;
  for (const std::uint8_t byte : whole) set += byte != 0;
  BOOST_TEST(set > 40u);
  BOOST_TEST(set < 114u + 40u + 24u + 24u);
}

BOOST_AUTO_TEST_SUITE_END()
