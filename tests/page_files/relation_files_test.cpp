#include "page_files/relation_files.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "io/unique_fd.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/relation_manifest.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata;
using namespace strata::tests;
using pg::files::relation_manifest;

namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, core::bytes_view content) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
}

constexpr const char* segment = "000000010000000000000003";

relation_manifest sample() {
  return {pg::major_version::v15,
          core::lsn(0x5000),
          {{segment, 1u << 20, {{0, {1, 2}}, {40960, {3}}}}},
          {{{pg::default_tablespace, 5, 1259, pg::fork::main}, 14},
           {{pg::default_tablespace, 5, 1259, pg::fork::vm}, 1},
           {{pg::default_tablespace, 5, 16384, pg::fork::main}, pg::blocks_per_relation_segment * 2 + 7},
           {{pg::default_tablespace, 5, 16390, pg::fork::main}, pg::blocks_per_relation_segment},
           {{pg::default_tablespace, 5, 16400, pg::fork::main}, 0},
           {{pg::global_tablespace, 0, 1260, pg::fork::main}, 1},
           {{16500, 5, 16501, pg::fork::main}, 3}}};
}

struct unpacked_directory {
  explicit unpacked_directory(const relation_manifest& listed = sample()) {
    for (const char* each : {"base/5", "global", "pg_wal", "pg_tblspc/16500/PG_15_202209061/5"})
      fs::create_directories(data / each);
    write_file(data / pg::files::relation_manifest_path, encode_relation_manifest(listed));
  }
  auto create() { return page_files::create_relation_files(data.string()); }
  void refused(core::errc code, const std::string& why) {
    const auto made = create();
    BOOST_TEST_REQUIRE(!made.has_value(), "not refused: " << why);
    BOOST_TEST(made.error().code == code, core::to_string(made.error()));
    BOOST_TEST((made.error().detail.find(why) != std::string::npos), made.error().detail << " lacks " << why);
    // Unstartable, and what it should have stays known.
    BOOST_TEST(fs::exists(fs::symlink_status(data / pg::files::relation_manifest_path)));
  }
  temp_dir home;
  fs::path data = home / "data";
};

struct umask_of {
  explicit umask_of(mode_t mask) : before(::umask(mask)) {}
  ~umask_of() { ::umask(before); }
  mode_t before;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_relation_files)

BOOST_AUTO_TEST_CASE(every_listed_file_is_there_with_its_size_and_no_content) {
  for (const mode_t mask : {0022, 0077, 0277}) {
    const umask_of during(0022);
    unpacked_directory directory;
    core::result<page_files::sparse_files> made = core::error{};
    {
      const umask_of odd(mask);
      made = directory.create();
    }
    BOOST_TEST_REQUIRE(made.has_value(), (made ? "" : core::to_string(made.error())));
    BOOST_TEST((made->at == core::lsn(0x5000)));
    BOOST_TEST((made->major == pg::major_version::v15));
    std::map<std::string, std::uint32_t> pages;
    for (const page_files::sparse_file& each : made->files) {
      pages[each.file.path] = each.file.pages;
      struct stat found {};
      BOOST_REQUIRE(::lstat((directory.data / each.file.path).c_str(), &found) == 0);
      BOOST_TEST((page_files::inode_id{found.st_dev, found.st_ino} == each.inode));
      BOOST_TEST(static_cast<std::uint64_t>(found.st_size) == std::uint64_t{each.file.pages} * pg::page_size);
      BOOST_TEST(found.st_blocks == 0);
      BOOST_TEST((found.st_mode == (S_IFREG | 0600)));
      BOOST_TEST(found.st_uid == ::geteuid());
      BOOST_TEST((pg::files::classify(each.file.path, made->major).relation ==
                  pg::files::relation_file{each.file.relation, each.file.segment}));
    }
    const std::map<std::string, std::uint32_t> expected{
        {"base/5/1259", 14},      {"base/5/1259_vm", 1},
        {"base/5/16384", 131072}, {"base/5/16384.1", 131072},
        {"base/5/16384.2", 7},    {"base/5/16390", 131072},
        {"global/1260", 1},       {"pg_tblspc/16500/PG_15_202209061/5/16501", 3}};
    BOOST_TEST((pages == expected));
    core::bytes wal(1u << 20);
    wal[0] = 1, wal[1] = 2, wal[40960] = 3;
    std::ifstream of_segment(directory.data / "pg_wal" / segment, std::ios::binary);
    BOOST_TEST((core::bytes{std::istreambuf_iterator<char>(of_segment), {}} == wal));
    BOOST_TEST((fs::status(directory.data / "pg_wal" / segment).permissions() == fs::perms{0600}));
    // An empty file is complete: it is created, and not told.
    BOOST_TEST(fs::file_size(directory.data / "base/5/16400") == 0u);
    BOOST_TEST(!fs::exists(directory.data / pg::files::relation_manifest_path));
  }
}

