#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <random>
#include <thread>

#include "page_files/fuse_mount.hpp"
#include "tests/page_files_fuse/mounted_files.hpp"
#include "tests/support/small_disk.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t page = pg::page_size;

bool is_zeros(const core::bytes& all) {
  return std::ranges::any_of(all, [](std::uint8_t byte) { return byte != 0; }) == false;
}

/// A door in a process of its own, to be killed.
struct daemon_process {
  explicit daemon_process(sparse_directory& over) : mount_point(over.home / "mount") {
    int ready[2];
    BOOST_TEST_REQUIRE(::pipe(ready) == 0);
    pid = ::fork();
    if (pid == 0) {
      // Nothing of the test may go on in the child.
      try {
        serve(over, ready[1]);
      } catch (...) {
      }
      ::_exit(1);
    }
    ::close(ready[1]);
    char byte = 0;
    const bool is_ready = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    BOOST_TEST_REQUIRE(is_ready);
  }
  ~daemon_process() {
    kill();
    BOOST_CHECK(page_files::remove_stale_mount(mount_point).has_value());
  }
  void serve(sparse_directory& over, int ready) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    scripted_source source(made_pages());
    source.set_delay(2ms);
    const door_thread door({.directory = over.home / "below", .mount_point = mount_point}, *over.map, source);
    if (::write(ready, "+", 1) != 1) return;
    while (true) ::pause();
  }
  void kill() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
  }
  std::filesystem::path mount_point;
  pid_t pid = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_fuse_faults, *boost::unit_test::precondition(fuse_works))

BOOST_AUTO_TEST_CASE(a_fetch_that_fails_is_an_error_and_the_next_one_succeeds) {
  mounted_files files({2000});
  const open_file file(files.path());
  files.source.fail(true);
  BOOST_TEST(file.try_read(70 * page, page) == EIO);
  BOOST_TEST(file.try_read(0, 200 * page) == EIO);
  // The kernel asks once more for what failed, page by page: not the source.
  BOOST_TEST(files.source.fetches() <= 4);
  files.source.fail(false);
  // What the kernel had begun to read ahead still ends with the error.
  BOOST_TEST(comes_true([&] { return file.try_read(70 * page, page) == 0; }));
  BOOST_TEST(comes_true([&] { return file.try_read(0, 200 * page) == 0; }));
  BOOST_TEST((file.read(0, 200 * page) == files.made(0, 200)));
}

BOOST_AUTO_TEST_CASE(a_write_waits_for_a_source_that_fails) {
  mounted_files files({100});
  const open_file file(files.path());
  // Whole for the kernel, a part of a page for Postgres.
  files.source.fail(true);
  file.write(10 * page, core::bytes(4096, 'h'));
  std::thread sync([&] { file.sync(); });
  BOOST_TEST(comes_true([&] { return files.source.fetches() >= 2; }));
  files.source.fail(false);
  sync.join();
  files.drop_cache(files.path());
  core::bytes expected = files.made(10, 1);
  std::fill_n(expected.begin(), 4096, 'h');
  BOOST_TEST((file.read(10 * page, page) == expected));
  BOOST_TEST(!files.door().failure());
}

BOOST_AUTO_TEST_CASE(a_slow_source_keeps_nobody_else_waiting) {
  mounted_files files({100, 100});
  files.source.hold_only(files.files[0].file.relation.relation);
  files.source.hold(true);
  std::vector<std::thread> readers;
  for (std::uint32_t i = 0; i < 12; ++i)
    readers.emplace_back([&, i] { open_file(files.path(0)).try_read((i * 8 + 1) * page, page); });
  BOOST_TEST_REQUIRE(comes_true([&] { return files.door().counts().waiting >= 12; }));
  BOOST_TEST((open_file(files.path(1)).read(0, 100 * page) == files.made(0, 100, 1)));
  std::filesystem::create_directory(files.home / "mount/other");
  const open_file other(files.home / "mount/other/file", O_RDWR | O_CREAT);
  other.write(0, core::bytes(page, 'o'));
  other.sync();
  BOOST_TEST(files.door().counts().waiting >= 12);
  files.source.hold(false);
  for (std::thread& each : readers) each.join();
}

BOOST_AUTO_TEST_CASE(more_readers_wait_than_there_are_tickets) {
  mounted_files files({40000});
  files.source.hold(true);
  const open_file file(files.path());
  std::vector<std::thread> readers;
  std::atomic<int> right = 0;
  for (std::uint32_t i = 1; i <= 330; ++i)
    readers.emplace_back([&, i] { right += file.read(i * 100 * page, page) == files.made(i * 100, 1) ? 1 : 0; });
  // The kernel passes on some requests in the background only.
  BOOST_TEST(comes_true([&] { return files.source.open() >= 60; }));
  files.source.hold(false);
  for (std::thread& each : readers) each.join();
  BOOST_TEST(right == 330);
}

