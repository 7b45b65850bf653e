#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "core/log.hpp"
#include "io/disk.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/wal/log_cases.hpp"

namespace strata::tests {

using core::errc;

BOOST_AUTO_TEST_SUITE(io_real_disk)

BOOST_AUTO_TEST_CASE(files_of_the_real_disk) {
  const temp_dir directory;
  auto& disk = io::real_disk();
  const auto path = (directory / "file").string();
  BOOST_TEST(disk.open(path).error().code == errc::not_found);
  BOOST_TEST(disk.open(path).error().detail.find(path) != std::string::npos);
  auto made = disk.create(path);
  BOOST_REQUIRE_MESSAGE(made, why(made));
  BOOST_TEST(disk.create(path).error().code == errc::conflict);

  // More parts than one call of the system takes, some of them empty.
  const auto content = wal_bytes(core::lsn(1), 10'000);
  std::vector<core::bytes_view> parts;
  for (std::size_t at = 0; at < content.size(); at += 50) {
    parts.push_back(core::bytes_view(content).subspan(at, 50));
    parts.emplace_back();
  }
  BOOST_REQUIRE((*made)->write(100, parts));
  (*made)->sync();
  BOOST_TEST((*made)->size().value() == 10'100u);
  core::bytes read(20'000);
  BOOST_TEST((*made)->read(100, read).value() == 10'000u);
  BOOST_TEST(std::equal(content.begin(), content.end(), read.begin()));
  BOOST_TEST((*made)->read(10'100, read).value() == 0u);

  BOOST_REQUIRE((*made)->resize(50'000));
  BOOST_TEST((*made)->size().value() == 50'000u);
  BOOST_TEST((*made)->read(49'000, read).value() == 1'000u);
  BOOST_TEST(read[0] == 0);
  BOOST_REQUIRE((*made)->resize(10));
  BOOST_TEST((*made)->size().value() == 10u);

  const auto other = (directory / "other").string();
  BOOST_REQUIRE(disk.create(other));
  BOOST_REQUIRE(disk.rename(path, other));
  BOOST_TEST(disk.list(directory.path().string()).value() == std::vector<std::string>{"other"});
  BOOST_REQUIRE(disk.remove(other));
  BOOST_REQUIRE(disk.remove(other));

  const auto below = (directory / "below").string();
  BOOST_REQUIRE(disk.make_directory(below));
  BOOST_TEST(disk.make_directory(below).error().code == errc::conflict);
  BOOST_REQUIRE(disk.create(below + "/file"));
  disk.sync_directory(below);
  BOOST_REQUIRE(disk.remove_directory(below));
  BOOST_TEST(disk.list(below).error().code == errc::not_found);
  BOOST_TEST(disk.free_bytes(directory.path().string()).value() > 0u);
}

BOOST_AUTO_TEST_CASE(a_full_device_is_told_as_such) {
  auto full = io::real_disk().open("/dev/full");
  BOOST_REQUIRE_MESSAGE(full, why(full));
  const core::bytes some(10);
  const std::array<core::bytes_view, 1> parts{some};
  BOOST_TEST((*full)->write(0, parts).error().code == errc::disk_full);
}

BOOST_AUTO_TEST_CASE(a_failed_sync_ends_the_process) {
  const temp_dir directory;
  // A pipe has a name and can't be synced.
  const auto path = (directory / "pipe").string();
  BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    core::open_log(core::log_level::off, "");
    auto opened = io::real_disk().open(path);
    if (opened) (*opened)->sync();
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
