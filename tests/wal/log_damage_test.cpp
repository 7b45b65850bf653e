#include <boost/test/unit_test.hpp>

#include "tests/support/simulated_disk.hpp"
#include "tests/wal/log_cases.hpp"
#include "wal/log.hpp"
#include "wal/segment_file.hpp"

namespace strata::tests {
namespace {

using core::errc;

/// Two whole segments and a part of a third, made durable piece by piece.
struct durable_log {
  simulated_disk disk;
  core::bytes content;
  std::vector<std::string> files;

  durable_log() {
    BOOST_REQUIRE(disk.make_directory("/log"));
    auto options = small_log("/log");
    auto made = wal::log::create(disk, options, small_log_begin);
    BOOST_REQUIRE_MESSAGE(made, why(made));
    for (const std::size_t length : {200, 24, 1500, 8, 2000, 600, 3300, 511, 40, 1200}) {
      const auto piece = wal_bytes(small_log_begin + content.size(), length);
      BOOST_REQUIRE(append_to(**made, piece));
      core::append(content, piece);
      (*made)->sync();
    }
    const auto names = disk.list("/log");
    for (const auto& name : *names) files.push_back("/log/" + name);
    BOOST_REQUIRE(files.size() == 3u);
  }
  /// Nothing is known but what the log itself tells.
  auto open() { return wal::log::open(disk, small_log("/log"), small_log_begin, small_log_begin); }
};

bool names_file_and_offset(const core::error& error, const std::string& path) {
  return error.code == errc::corrupt && error.detail.find(path) != std::string::npos &&
         error.detail.find("offset") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wal_log_damage)

BOOST_AUTO_TEST_CASE(every_changed_byte_is_found_or_was_never_part_of_the_log) {
  durable_log the;
  std::size_t found = 0;
  std::size_t harmless = 0;
  for (const auto& path : the.files) {
    const auto before = the.disk.content(path);
    for (std::size_t offset = 0; offset < before.size(); ++offset) {
      for (const std::uint8_t mask : {0xFF, 0x01, 0x80}) {
        the.disk.flip(path, offset, mask);
        const auto opened = the.open();
        if (!opened) {
          // The version tells another format; everything else is damage with a place.
          const bool named = names_file_and_offset(opened.error(), path);
          BOOST_TEST_REQUIRE(named, path << " offset " << offset << ": " << why(opened));
          ++found;
        } else {
          // Opened although a byte was changed: it was behind the frames.
          const auto all = read_all(**opened);
          BOOST_TEST_REQUIRE((all && *all == the.content), path << " offset " << offset);
          BOOST_TEST_REQUIRE(before[offset] == 0);
          ++harmless;
        }
        the.disk.set_content(path, before);
      }
    }
  }
  BOOST_TEST_MESSAGE(found << " found, " << harmless << " behind the end");
  BOOST_TEST(found > 3 * the.content.size());
  BOOST_TEST(harmless > 0u);
}

BOOST_AUTO_TEST_CASE(every_changed_byte_is_found_by_a_reader_of_an_open_log) {
  durable_log the;
  for (const auto& path : the.files) {
    const auto before = the.disk.content(path);
    for (std::size_t offset = wal::segment_header_size; offset < before.size(); ++offset) {
      const auto opened = the.open();
      BOOST_REQUIRE(opened);
      the.disk.flip(path, offset, 0x10);
      core::bytes all(the.content.size());
      const auto got = (*opened)->read(small_log_begin, all);
      if (got)
        BOOST_TEST_REQUIRE((*got == all.size() && all == the.content), path << " offset " << offset);
      else
        BOOST_TEST_REQUIRE(names_file_and_offset(got.error(), path), why(got));
      the.disk.flip(path, offset, 0x10);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_lost_sector_is_told_from_one_that_was_never_written) {
  // All of it is durable, and the frames behind say so: no missing sector of an earlier frame passes.
  durable_log the;
  const auto path = the.files.front();
  const auto before = the.disk.content(path);
  for (std::size_t sector = 1; (sector + 2) * 512 < before.size(); ++sector) {
    auto damaged = before;
    std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(sector * 512), 512, 0);
    the.disk.set_content(path, damaged);
    const auto opened = the.open();
    BOOST_REQUIRE(!opened);
    BOOST_TEST(names_file_and_offset(opened.error(), path), why(opened));
  }
  the.disk.set_content(path, before);

  // Of the last frames nobody says so, but whoever was told that they are durable does.
  const auto last = the.files.back();
  auto damaged = the.disk.content(last);
  std::fill(damaged.begin() + 512, damaged.end(), 0);
  the.disk.set_content(last, damaged);
  const auto refused =
      wal::log::open(the.disk, small_log("/log"), small_log_begin, small_log_begin + the.content.size());
  BOOST_REQUIRE(!refused);
  BOOST_TEST(names_file_and_offset(refused.error(), last), why(refused));
  const auto opened = the.open();
  BOOST_REQUIRE_MESSAGE(opened, why(opened));
  const auto all = read_all(**opened);
  BOOST_REQUIRE(all);
  BOOST_TEST(all->size() < the.content.size());
  BOOST_TEST(std::equal(all->begin(), all->end(), the.content.begin()));
}

BOOST_AUTO_TEST_CASE(every_torn_end_is_cut_off) {
  // A frame of four or five sectors that is not synced, with every subset of its sectors lost.
  for (unsigned lost = 1; lost < 32; ++lost) {
    durable_log the;
    const auto piece = wal_bytes(small_log_begin + the.content.size(), 1900, 1);
    {
      auto opened = the.open();
      BOOST_REQUIRE(opened);
      BOOST_REQUIRE(append_to(**opened, piece));
    }
    const auto path = the.files.back();
    auto content = the.disk.content(path);
    const auto head = std::search(content.begin(), content.end(), piece.begin(), piece.begin() + 64);
    const auto begin = static_cast<std::size_t>(head - content.begin()) - wal::frame_header_size;
    const auto end = begin + wal::frame_size(piece.size());
    bool any = false;
    for (std::size_t i = 0, at = begin; at < end; ++i, at = (at / 512 + 1) * 512) {
      const auto sector_end = std::min(end, (at / 512 + 1) * 512);
      if ((lost >> i & 1) == 0) continue;
      any = true;
      std::fill(content.begin() + static_cast<std::ptrdiff_t>(at),
                content.begin() + static_cast<std::ptrdiff_t>(sector_end), 0);
    }
    the.disk.set_content(path, content);
    const auto opened = the.open();
    BOOST_REQUIRE_MESSAGE(opened, why(opened));
    BOOST_TEST(((*opened)->end() == small_log_begin + the.content.size() + (any ? 0 : piece.size())));
  }
}

BOOST_AUTO_TEST_CASE(bytes_in_a_wrong_place_are_not_taken) {
  durable_log the;
  const auto first = the.disk.content(the.files[0]);
  const auto second = the.disk.content(the.files[1]);
  // A segment under another's name.
  the.disk.set_content(the.files[1], first);
  BOOST_TEST(names_file_and_offset(the.open().error(), the.files[1]));
  // Its frames behind the right header.
  auto mixed = second;
  std::copy(first.begin() + wal::segment_header_size, first.end(), mixed.begin() + wal::segment_header_size);
  the.disk.set_content(the.files[1], mixed);
  BOOST_TEST(names_file_and_offset(the.open().error(), the.files[1]));
  // A sound frame at another offset of its own file.
  auto moved = second;
  std::copy(second.begin() + wal::segment_header_size, second.end() - 64,
            moved.begin() + wal::segment_header_size + 64);
  the.disk.set_content(the.files[1], moved);
  BOOST_TEST(names_file_and_offset(the.open().error(), the.files[1]));
  // A segment that is not there.
  the.disk.set_content(the.files[1], second);
  BOOST_REQUIRE(the.disk.remove(the.files[1]));
  BOOST_TEST(names_file_and_offset(the.open().error(), the.files[1]));
  the.disk.set_content(the.files[1], second);

  // A disk that reads somewhere else.
  for (const std::int64_t by : {32, 512, 1024, -32}) {
    const auto opened = the.open();
    BOOST_REQUIRE_MESSAGE(opened, why(opened));
    core::bytes some(100);
    the.disk.misdirect_next_read(by);
    const auto got = (*opened)->read(core::lsn(5 * 4096 + 700), some);
    BOOST_TEST((!got || some == wal_bytes(core::lsn(5 * 4096 + 700), 100)));
  }
}

BOOST_AUTO_TEST_CASE(names_of_segments_are_those_of_postgres) {
  const std::uint32_t size = 16u << 20;
  BOOST_TEST(wal::segment_file_name(core::lsn(std::uint64_t{0x1F3} * size), size) == "0000000100000001000000F3.frames");
  BOOST_TEST((wal::parse_segment_file_name("0000000100000001000000F3.frames", size) ==
              core::lsn(std::uint64_t{0x1F3} * size)));
  for (const auto* name :
       {"0000000100000001000001F3.frames", "0000000200000001000000F3.frames", "0000000100000001000000F3",
        "0000000100000001000000f3.frames", "0000000100000001000000F3.frames.tmp", "control"})
    BOOST_TEST(!wal::parse_segment_file_name(name, size));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
