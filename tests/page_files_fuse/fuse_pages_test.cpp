#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>
#include <thread>

#include "page_files/background_fill.hpp"
#include "tests/page_files_fuse/mounted_files.hpp"

namespace strata::tests {
namespace {

constexpr std::size_t page = pg::page_size;

core::bytes filled_with(std::uint8_t value, std::size_t size) { return core::bytes(size, value); }

/// Replaces a part of bytes.
void put(core::bytes& into, std::size_t offset, const core::bytes& what) {
  std::ranges::copy(what, into.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_fuse_pages, *boost::unit_test::precondition(fuse_works))

BOOST_AUTO_TEST_CASE(a_scan_reads_what_the_source_has_in_large_requests) {
  mounted_files files({6000});
  const open_file file(files.path());
  BOOST_TEST(file.size() == 6000 * page);
  for (std::uint32_t first = 0; first < 6000; first += 8)
    BOOST_TEST_REQUIRE((file.read(first * page, 8 * page) == files.made(first, 8)));
  BOOST_TEST(files.map->missing() == 0);
  BOOST_TEST(files.source.pages() == 6000);
  BOOST_TEST(files.source.largest() == page_files::page_range::count_max);
  BOOST_TEST(files.source.fetches() < 100);
}

BOOST_AUTO_TEST_CASE(random_reads_fetch_little_more_than_they_ask_for) {
  mounted_files files({20000});
  const open_file file(files.path());
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    const std::uint32_t number = 100 + random() % 19900;
    BOOST_TEST_REQUIRE((file.read(number * page, page) == files.made(number, 1)));
  }
  BOOST_TEST(files.source.pages() < 400);
}

BOOST_AUTO_TEST_CASE(a_page_is_fetched_once) {
  mounted_files files({10});
  const open_file file(files.path());
  BOOST_TEST((file.read(3 * page, page) == files.made(3, 1)));
  const auto fetched = files.source.pages();
  files.drop_cache(files.path());
  BOOST_TEST((file.read(3 * page, page) == files.made(3, 1)));
  BOOST_TEST(files.source.pages() == fetched);
}

BOOST_AUTO_TEST_CASE(a_part_of_a_missing_page_is_written_over_the_rest_of_it) {
  mounted_files files({10});
  core::bytes expected = files.made(0, 10);
  {
    const open_file file(files.path());
    put(expected, 2 * page + 100, filled_with('a', 50));
    file.write(2 * page + 100, filled_with('a', 50));
    // One half of a page, as the kernel may write it back.
    put(expected, 4 * page, filled_with('b', 4096));
    file.write(4 * page, filled_with('b', 4096));
    put(expected, 5 * page + 4096, filled_with('c', 2 * page));
    file.write(5 * page + 4096, filled_with('c', 2 * page));
    BOOST_TEST((file.read(0, 10 * page) == expected));
  }
  files.drop_cache(files.path());
  BOOST_TEST((open_file(files.path()).read(0, 10 * page) == expected));
}

BOOST_AUTO_TEST_CASE(whole_pages_are_written_without_a_fetch) {
  mounted_files files({400});
  const open_file file(files.path());
  file.write(8 * page, filled_with('x', 256 * page));
  files.drop_cache(files.path());
  BOOST_TEST(files.source.fetches() == 0);
  BOOST_TEST(files.map->missing() == 400 - 256);
  BOOST_TEST((file.read(8 * page, 256 * page) == filled_with('x', 256 * page)));
  BOOST_TEST((file.read(264 * page, page) == files.made(264, 1)));
}

BOOST_AUTO_TEST_CASE(a_file_grows_with_zeros_that_are_its_own) {
  mounted_files files({10});
  const open_file file(files.path());
  file.truncate(20 * page);
  file.write(25 * page, filled_with('z', page));
  files.drop_cache(files.path());
  BOOST_TEST(file.size() == 26 * page);
  BOOST_TEST((file.read(10 * page, 15 * page) == filled_with(0, 15 * page)));
  BOOST_TEST((file.read(25 * page, page) == filled_with('z', page)));
  BOOST_TEST((file.read(0, 10 * page) == files.made(0, 10)));
}

BOOST_AUTO_TEST_CASE(pages_that_were_cut_off_never_come_back) {
  mounted_files files({100});
  const open_file file(files.path());
  file.truncate(40 * page);
  file.truncate(100 * page);
  BOOST_TEST((file.read(40 * page, 60 * page) == filled_with(0, 60 * page)));
  BOOST_TEST((file.read(0, 40 * page) == files.made(0, 40)));
  files.drop_cache(files.path());
  BOOST_TEST((file.read(0, 40 * page) == files.made(0, 40)));
  BOOST_TEST((file.read(40 * page, 60 * page) == filled_with(0, 60 * page)));
  BOOST_TEST(files.source.pages() == 40);
}

BOOST_AUTO_TEST_CASE(a_cut_within_a_missing_page_keeps_its_first_part) {
  mounted_files files({10});
  const open_file file(files.path());
  file.truncate(5 * page + 3000);
  core::bytes expected = files.made(0, 6);
  expected.resize(5 * page + 3000);
  BOOST_TEST(file.size() == expected.size());
  BOOST_TEST((file.read(0, 10 * page) == expected));
  file.truncate(10 * page);
  expected.resize(10 * page);
  files.drop_cache(files.path());
  BOOST_TEST((file.read(0, 10 * page) == expected));
}

BOOST_AUTO_TEST_CASE(a_cut_while_a_fetch_is_on_its_way_is_not_undone_by_it) {
  mounted_files files({100});
  const open_file file(files.path());
  files.source.hold(true);
  std::thread reader([&] { file.try_read(50 * page, page); });
  BOOST_TEST_REQUIRE(comes_true([&] { return files.source.open() > 0; }));
  // It returns when the kernel has dropped the pages that the reader waits for.
  std::thread cutter([&] { file.truncate(20 * page); });
  const auto below = files.home / "below" / files.files[0].file.path;
  BOOST_TEST(comes_true([&] { return std::filesystem::file_size(below) == 20 * page; }));
  files.source.hold(false);
  reader.join();
  cutter.join();
  BOOST_TEST(comes_true([&] { return files.door().counts().waiting == 0; }));
  BOOST_TEST(std::filesystem::file_size(below) == 20 * page);
  file.truncate(100 * page);
  files.drop_cache(files.path());
  BOOST_TEST((file.read(20 * page, 80 * page) == filled_with(0, 80 * page)));
  BOOST_TEST((file.read(0, 20 * page) == files.made(0, 20)));
}

BOOST_AUTO_TEST_CASE(a_write_while_a_fetch_is_on_its_way_is_not_overwritten_by_it) {
  mounted_files files({3000});
  const open_file file(files.path());
  files.source.hold_from(1500);
  files.source.hold(true);
  // A scan, for which the rest of the file is fetched ahead: the kernel holds none of these pages.
  for (std::uint32_t first = 0; first < 400; first += 8)
    BOOST_TEST_REQUIRE((file.read(first * page, 8 * page) == files.made(first, 8)));
  BOOST_TEST_REQUIRE(comes_true([&] { return files.source.open() >= 8; }));
  // A fetch that begins before 1500 ends before 1628.
  core::bytes expected = files.made(1600, 600);
  for (std::uint32_t number = 1650; number < 2100; number += 7) {
    file.write(number * page, filled_with('w', page));
    put(expected, (number - 1600) * page, filled_with('w', page));
  }
  file.sync();
  BOOST_TEST(files.map->present(0, 1650));
  BOOST_TEST(!files.map->present(0, 1651));
  files.source.hold(false);
  files.drop_cache(files.path());
  BOOST_TEST((file.read(1600 * page, 600 * page) == expected));
}

BOOST_AUTO_TEST_CASE(an_unlinked_file_is_filled_until_it_is_closed) {
  mounted_files files({50});
  const open_file file(files.path());
  std::filesystem::remove(files.path());
  BOOST_TEST((file.read(0, 50 * page) == files.made(0, 50)));
}

BOOST_AUTO_TEST_CASE(a_name_that_is_used_again_is_another_file) {
  mounted_files files({50, 50});
  for (int round = 0; round < 20; ++round) {
    std::filesystem::remove(files.path());
    // ext4 gives the inode number to the next file.
    const open_file file(files.path(), O_RDWR | O_CREAT | O_EXCL);
    file.truncate(50 * page);
    files.drop_cache(files.path());
    BOOST_TEST_REQUIRE((file.read(0, 50 * page) == filled_with(0, 50 * page)));
  }
  BOOST_TEST(files.source.fetches() == 0);
}

BOOST_AUTO_TEST_CASE(a_file_keeps_its_pages_under_another_name) {
  mounted_files files({50, 60});
  const auto moved = files.home / "mount/base/moved";
  std::filesystem::rename(files.path(0), moved);
  BOOST_TEST((open_file(moved).read(0, 50 * page) == files.made(0, 50)));
  // Over a file that is open.
  const open_file replaced(files.path(1));
  std::filesystem::rename(moved, files.path(1));
  BOOST_TEST((open_file(files.path(1)).read(0, 50 * page) == files.made(0, 50)));
  BOOST_TEST((replaced.read(0, 60 * page) == files.made(0, 60, 1)));
}

BOOST_AUTO_TEST_CASE(a_file_opened_with_truncation_is_empty) {
  mounted_files files({50});
  const open_file file(files.path(), O_RDWR | O_TRUNC);
  BOOST_TEST(file.size() == 0);
  file.truncate(50 * page);
  BOOST_TEST((file.read(0, 50 * page) == filled_with(0, 50 * page)));
  BOOST_TEST(files.source.fetches() == 0);
}

BOOST_AUTO_TEST_CASE(allocated_space_changes_nothing_that_is_missing) {
  mounted_files files({50});
  const open_file file(files.path());
  BOOST_TEST(::posix_fallocate(file.fd(), 0, 80 * page) == 0);
  BOOST_TEST(file.size() == 80 * page);
  BOOST_TEST((file.read(50 * page, 30 * page) == filled_with(0, 30 * page)));
  BOOST_TEST((file.read(0, 50 * page) == files.made(0, 50)));
  BOOST_TEST(::fallocate(file.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page) == -1);
  BOOST_TEST(errno == EOPNOTSUPP);
}

BOOST_AUTO_TEST_CASE(missing_pages_look_like_data_to_copying_programs) {
  mounted_files files({50});
  const open_file file(files.path());
  BOOST_TEST(::lseek(file.fd(), 0, SEEK_DATA) == 0);
  BOOST_TEST(::lseek(file.fd(), 0, SEEK_HOLE) == static_cast<off_t>(50 * page));
  const auto copy = files.home / "copy";
  std::filesystem::copy_file(files.path(), copy);
  BOOST_TEST((open_file(copy).read(0, 50 * page) == files.made(0, 50)));
}

BOOST_AUTO_TEST_CASE(prefetched_pages_are_fetched_at_the_same_time) {
  mounted_files files({20000});
  const open_file file(files.path());
  files.source.hold(true);
  for (std::uint32_t number = 100; number < 20000; number += 1000)
    BOOST_TEST(::posix_fadvise(file.fd(), static_cast<off_t>(number * page), page, POSIX_FADV_WILLNEED) == 0);
  BOOST_TEST(comes_true([&] { return files.source.open() >= 20; }));
  files.source.hold(false);
  BOOST_TEST((file.read(100 * page, page) == files.made(100, 1)));
}

BOOST_AUTO_TEST_CASE(what_nobody_reads_is_fetched_in_the_background_and_keeps_what_was_written) {
  mounted_files files({400, 300, 200});
  const open_file written(files.path(0));
  written.write(7 * page, filled_with('w', page));
  std::filesystem::remove(files.path(1));
  const open_file cut(files.path(2));
  cut.truncate(50 * page);
  page_files::background_fill rest(*files.map,
                                   [&](std::uint32_t file, std::uint32_t first, std::uint32_t count) {
                                     return files.door().fetch(file, first, count);
                                   },
                                   {.directory = files.home.path().string(), .reserve = 0});
  BOOST_TEST(comes_true([&] { return rest.is_done(); }));
  BOOST_TEST(files.map->missing() == 0);
  core::bytes expected = files.made(0, 400);
  put(expected, 7 * page, filled_with('w', page));
  BOOST_TEST((written.read(0, 400 * page) == expected));
  BOOST_TEST((cut.read(0, 50 * page) == files.made(0, 50, 2)));
  BOOST_TEST(cut.size() == 50 * page);
  BOOST_TEST((files.door().fetch(1, 0, 8).error().code == core::errc::not_found));
}

BOOST_AUTO_TEST_CASE(a_background_fetch_that_fails_is_tried_again_and_ends_with_the_door) {
  mounted_files files({400});
  files.source.fail(true);
  BOOST_TEST(!files.door().fetch(0, 0, 8).has_value());
  files.source.fail(false);
  BOOST_TEST(files.door().fetch(0, 0, 8).has_value());
  files.source.hold(true);
  // Whatever it is told: it returns.
  std::thread waiting([&] { [[maybe_unused]] const auto fetched = files.door().fetch(0, 100, 8); });
  BOOST_TEST(comes_true([&] { return files.door().counts().waiting == 1; }));
  files.thread.reset();
  waiting.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