BOOST_AUTO_TEST_CASE(a_signal_of_postgres_ends_a_wait_and_others_do_not) {
  mounted_files files({1000});
  const open_file file(files.path());
  files.source.hold(true);
  int result[2];
  BOOST_TEST_REQUIRE(::pipe(result) == 0);
  const pid_t reader = ::fork();
  if (reader == 0) {
    ::signal(SIGINT, [](int) {});
    ::signal(SIGUSR1, [](int) {});
    char bytes[page];
    const char got = ::pread(file.fd(), bytes, page, 500 * page) < 0 ? static_cast<char>(errno) : 0;
    ::_exit(::write(result[1], &got, 1) == 1 ? 0 : 1);
  }
  BOOST_TEST_REQUIRE(comes_true([&] { return files.door().counts().waiting > 0; }));
  ::kill(reader, SIGUSR1);
  pollfd answered{result[0], POLLIN, 0};
  BOOST_TEST(::poll(&answered, 1, 150) == 0);
  const auto before = std::chrono::steady_clock::now();
  ::kill(reader, SIGINT);
  BOOST_TEST(::poll(&answered, 1, 5000) == 1);
  const auto took = std::chrono::steady_clock::now() - before;
  BOOST_TEST_MESSAGE("cancelled after " << took / 1ms << " ms");
  files.source.hold(false);
  char error = 0;
  BOOST_TEST(::read(result[0], &error, 1) == 1);
  BOOST_TEST(error == EIO);
  ::waitpid(reader, nullptr, 0);
  ::close(result[0]);
  ::close(result[1]);
  BOOST_TEST((file.read(500 * page, page) == files.made(500, 1)));
}

BOOST_AUTO_TEST_CASE(a_killed_daemon_is_an_error_and_its_mount_is_removed) {
  sparse_directory directory({6000});
  daemon_process daemon(directory);
  std::atomic<bool> stop = false;
  std::atomic<int> zeros = 0;
  std::atomic<int> reads = 0;
  std::atomic<int> not_connected = 0;
  const auto path = daemon.mount_point / directory.files[0].file.path;
  std::vector<std::thread> readers;
  for (std::uint32_t seed = 0; seed < 4; ++seed)
    readers.emplace_back([&, seed] {
      const open_file file(path);
      std::mt19937 random(seed);
      while (!stop) {
        core::bytes got(page);
        const ssize_t done = ::pread(file.fd(), got.data(), page, static_cast<off_t>(random() % 6000 * page));
        ++reads;
        if (done == static_cast<ssize_t>(page)) zeros += is_zeros(got) ? 1 : 0;
        if (done == 0) ++zeros;
        if (done < 0) not_connected += errno == ENOTCONN || errno == ECONNABORTED ? 1 : 0;
      }
    });
  BOOST_TEST(comes_true([&] { return reads > 200; }));
  daemon.kill();
  BOOST_TEST(comes_true([&] { return not_connected > 100; }));
  stop = true;
  for (std::thread& each : readers) each.join();
  BOOST_TEST(zeros == 0);
  BOOST_TEST((::open(path.c_str(), O_RDONLY) == -1));
  BOOST_TEST(errno == ENOTCONN);
  BOOST_TEST(page_files::remove_stale_mount(daemon.mount_point).has_value());
  BOOST_TEST(!page_files::fuse_mount_device(daemon.mount_point).has_value());
  BOOST_TEST(std::filesystem::is_empty(daemon.mount_point));
}

BOOST_AUTO_TEST_CASE(only_a_mount_of_ours_whose_daemon_is_gone_is_removed) {
  mounted_files files({10});
  const auto living = page_files::remove_stale_mount(files.home / "mount");
  BOOST_TEST_REQUIRE(!living.has_value());
  BOOST_TEST((living.error().code == core::errc::conflict));
  BOOST_TEST((open_file(files.path()).read(0, page) == files.made(0, 1)));
  BOOST_TEST(page_files::remove_stale_mount(files.home / "below").has_value());
  const small_disk other("1m");
  if (!other.problem.empty()) return;
  BOOST_TEST(page_files::remove_stale_mount(other.place()).has_value());
  std::filesystem::create_directory(other.place() / "still_there");
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_and_what_was_lost_is_not_read) {
  const small_disk disk("2m");
  if (!disk.problem.empty()) {
    BOOST_TEST_MESSAGE("SKIPPED: no small disk can be mounted here: " << disk.problem);
    return;
  }
  std::filesystem::create_directory(disk.place() / "below");
  const temp_dir home;
  std::filesystem::create_directory(home / "mount");
  const auto name = disk.place() / "below/16384";
  const open_file made(name, O_RDWR | O_CREAT);
  made.truncate(1000 * page);
  struct stat about {};
  BOOST_TEST_REQUIRE(::fstat(made.fd(), &about) == 0);
  const std::vector<page_files::sparse_file> files{
      {{.path = "16384", .relation = {1663, 5, 16384, pg::fork::main}, .segment = 0, .pages = 1000},
       {about.st_dev, about.st_ino}}};
  auto map = page_files::page_map::make(files);
  BOOST_TEST_REQUIRE(map.has_value());
  scripted_source source(made_pages());
  door_thread door({.directory = disk.place() / "below", .mount_point = home / "mount"}, *map, source);
  const open_file file(home / "mount/16384");
  int failed = 0;
  for (std::uint32_t number = 0; number < 1000 && failed == 0; number += 8) failed = file.try_read(number * page, page);
  BOOST_TEST(failed == ENOSPC);
  BOOST_TEST(!door.door().failure());
  const open_file other(home / "mount/other", O_RDWR | O_CREAT);
  other.write(0, core::bytes(1 << 20, 'l'));
  BOOST_TEST(::fsync(other.fd()) == -1);
  BOOST_TEST(errno == ENOSPC);
  BOOST_TEST(door.door().failure().has_value());
  ::posix_fadvise(other.fd(), 0, 0, POSIX_FADV_DONTNEED);
  BOOST_TEST(other.try_read(0, page) == ENOSPC);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
