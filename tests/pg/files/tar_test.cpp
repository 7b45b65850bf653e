#include "pg/files/tar.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::files;

namespace {

struct read_entry {
  tar_entry entry;
  core::bytes content;
};
struct read_archive {
  std::vector<read_entry> entries;
  bool ended = false;
  bool complete = false;
};

/// Feeds the archive in parts of `step` bytes.
core::result<read_archive> read(core::bytes_view archive, std::size_t step) {
  tar_reader reader;
  read_archive into;
  bool open = false;
  while (!archive.empty()) {
    // An exact copy, so that a sanitizer sees any access behind the fed bytes.
    const core::bytes part(archive.begin(),
                           archive.begin() + static_cast<std::ptrdiff_t>(std::min(step, archive.size())));
    archive = archive.subspan(part.size());
    reader.feed(part);
    while (true) {
      STRATA_ASSIGN(const auto event, reader.next());
      if (!event) break;
      switch (event->kind) {
        case tar_event::kind::entry:
          BOOST_REQUIRE(!open);
          open = true;
          into.entries.push_back({*event->entry, {}});
          break;
        case tar_event::kind::data: core::append(into.entries.back().content, event->data); break;
        case tar_event::kind::entry_end:
          BOOST_REQUIRE(open);
          open = false;
          break;
        case tar_event::kind::archive_end: into.ended = true; break;
      }
    }
  }
  into.complete = reader.complete();
  return into;
}

core::bytes text(std::string_view of) { return {of.begin(), of.end()}; }

core::bytes one_file(const std::string& name, std::string_view content = "x") {
  core::bytes archive;
  append_tar_file(archive, name, text(content));
  append_tar_end(archive);
  return archive;
}

void reseal(core::bytes& archive) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : archive[i];
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  std::copy_n(digits, 7, archive.begin() + 148);
}

/// Records about what follows.
core::bytes pax(char type, const std::string& records) {
  core::bytes header;
  append_tar_file(header, "pax_header", text(records));
  header[156] = static_cast<std::uint8_t>(type);
  reseal(header);
  return header;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_tar)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back_however_it_arrives) {
  const std::string long_name = "pg_tblspc/" + std::string(150, 'n') + "/file";
  const std::string long_link = "/somewhere/" + std::string(200, 'l');
  core::bytes archive;
  append_tar_header(archive, {.name = "base", .type = tar_type::directory, .mode = tar_directory_mode});
  append_tar_file(archive, "PG_VERSION", text("15\n"), 1234);
  append_tar_file(archive, "empty", {});
  append_tar_file(archive, long_name, core::bytes(1024, 7));
  append_tar_header(archive,
                    {.name = "pg_tblspc/16400", .type = tar_type::symlink, .mode = 0777, .link_target = long_link});
  append_tar_end(archive);
  BOOST_TEST(archive.size() % tar_block_size == 0u);

  for (const std::size_t step : {1ul, 7ul, 511ul, 512ul, 513ul, 4096ul, archive.size()}) {
    const auto got = read(archive, step);
    BOOST_REQUIRE(got);
    BOOST_TEST(got->ended);
    BOOST_TEST(got->complete);
    BOOST_REQUIRE_EQUAL(got->entries.size(), 5u);
    BOOST_TEST(got->entries[0].entry.name == "base");
    BOOST_TEST(got->entries[0].entry.type == tar_type::directory);
    BOOST_TEST(got->entries[0].entry.mode == 0700u);
    BOOST_TEST((got->entries[1].content == text("15\n")));
    BOOST_TEST(got->entries[1].entry.mode == 0600u);
    BOOST_TEST(got->entries[1].entry.modified == 1234);
    BOOST_TEST(got->entries[2].content.empty());
    BOOST_TEST(got->entries[3].entry.name == long_name);
    BOOST_TEST((got->entries[3].content == core::bytes(1024, 7)));
    BOOST_TEST(got->entries[4].entry.type == tar_type::symlink);
    BOOST_TEST(got->entries[4].entry.link_target == long_link);
  }
}

