#include "page_files/page_map.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/page_files/made_map.hpp"

namespace strata::tests {
namespace {

using page_files::page_map;

core::result<page_map> opened(const page_map& map, bool to_write = true) {
  return page_map::open(io::unique_fd(::dup(map.fd())), to_write);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_page_map)

BOOST_AUTO_TEST_CASE(a_file_is_found_by_its_inode_and_described_as_it_was_given) {
  const auto files = described_files({1, 64, 65, 131072, 0});
  auto map = page_map::make(files);
  BOOST_TEST_REQUIRE(map.has_value());
  BOOST_TEST(map->file_count() == files.size());
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    BOOST_TEST((map->file(i) == files[i].file));
    BOOST_TEST((map->find(files[i].inode) == i));
    BOOST_TEST(map->missing(i) == files[i].file.pages);
  }
  BOOST_TEST(!map->find({7, 999}));
  BOOST_TEST(!map->find({8, 1000}));
  BOOST_TEST(map->missing() == 1u + 64 + 65 + 131072);
  BOOST_TEST(map->range(2, 5, 3).first == 2 * pg::blocks_per_relation_segment + 5);
}

BOOST_AUTO_TEST_CASE(presence_is_kept_around_the_edges_of_a_word) {
  page_map map = made_map({200, 200});
  for (const std::uint32_t first : {0u, 1u, 62u, 63u, 64u, 65u, 127u, 128u})
    for (const std::uint32_t count : {1u, 2u, 63u, 64u, 65u}) {
      map = made_map({200, 200});
      map.set_present(1, first, count);
      for (std::uint32_t page = 0; page < 200; ++page)
        BOOST_TEST_REQUIRE(map.present(1, page) == (page >= first && page < first + count));
      BOOST_TEST_REQUIRE(map.missing(1) == 200 - count);
      BOOST_TEST_REQUIRE(map.missing(0) == 200u);
      BOOST_TEST_REQUIRE(map.missing() == 400 - count);
      BOOST_TEST_REQUIRE(map.first_missing(1, first, 200) == first + count);
      BOOST_TEST_REQUIRE(map.first_missing(1, first, first + count) == first + count);
      map.set_present(1, first, count);
      BOOST_TEST_REQUIRE(map.missing(1) == 200 - count);
    }
}

BOOST_AUTO_TEST_CASE(pages_above_the_limit_are_not_missing_and_the_limit_only_falls) {
  page_map map = made_map({130});
  map.set_present(0, 60, 10);
  map.lower_limit(0, 65);
  BOOST_TEST(map.limit(0) == 65u);
  BOOST_TEST(map.missing(0) == 60u);
  BOOST_TEST(map.missing() == 60u);
  map.lower_limit(0, 100);
  BOOST_TEST(map.limit(0) == 65u);
  BOOST_TEST(map.first_missing(0, 60, 130) == 130u);
  map.set_present(0, 0, 130);
  BOOST_TEST(map.missing(0) == 0u);
  BOOST_TEST(map.missing() == 0u);
}

BOOST_AUTO_TEST_CASE(a_map_is_taken_over_through_its_descriptor) {
  page_map map = made_map({100, 100});
  map.set_present(0, 3, 4);
  map.lower_limit(1, 50);
  map.lower_no_ahead_from(1, 40);
  const page_files::taken_event event{.fd = 17, .process = 4711, .file = 1, .first = 9, .count = 2};
  map.record_taken(255, event);
  map.record_taken(0, event);
  map.clear_taken(0);
  auto taken_over = opened(map);
  BOOST_TEST_REQUIRE(taken_over.has_value());
  BOOST_TEST(taken_over->present(0, 6));
  BOOST_TEST(!taken_over->present(0, 7));
  BOOST_TEST(taken_over->limit(1) == 50u);
  BOOST_TEST(taken_over->no_ahead_from(1) == 40u);
  BOOST_TEST(taken_over->missing() == 96u + 50);
  BOOST_TEST((taken_over->taken(255) == event));
  BOOST_TEST(!taken_over->taken(0));
}

BOOST_AUTO_TEST_CASE(what_is_not_a_map_is_refused) {
  const auto refused = [](io::unique_fd fd) {
    auto opened = page_map::open(std::move(fd), false);
    return !opened && opened.error().code == core::errc::corrupt;
  };
  BOOST_TEST(refused(io::unique_fd(::memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING))));
  const page_map map = made_map({100, 3});
  // The same bytes, not sealed.
  std::vector<char> bytes(static_cast<std::size_t>(::lseek(map.fd(), 0, SEEK_END)));
  BOOST_TEST_REQUIRE(::pread(map.fd(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  const auto copy = [&](std::size_t length, bool sealed) {
    io::unique_fd fd(::memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    BOOST_TEST_REQUIRE(::write(fd.get(), bytes.data(), length) == static_cast<ssize_t>(length));
    if (sealed) BOOST_TEST_REQUIRE(::fcntl(fd.get(), F_ADD_SEALS, ::fcntl(map.fd(), F_GET_SEALS)) == 0);
    return fd;
  };
  BOOST_TEST(refused(copy(bytes.size(), false)));
  BOOST_TEST(page_map::open(copy(bytes.size(), true), true).has_value());
  BOOST_TEST(refused(copy(bytes.size() - 1, true)));
  BOOST_TEST(refused(copy(20, true)));
  // No damage of one byte may be followed out of the map: it is refused, or it is a value that stays within bounds.
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char before = bytes[at];
    bytes[at] = static_cast<char>(~before);
    if (auto opened = page_map::open(copy(bytes.size(), true), true)) {
      for (std::uint32_t file = 0; file < opened->file_count(); ++file) {
        BOOST_TEST_REQUIRE(opened->limit(file) <= opened->file(file).pages);
        BOOST_TEST_REQUIRE(opened->first_missing(file, 0, 100) <= 100u);
      }
    }
    bytes[at] = before;
  }
}

BOOST_AUTO_TEST_CASE(files_that_can_not_be_described_are_refused) {
  auto files = described_files({1, 2});
  files[1].inode = files[0].inode;
  BOOST_TEST(!page_map::make(files).has_value());
  BOOST_TEST(!page_map::make(described_files({pg::blocks_per_relation_segment + 1})).has_value());
  BOOST_TEST(page_map::make({}).has_value());
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_files_of_20_gigabytes_take_a_few_megabytes) {
  std::vector<page_files::sparse_file> files;
  for (std::uint32_t i = 0; i < 100'000; ++i)
    files.push_back({{.path = "base/5/" + std::to_string(16384 + i),
                      .relation = {pg::default_tablespace, 5, 16384 + i, pg::fork::main},
                      .pages = i < 20 ? 131072u : 1u},
                     {.device = 7, .inode = 1000 + i}});
  auto map = page_map::make(files);
  BOOST_TEST_REQUIRE(map.has_value());
  BOOST_TEST(::lseek(map->fd(), 0, SEEK_END) < 12 << 20);
  BOOST_TEST(opened(*map).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
