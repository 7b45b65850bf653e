#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>

#include "tests/page_files_fuse/mounted_files.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;

struct stat about(const fs::path& path) {
  struct stat found {};
  BOOST_TEST_REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_fuse_names, *boost::unit_test::precondition(fuse_works))

BOOST_AUTO_TEST_CASE(a_directory_of_thousands_of_files_is_listed_as_it_is) {
  mounted_files files({1});
  const fs::path many = files.home / "mount/many";
  fs::create_directory(many);
  std::set<std::string> expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string name = "a_longer_name_of_a_file_" + std::to_string(i);
    const open_file made(many / name, O_RDWR | O_CREAT | O_EXCL);
    expected.insert(name);
  }
  const auto listed = [&] {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(many)) found.insert(entry.path().filename());
    return found;
  };
  BOOST_TEST((listed() == expected));
  for (int i = 0; i < 5000; i += 2) {
    const std::string name = "a_longer_name_of_a_file_" + std::to_string(i);
    fs::remove(many / name);
    expected.erase(name);
  }
  BOOST_TEST((listed() == expected));
  BOOST_TEST(fs::remove_all(many) == 2501);
  BOOST_TEST(!fs::exists(files.home / "below/many"));
}

BOOST_AUTO_TEST_CASE(names_and_attributes_are_those_of_the_directory_below) {
  mounted_files files({1});
  const fs::path mount = files.home / "mount";
  const fs::path below = files.home / "below";
  const ::mode_t old_mask = ::umask(0027);
  fs::create_directory(mount / "d");
  {
    const open_file made(mount / "d/f", O_RDWR | O_CREAT);
    made.write(0, core::bytes(100, 'x'));
    made.sync();
  }
  ::umask(old_mask);
  BOOST_TEST((about(below / "d").st_mode & 07777) == 0750u);
  BOOST_TEST((about(below / "d/f").st_mode & 07777) == 0600u);
  BOOST_TEST(about(below / "d/f").st_size == 100);
  fs::permissions(mount / "d/f", fs::perms{0640});
  BOOST_TEST((about(below / "d/f").st_mode & 07777) == 0640u);
  if (::geteuid() == 0) {
    BOOST_TEST(::chown((mount / "d/f").c_str(), 12, 34) == 0);
    BOOST_TEST(about(below / "d/f").st_uid == 12u);
    BOOST_TEST(about(mount / "d/f").st_gid == 34u);
  }
  fs::create_symlink("d/f", mount / "link");
  BOOST_TEST(fs::read_symlink(below / "link") == "d/f");
  BOOST_TEST(fs::read_symlink(mount / "link") == "d/f");
  BOOST_TEST(fs::file_size(mount / "link") == 100u);
  fs::create_hard_link(mount / "d/f", mount / "d/second");
  BOOST_TEST(about(mount / "d/f").st_nlink == 2u);
  fs::remove(mount / "d/f");
  BOOST_TEST(open_file(mount / "d/second").read(0, 1).front() == 'x');
  BOOST_TEST(!fs::exists(mount / "d/f"));
  fs::rename(mount / "d", mount / "e");
  BOOST_TEST(open_file(mount / "e/second").size() == 100u);
  BOOST_TEST(fs::exists(below / "e/second"));
  BOOST_TEST(!fs::exists(mount / "d"));
  const timespec times[2] = {{1000000000, 5}, {1100000000, 7}};
  BOOST_TEST(::utimensat(AT_FDCWD, (mount / "e/second").c_str(), times, 0) == 0);
  BOOST_TEST(about(below / "e/second").st_mtim.tv_sec == 1100000000);
  BOOST_TEST(about(below / "e/second").st_mtim.tv_nsec == 7);
  std::error_code failed;
  fs::remove(mount / "e", failed);
  BOOST_TEST((failed == std::errc::directory_not_empty));
}

BOOST_AUTO_TEST_CASE(a_file_is_replaced_while_it_is_open) {
  mounted_files files({1});
  const fs::path mount = files.home / "mount";
  const open_file old(mount / "f", O_RDWR | O_CREAT);
  old.write(0, core::bytes(10, 'o'));
  {
    const open_file made(mount / "f.tmp", O_RDWR | O_CREAT);
    made.write(0, core::bytes(20, 'n'));
  }
  fs::rename(mount / "f.tmp", mount / "f");
  BOOST_TEST(open_file(mount / "f").size() == 20u);
  BOOST_TEST(old.size() == 10u);
  old.write(10, core::bytes(10, 'o'));
  BOOST_TEST((old.read(0, 20) == core::bytes(20, 'o')));
  BOOST_TEST((open_file(mount / "f").read(0, 20) == core::bytes(20, 'n')));
}

BOOST_AUTO_TEST_CASE(locks_are_those_of_the_kernel) {
  mounted_files files({1});
  const open_file one(files.path());
  const open_file other(files.path());
  BOOST_TEST(::flock(one.fd(), LOCK_EX | LOCK_NB) == 0);
  BOOST_TEST(::flock(other.fd(), LOCK_EX | LOCK_NB) == -1);
}

BOOST_AUTO_TEST_CASE(many_threads_may_change_names_at_the_same_time) {
  mounted_files files({1});
  const fs::path mount = files.home / "mount";
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      const std::string own = "own_" + std::to_string(t);
      for (int i = 0; i < 300; ++i) {
        const fs::path at = mount / own;
        {
          const open_file made(at, O_RDWR | O_CREAT | O_EXCL);
          made.write(0, core::bytes(8, static_cast<std::uint8_t>(t)));
        }
        // All threads rename to the same name; what is open stays what it is.
        std::error_code failed;
        const open_file opened(at);
        fs::rename(at, mount / "shared", failed);
        if (failed || opened.read(0, 8) != core::bytes(8, static_cast<std::uint8_t>(t))) ++wrong;
        const io::unique_fd any(::open((mount / "shared").c_str(), O_RDONLY | O_CLOEXEC));
        std::uint8_t byte = 0;
        if (!any || ::pread(any.get(), &byte, 1, 0) != 1 || byte > 5) ++wrong;
      }
    });
  for (std::thread& each : threads) each.join();
  BOOST_TEST(wrong == 0);
  BOOST_TEST(fs::exists(files.home / "below/shared"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