BOOST_AUTO_TEST_CASE(an_archive_without_end_blocks_is_complete_between_entries) {
  core::bytes archive;
  append_tar_file(archive, "a", text("content"));
  auto got = read(archive, 100);
  BOOST_REQUIRE(got);
  BOOST_TEST(!got->ended);
  BOOST_TEST(got->complete);
  archive.pop_back();
  got = read(archive, 100);
  BOOST_REQUIRE(got);
  BOOST_TEST(!got->complete);
}

BOOST_AUTO_TEST_CASE(sizes_beyond_octal_digits_survive) {
  core::bytes archive;
  append_tar_header(archive, {.name = "big", .size = std::uint64_t{1} << 36});
  tar_reader reader;
  reader.feed(archive);
  const auto event = reader.next();
  BOOST_REQUIRE(event);
  BOOST_REQUIRE(*event);
  BOOST_TEST((*event)->entry->size == std::uint64_t{1} << 36);
}

BOOST_AUTO_TEST_CASE(a_size_over_the_limit_is_refused) {
  core::bytes archive;
  append_tar_header(archive, {.name = "big", .size = 1001});
  tar_reader reader(1000);
  reader.feed(archive);
  BOOST_TEST(reader.next().error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(names_that_lead_out_are_refused) {
  for (const char* name : {"../x", "/etc/passwd", "a/../../b", "a//b", "..", "./..", "a/./b", "/"}) {
    const auto got = read(one_file(name), 512);
    BOOST_REQUIRE_MESSAGE(!got, name);
    BOOST_TEST(got.error().code == core::errc::corrupt);
  }
  const auto got = read(one_file("./base/..x"), 512);
  BOOST_REQUIRE(got);
  BOOST_TEST(got->entries.at(0).entry.name == "base/..x");
}

BOOST_AUTO_TEST_CASE(any_changed_header_byte_is_noticed) {
  const core::bytes archive = one_file("base/5/1259");
  for (std::size_t i = 0; i < 512; ++i) {
    core::bytes damaged = archive;
    damaged[i] ^= 0x01;
    // The last two bytes of the checksum field are not part of the number.
    if (i != 154 && i != 155) BOOST_TEST(!read(damaged, 512), "byte " << i);
  }
}

BOOST_AUTO_TEST_CASE(entries_behind_the_end_directories_with_contents_and_sparse_files_are_refused) {
  core::bytes archive(512);
  core::append(archive, one_file("a"));
  BOOST_TEST(read(archive, 512).error().code == core::errc::corrupt);
  for (const auto& [type, code] : {std::pair{'5', core::errc::corrupt}, {'S', core::errc::unsupported}}) {
    archive = one_file("a");
    archive[156] = static_cast<std::uint8_t>(type);
    reseal(archive);
    BOOST_TEST(read(archive, 512).error().code == code);
  }
}

BOOST_AUTO_TEST_CASE(the_directory_that_was_packed_is_no_entry) {
  core::bytes archive = one_file("./");
  archive.resize(512);
  archive[156] = '5';
  std::fill_n(archive.begin() + 124, 11, std::uint8_t{'0'});
  reseal(archive);
  core::append(archive, one_file("./a"));
  const auto got = read(archive, 512);
  BOOST_REQUIRE(got);
  BOOST_REQUIRE_EQUAL(got->entries.size(), 1u);
  BOOST_TEST(got->entries[0].entry.name == "a");
}

BOOST_AUTO_TEST_CASE(pax_records_have_what_a_header_has_no_room_for) {
  const std::string name = "base/" + std::string(200, 'n');
  core::bytes archive = pax('g', "19 comment=for all\n");
  core::append(archive, pax('x', "30 mtime=1700000000.123456789\n" + std::to_string(name.size() + 10) +
                                     " path=" + name + "\n" + "10 size=3\n"));
  core::append(archive, one_file("short", "abc"));
  for (const std::size_t step : {1ul, 511ul, archive.size()}) {
    const auto got = read(archive, step);
    BOOST_REQUIRE_MESSAGE(got, (got ? "" : got.error().detail));
    BOOST_REQUIRE_EQUAL(got->entries.size(), 1u);
    BOOST_TEST(got->entries[0].entry.name == name);
    BOOST_TEST((got->entries[0].content == text("abc")));
    BOOST_TEST(got->ended);
  }
  // They are of one entry, and an archive can't end before it.
  BOOST_TEST(!read(pax('x', "12 path=abc\n"), 512)->complete);
}

BOOST_AUTO_TEST_CASE(hostile_pax_records_are_refused) {
  const std::pair<std::string, core::errc> all[] = {
      {"13 path=../x\n", core::errc::corrupt},
      {"15 path=/etc/x\n", core::errc::corrupt},
      {"8 path=\n", core::errc::corrupt},
      {std::string("12 path=a\0b\n", 12), core::errc::corrupt},
      {"13 size=12x3\n", core::errc::corrupt},
      {"29 size=99999999999999999999\n", core::errc::corrupt},
      {"28 size=9999999999999999999\n", core::errc::corrupt},
      {"11 size=-1\n", core::errc::corrupt},
      {"99 path=abc\n", core::errc::corrupt},
      {"18446744073709551616 path=abc\n", core::errc::corrupt},
      {"0 path=abc\n", core::errc::corrupt},
      {"12 path=abcd", core::errc::corrupt},
      {"11 pathabc\n", core::errc::corrupt},
      {"path=abc\n", core::errc::corrupt},
      {"22 GNU.sparse.major=1\n", core::errc::unsupported},
  };
  for (const auto& [records, code] : all) {
    core::bytes archive = pax('x', records);
    core::append(archive, one_file("a"));
    const auto got = read(archive, 512);
    BOOST_REQUIRE_MESSAGE(!got, records);
    BOOST_TEST(got.error().code == code, records << ": " << got.error().detail);
  }
  BOOST_TEST(read(pax('g', "12 path=abc\n"), 512).error().code == core::errc::corrupt);
  BOOST_TEST(read(pax('x', std::string(70000, 'x')), 512).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(garbage_gives_an_error_or_safe_entries_but_always_an_end) {
  core::bytes archive;
  append_tar_file(archive, "base/" + std::string(120, 'n'), core::bytes(700, 7));
  append_tar_file(archive, "PG_VERSION", text("15\n"));
  core::append(archive, pax('x', "12 path=abc\n10 size=1\n"));
  append_tar_file(archive, "base/x", text("x"));
  append_tar_end(archive);
  std::mt19937 random(4711);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    core::bytes damaged = archive;
    for (int changes = 0; changes < 3; ++changes) damaged[random() % damaged.size()] ^= 1u << random() % 8;
    // With the checksum of the first header put right, damage gets past the first gate.
    if (round % 2 == 0) reseal(damaged);
    const auto got = read(damaged, 1 + random() % 2000);
    if (!got) continue;
    ++accepted;
    for (const read_entry& entry : got->entries) {
      BOOST_REQUIRE(!entry.entry.name.empty() && entry.entry.name.front() != '/');
      BOOST_REQUIRE(("/" + entry.entry.name + "/").find("/../") == std::string::npos);
      BOOST_REQUIRE(entry.content.size() <= damaged.size());
    }
  }
  BOOST_TEST(accepted > 0);
}

BOOST_AUTO_TEST_CASE(a_posix_prefix_stands_before_the_name) {
  core::bytes archive = one_file("5/1259");
  std::copy_n("base", 4, archive.begin() + 345);
  reseal(archive);
  const auto got = read(archive, 512);
  BOOST_REQUIRE(got);
  BOOST_TEST(got->entries.at(0).entry.name == "base/5/1259");
}

BOOST_AUTO_TEST_SUITE_END()