BOOST_AUTO_TEST_CASE(what_is_there_is_not_replaced) {
  for (const char* name :
       {"base/5/1259", "base/5/16384.1", "base/5/16400", "global/1260", "pg_wal/000000010000000000000003"}) {
    const std::vector<std::function<void(const fs::path&, const fs::path&)>> ways{
        [](const fs::path& at, const fs::path&) {
          write_file(at, core::bytes{1, 2, 3});
        },
        [](const fs::path& at, const fs::path& outside) { fs::create_symlink(outside, at); },
        [](const fs::path& at, const fs::path&) { fs::create_directory(at); }};
    for (const auto& way : ways) {
      unpacked_directory directory;
      way(directory.data / name, directory.home / "outside");
      directory.refused(core::errc::corrupt, std::string(name) + ": the data directory has it already");
      BOOST_TEST(!fs::exists(directory.home / "outside"));
    }
  }
}

BOOST_AUTO_TEST_CASE(no_link_is_followed_to_another_directory) {
  for (const char* name : {"base", "base/5", "global", "pg_wal", "pg_tblspc", "pg_tblspc/16500",
                           "pg_tblspc/16500/PG_15_202209061", "pg_tblspc/16500/PG_15_202209061/5"}) {
    unpacked_directory directory;
    fs::rename(directory.data / name, directory.home / "outside");
    fs::create_directory_symlink(directory.home / "outside", directory.data / name);
    directory.refused(core::errc::corrupt, "it is missing, or is a link");
    for (const auto& each : fs::recursive_directory_iterator(directory.home / "outside"))
      BOOST_TEST(!each.is_regular_file(), each.path().string());
  }
}

BOOST_AUTO_TEST_CASE(a_database_without_a_directory_is_refused) {
  for (const bool is_a_file : {false, true}) {
    unpacked_directory directory;
    fs::remove(directory.data / "base/5");
    if (is_a_file) write_file(directory.data / "base/5", core::bytes{1});
    directory.refused(core::errc::corrupt, "open directory base/5: it is missing");
  }
}

BOOST_AUTO_TEST_CASE(a_manifest_that_can_not_be_trusted_is_refused_before_a_file_is_created) {
  unpacked_directory directory;
  const fs::path manifest = directory.data / pg::files::relation_manifest_path;
  const auto nothing_was_created = [&] {
    for (const auto& each : fs::recursive_directory_iterator(directory.data))
      BOOST_TEST((each.path() == manifest || !each.is_regular_file()), each.path().string());
  };
  core::bytes damaged = encode_relation_manifest(sample());
  damaged[damaged.size() / 2] ^= 1;
  write_file(manifest, damaged);
  directory.refused(core::errc::corrupt, "wrong checksum");
  nothing_was_created();
  fs::rename(manifest, directory.home / "elsewhere");
  fs::create_symlink(directory.home / "elsewhere", manifest);
  directory.refused(core::errc::corrupt, "it is missing, or is a link");
  fs::remove(manifest);
  BOOST_REQUIRE(::mkfifo(manifest.c_str(), 0600) == 0);
  directory.refused(core::errc::corrupt, "it is no file");
  fs::remove(manifest);
  write_file(manifest, {});
  fs::resize_file(manifest, (64u << 20) + 1);
  directory.refused(core::errc::corrupt, "too large");
  nothing_was_created();
  fs::remove(manifest);
  const auto missing = directory.create();
  BOOST_REQUIRE(!missing);
  BOOST_TEST(missing.error().code == core::errc::corrupt);
  const auto nowhere = page_files::create_relation_files((directory.home / "nowhere").string());
  BOOST_REQUIRE(!nowhere);
  BOOST_TEST(nowhere.error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_CASE(directories_are_spread_where_the_file_system_can) {
  const temp_dir home;
  const auto spread = page_files::spread_directories(home.path().string());
  int flags = 0;
  const io::unique_fd opened(::open(home.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool has_flags = ::ioctl(opened.get(), FS_IOC_GETFLAGS, &flags) == 0;
  BOOST_TEST(spread.has_value() == (has_flags && (flags & FS_TOPDIR_FL) != 0));
  if (!spread) BOOST_TEST(spread.error().code == core::errc::unsupported, core::to_string(spread.error()));
  // proc has no flags at all, and what is missing is not "unsupported".
  BOOST_TEST((page_files::spread_directories("/proc").error().code == core::errc::unsupported));
  BOOST_TEST((page_files::spread_directories((home / "no").string()).error().code == core::errc::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
