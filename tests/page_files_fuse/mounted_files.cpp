#include "tests/page_files_fuse/mounted_files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <system_error>

#include "page_files/fuse_mount.hpp"

namespace strata::tests {

namespace {

[[noreturn]] void fail(const std::string& doing) { throw std::system_error(errno, std::generic_category(), doing); }

/// What this program mounts is seen by it and its children only, and is gone with them, however they end.
struct private_mounts {
  private_mounts() {
    if (::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0) ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr);
  }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(private_mounts);

boost::test_tools::assertion_result fuse_works(boost::unit_test::test_unit_id) {
  const auto available = page_files::fuse_available(false);
  boost::test_tools::assertion_result works(available.has_value());
  if (!available) {
    std::cout << "SKIPPED: " << available.error().detail << std::endl;
    works.message() << available.error().detail;
  }
  return works;
}

door_thread::door_thread(page_files::fuse_door_options options, page_files::page_map& map, scripted_source& source)
    : source_(source) {
  auto mounted = page_files::fuse_door::mount(options, map, source);
  BOOST_TEST_REQUIRE(mounted.has_value(), (mounted ? "" : core::to_string(mounted.error())));
  door_ = std::move(*mounted);
  thread_ = std::thread([this] { loop(); });
}

door_thread::~door_thread() {
  source_.hold(false);
  const auto done = door_->unmount();
  BOOST_CHECK(done.has_value());
  ends_ = true;
  source_.wake();
  thread_.join();
}

void door_thread::loop() {
  while (!ends_) {
    door_->run();
    const int next_us = source_.run();
    std::array<pollfd, 2> wait{pollfd{door_->wake_fd(), POLLIN, 0}, pollfd{source_.wake_fd(), POLLIN, 0}};
    const timespec limit{next_us / 1000000, next_us % 1000000 * 1000L};
    ::ppoll(wait.data(), wait.size(), next_us < 0 ? nullptr : &limit, nullptr);
  }
}

sparse_directory::sparse_directory(const std::vector<std::uint32_t>& pages) {
  std::filesystem::create_directories(home / "below/base/5");
  std::filesystem::create_directory(home / "mount");
  for (const std::uint32_t each : pages) {
    const auto number = 16384 + static_cast<std::uint32_t>(files.size());
    const std::string name = "base/5/" + std::to_string(number);
    const io::unique_fd fd(::open((home / "below" / name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(each * pg::page_size)) != 0) fail("create " + name);
    struct stat about {};
    if (::fstat(fd.get(), &about) != 0) fail("look at " + name);
    files.push_back(
        {{.path = name, .relation = {pg::default_tablespace, 5, number, pg::fork::main}, .segment = 0, .pages = each},
         {about.st_dev, about.st_ino}});
  }
  auto made = page_files::page_map::make(files);
  BOOST_TEST_REQUIRE(made.has_value());
  map = std::move(*made);
}

scripted_source::contents made_pages() {
  return [](const page_files::page_range& range, core::bytes& to) {
    for (std::uint32_t i = 0; i < range.count; ++i) append_made_page(range.relation, range.first + i, to);
  };
}

mounted_files::mounted_files(const std::vector<std::uint32_t>& pages) : sparse_directory(pages), source(made_pages()) {
  const page_files::fuse_door_options options{.directory = home / "below", .mount_point = home / "mount"};
  thread = std::make_unique<door_thread>(options, *map, source);
}

std::filesystem::path mounted_files::path(std::size_t file) const { return home / "mount" / files[file].file.path; }

core::bytes mounted_files::made(std::uint32_t first, std::uint32_t count, std::size_t file) const {
  core::bytes all;
  for (std::uint32_t i = 0; i < count; ++i) append_made_page(files[file].file.relation, first + i, all);
  return all;
}

void mounted_files::drop_cache(const std::filesystem::path& of) {
  const open_file file(of);
  file.sync();
  if (const int failed = ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED)) {
    errno = failed;
    fail("drop the cache of " + of.string());
  }
}

open_file::open_file(const std::filesystem::path& path, int flags)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
  if (!fd_) fail("open " + path.string());
}

core::bytes open_file::read(std::uint64_t offset, std::size_t size) const {
  core::bytes got(size);
  const ssize_t done = ::pread(fd_.get(), got.data(), size, static_cast<off_t>(offset));
  if (done < 0) fail("read");
  got.resize(static_cast<std::size_t>(done));
  return got;
}

int open_file::try_read(std::uint64_t offset, std::size_t size) const {
  core::bytes got(size);
  return ::pread(fd_.get(), got.data(), size, static_cast<off_t>(offset)) < 0 ? errno : 0;
}

void open_file::write(std::uint64_t offset, core::bytes_view bytes) const {
  const ssize_t done = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (done != static_cast<ssize_t>(bytes.size())) fail("write");
}

void open_file::truncate(std::uint64_t size) const {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) fail("truncate");
}

void open_file::sync() const {
  if (::fsync(fd_.get()) != 0) fail("sync");
}

std::uint64_t open_file::size() const {
  struct stat about {};
  if (::fstat(fd_.get(), &about) != 0) fail("look at a file");
  return static_cast<std::uint64_t>(about.st_size);
}

}  // namespace strata::tests
