#include "actors/compute/stream_guard.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/printing.hpp"
#include "tests/support/wal_builder.hpp"

using namespace strata;
using namespace strata::actors::compute;

namespace {

tests::wal_record tablespace_record(std::uint8_t info, std::string_view path) {
  tests::wal_record made{.manager = pg::wal::resource_manager::tablespace, .info = info};
  core::append_le(made.main_data, pg::oid{16400});
  if (info == 0) {
    made.main_data.insert(made.main_data.end(), path.begin(), path.end());
    made.main_data.push_back(0);
  }
  return made;
}

/// The paths of the records that create tablespaces. Checks every CRC on the way.
std::vector<std::string> paths_in(const core::bytes& stream, core::lsn start) {
  std::vector<std::string> made;
  pg::wal::stream_decoder decoder({.start = start, .system_id = 4711});
  decoder.feed(stream);
  for (;;) {
    const auto framed = decoder.next();
    BOOST_REQUIRE_MESSAGE(framed.has_value(), (framed ? "" : framed.error().detail));
    if (!*framed) return made;
    pg::wal::record record;
    BOOST_REQUIRE(
        pg::wal::parse_record((*framed)->bytes, (*framed)->start, (*framed)->end, pg::major_version::v15, record));
    // As Postgres reads it: up to the first zero.
    if (record.manager == pg::wal::resource_manager::tablespace)
      made.emplace_back(reinterpret_cast<const char*>(record.main_data.data()) + 4);
  }
}

struct with_guard {
  with_guard() { wal.append({.main_data = core::bytes(300, 1)}); }
  [[nodiscard]] stream_guard guard() const {
    return {wal.start(), pg::major_version::v15, pg::default_wal_segment_size, 4711};
  }
  tests::wal_builder wal{{.start = core::lsn(3 * pg::default_wal_segment_size)}};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_compute_stream_guard, with_guard)

BOOST_AUTO_TEST_CASE(a_tablespace_at_a_place_of_the_machine_gets_into_the_directory) {
  // The record also crosses a page, within its header and after it.
  for (const std::uint32_t left : {3000u, 48u, 24u, 8u}) {
    tests::wal_builder stream{{.start = core::lsn(3 * pg::default_wal_segment_size)}};
    stream.append({.main_data = core::bytes(300, 1)});
    stream.fill_page_until(left);
    stream.append(tablespace_record(0x00, "/mnt/fast"));
    stream.append({.main_data = core::bytes(300, 2)});
    stream_guard tested(stream.start(), pg::major_version::v15, pg::default_wal_segment_size, 4711);
    const auto seen = tested.examine(stream.start(), stream.stream());
    BOOST_REQUIRE((seen && !*seen));
    for (int time = 0; time < 2; ++time) {
      core::bytes changed = stream.stream();
      // In two pieces, as another upstream might send it, and again.
      const std::size_t cut = changed.size() - 250;
      tested.change(stream.start(), core::bytes_span(changed).first(cut));
      tested.change(stream.start() + cut, core::bytes_span(changed).subspan(cut));
      BOOST_TEST(paths_in(changed, stream.start()) == std::vector<std::string>{""}, boost::test_tools::per_element());
    }
    BOOST_TEST(tested.changes(stream.start(), stream.stream().size()));
    BOOST_TEST(!tested.changes(stream.start(), 300));
    BOOST_TEST(!tested.changes(stream.position(), 300));
  }
}

BOOST_AUTO_TEST_CASE(where_its_path_cannot_be_taken_out_it_is_refused_before_its_last_byte_is_passed) {
  wal.fill_page_until(40);
  const auto placed = wal.append(tablespace_record(0x00, "/mnt/fast"));
  wal.append({.main_data = core::bytes(300, 2)});
  const core::bytes& all = wal.stream();
  const std::size_t crc = placed.start - wal.start() + 20;
  struct attempt {
    pg::major_version major;
    std::size_t first;
    bool refused;
  };
  for (const auto& [major, first, refused] :
       {attempt{pg::major_version::v15, crc, false}, attempt{pg::major_version::v15, crc + 1, true},
        attempt{pg::major_version::v15, crc + 19, true}}) {
    stream_guard tested(wal.start(), major, pg::default_wal_segment_size, 4711);
    BOOST_TEST(!tested.examine(wal.start(), core::bytes_view(all).first(first))->has_value());
    const auto seen = tested.examine(wal.start() + first, core::bytes_view(all).subspan(first));
    BOOST_REQUIRE(seen);
    BOOST_TEST(seen->has_value() == refused, first - crc);
    if (!refused) continue;
    BOOST_TEST((*seen)->path == "/mnt/fast");
    BOOST_TEST((*seen)->end == placed.end);
  }
  tests::wal_builder older{{.start = wal.start(), .major = pg::major_version::v14}};
  older.append(tablespace_record(0x00, "/mnt/fast"));
  stream_guard of_14(wal.start(), pg::major_version::v14, pg::default_wal_segment_size, 4711);
  BOOST_TEST(of_14.examine(wal.start(), older.stream())->has_value());
}

BOOST_AUTO_TEST_CASE(a_tablespace_inside_of_the_directory_and_the_end_of_one_pass) {
  wal.append(tablespace_record(0x00, ""));
  wal.append(tablespace_record(0x10, ""));
  wal.append({.main_data = core::bytes(20'000, 2)});
  auto tested = guard();
  const auto seen = tested.examine(wal.start(), wal.stream());
  BOOST_REQUIRE(seen);
  BOOST_TEST(!seen->has_value());
}

BOOST_AUTO_TEST_CASE(bytes_that_come_again_are_known) {
  const std::size_t first = wal.stream().size();
  auto tested = guard();
  BOOST_TEST(!tested.examine(wal.start(), wal.stream())->has_value());
  BOOST_TEST(!tested.examine(wal.start(), wal.stream())->has_value());
  const auto placed = wal.append(tablespace_record(0x00, "/mnt/fast"));
  const auto seen = tested.examine(wal.start() + first / 2, core::bytes_view(wal.stream()).subspan(first / 2));
  BOOST_REQUIRE(seen);
  BOOST_TEST(!seen->has_value());
  BOOST_TEST(tested.changes(placed.start, placed.end - placed.start));
}

BOOST_AUTO_TEST_CASE(the_number_of_tablespaces_has_a_limit) {
  auto tested = guard();
  BOOST_TEST(!tested.examine(wal.start(), wal.stream())->has_value());
  for (std::size_t i = 0; i <= stream_guard::tablespaces_max; ++i) {
    const core::lsn at = wal.position();
    wal.append(tablespace_record(0x00, "/mnt/fast"));
    const auto seen = tested.examine(at, core::bytes_view(wal.stream()).subspan(at - wal.start()));
    BOOST_REQUIRE(seen);
    BOOST_REQUIRE(seen->has_value() == (i == stream_guard::tablespaces_max));
  }
}

BOOST_AUTO_TEST_CASE(damaged_wal_is_an_error) {
  wal.stream()[100] ^= 1;
  BOOST_TEST(!guard().examine(wal.start(), wal.stream()).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
