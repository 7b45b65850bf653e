#include "storage/metadata/metadata_space.hpp"

#include <unistd.h>

#include "storage/metadata/metadata_rebuild.hpp"
#include "tests/storage/metadata/metadata_fixture.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/small_disk.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

namespace fs = std::filesystem;

/// Metadata on a small disk of its own, which can be filled.
struct fixture : tests::metadata_fixture {
  fixture() {
    home = disk.place() / "metadata";
    copies = disk.place() / "tenants";
  }
  [[nodiscard]] bool can_not_run() const {
    if (disk.problem.empty()) return false;
    BOOST_TEST_MESSAGE("SKIPPED: no small disk can be mounted here: " << disk.problem);
    return true;
  }
  /// Until only so much is left.
  void fill_disk(std::uint64_t left) const {
    std::ofstream file(filler(), std::ios::app | std::ios::binary);
    const std::string block(4096, 'x');
    while (fs::space(disk.place()).available > left && file.write(block.data(), 4096).flush()) continue;
  }
  [[nodiscard]] fs::path filler() const { return disk.place() / "filler"; }
  static void check_says_full(const core::result<void>& refused, const std::string& doing) {
    BOOST_TEST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == core::errc::disk_full), refused.error().detail);
    BOOST_TEST(refused.error().detail.starts_with("disk full: less than "), refused.error().detail);
    BOOST_TEST(refused.error().detail.find(" MiB left on the file system of ") != std::string::npos,
               refused.error().detail);
    BOOST_TEST(refused.error().detail.ends_with(doing), refused.error().detail);
  }
  template <class T>
  static core::result<void> outcome(const core::result<T>& of) {
    if (of) return {};
    return of.error();
  }

  tests::small_disk disk{"128m"};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_metadata_space, fixture)

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_before_the_metadata_is_opened_and_nothing_is_lost) {
  if (can_not_run()) return;
  std::string before;
  {
    const auto store = open();
    fill(*store, shop, "shop");
    before = content(*store, shop.id);
  }
  fill_disk(0);
  check_says_full(outcome(try_open()), "the metadata can't be opened for writing");
  const auto rebuilt = rebuild_metadata(home.string(), copies.string(), true);
  check_says_full(outcome(rebuilt), "the metadata can't be rebuilt");
  fs::remove(filler());
  BOOST_TEST(content(*open(), shop.id) == before);
}

BOOST_AUTO_TEST_CASE(metadata_opens_when_no_more_than_what_is_asked_for_is_left) {
  if (can_not_run()) return;
  for (int round = 0; round < 3; ++round) {
    {
      const auto store = open();
      fill(*store, round == 0 ? shop : bank, round == 0 ? "shop" : "bank");
    }
    // To the block: what is refused with one less must do.
    fill_disk(0);
    std::uint64_t left = 0;
    while (!try_open()) {
      BOOST_TEST_REQUIRE(left < (32u << 20));
      left += 1u << 20;
      fs::resize_file(filler(), fs::file_size(filler()) - (1u << 20));
    }
    BOOST_TEST(left > 0u);
    fs::remove(filler());
  }
}

BOOST_AUTO_TEST_CASE(new_metadata_needs_room_too) {
  if (can_not_run()) return;
  fs::create_directories(home);
  fill_disk(0);
  check_says_full(outcome(try_open()), "the metadata can't be opened for writing");
  fs::remove(filler());
  BOOST_TEST(try_open());
}

BOOST_AUTO_TEST_CASE(room_for_what_is_to_be_written_is_asked_for_beside_the_reserve) {
  if (can_not_run()) return;
  const std::string place = disk.place().string();
  BOOST_TEST(check_metadata_space(io::real_disk(), place, space_use::opening, ""));
  BOOST_TEST(check_metadata_space(io::real_disk(), place + "/not there yet", space_use::opening, ""));
  check_says_full(check_metadata_space(io::real_disk(), place, space_use::opening, "nothing is done", 127u << 20),
                  "nothing is done");
  fill_disk(10u << 20);
  BOOST_TEST(check_metadata_space(io::real_disk(), place, space_use::freeing, ""));
  check_says_full(check_metadata_space(io::real_disk(), place, space_use::growing, "the edit is refused"),
                  "the edit is refused");
}

BOOST_AUTO_TEST_SUITE_END()
