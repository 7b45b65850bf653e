#include "actors/compute/stream_guard.hpp"

#include <boost/test/unit_test.hpp>
#include <string_view>

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

struct with_guard {
  with_guard() { wal.append({.main_data = core::bytes(300, 1)}); }
  [[nodiscard]] stream_guard guard() const {
    return {wal.start(), pg::major_version::v15, pg::default_wal_segment_size, 4711};
  }
  tests::wal_builder wal{{.start = core::lsn(3 * pg::default_wal_segment_size)}};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_compute_stream_guard, with_guard)

BOOST_AUTO_TEST_CASE(a_tablespace_at_a_place_of_the_machine_is_refused_before_its_last_byte_is_passed) {
  wal.fill_page_until(40);
  const auto placed = wal.append(tablespace_record(0x00, "/mnt/fast"));
  wal.append({.main_data = core::bytes(300, 2)});
  const core::bytes& all = wal.stream();
  for (std::size_t piece : {1, 7, 8192, 100'000}) {
    auto tested = guard();
    std::optional<stream_guard::refusal> found;
    std::size_t passed = 0;
    while (passed < all.size() && !found) {
      const std::size_t size = std::min(piece, all.size() - passed);
      const auto seen = tested.examine(wal.start() + passed, core::bytes_view(all).subspan(passed, size));
      BOOST_REQUIRE(seen);
      found = *seen;
      if (!found) passed += size;
    }
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->path == "/mnt/fast");
    BOOST_TEST(found->end == placed.end);
    BOOST_TEST((wal.start() + passed < placed.end));
  }
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
  BOOST_REQUIRE(seen->has_value());
  BOOST_TEST((*seen)->end == placed.end);
}

BOOST_AUTO_TEST_CASE(damaged_wal_is_an_error) {
  wal.stream()[100] ^= 1;
  BOOST_TEST(!guard().examine(wal.start(), wal.stream()).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
