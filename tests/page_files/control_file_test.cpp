#include "page_files/control_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "pg/files/relation_manifest.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::page_files;

namespace {

namespace fs = std::filesystem;

/// While it lives, this process has the descriptor under its number, and so has every child.
struct inherited {
  explicit inherited(const io::unique_fd& memory) {
    BOOST_REQUIRE(::fcntl(control_file_descriptor, F_GETFD) < 0);
    BOOST_REQUIRE(::dup2(memory.get(), control_file_descriptor) == control_file_descriptor);
  }
  ~inherited() { ::close(control_file_descriptor); }
};

struct unpacked_directory {
  unpacked_directory() {
    fs::create_directories(data / "global");
    std::ofstream(data / pg::files::held_control_file_path) << std::string(8192, 'c');
  }
  void refused(core::errc code, const std::string& why) {
    const auto held = hold_control_file(data.string());
    BOOST_TEST_REQUIRE(!held.has_value(), "not refused: " << why);
    BOOST_TEST(held.error().code == code, core::to_string(held.error()));
    BOOST_TEST((held.error().detail.find(why) != std::string::npos), held.error().detail << " lacks " << why);
  }
  temp_dir home;
  fs::path data = home / "data";
  fs::path control = data / "global/pg_control";
};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_control_file)

BOOST_AUTO_TEST_CASE(only_who_has_the_descriptor_can_open_it) {
  unpacked_directory directory;
  const auto memory = hold_control_file(directory.data.string());
  BOOST_TEST_REQUIRE(memory.has_value());
  BOOST_TEST(!fs::exists(directory.data / pg::files::held_control_file_path));
  BOOST_TEST(fs::is_symlink(directory.control));
  BOOST_TEST(::open(directory.control.c_str(), O_RDWR | O_CLOEXEC) < 0);
  BOOST_TEST(errno == ENOENT);
  BOOST_TEST((::fcntl(memory->get(), F_GETFD) & FD_CLOEXEC) != 0);
  const inherited here(*memory);
  const io::unique_fd opened(::open(directory.control.c_str(), O_RDWR | O_CLOEXEC));
  BOOST_REQUIRE(opened);
  char byte = 0;
  BOOST_TEST(::pread(opened.get(), &byte, 1, 8191) == 1);
  BOOST_TEST(byte == 'c');
  BOOST_TEST(::pread(opened.get(), &byte, 1, 8192) == 0);
  BOOST_TEST(::pwrite(opened.get(), "x", 1, 100) == 1);
  BOOST_TEST(::pread(memory->get(), &byte, 1, 100) == 1);
  BOOST_TEST(byte == 'x');
}

BOOST_AUTO_TEST_CASE(an_archive_without_it_or_with_something_else_is_refused) {
  {
    unpacked_directory directory;
    std::ofstream(directory.control) << "already";
    directory.refused(core::errc::conflict, "there is a global/pg_control already");
    BOOST_TEST(fs::exists(directory.data / pg::files::held_control_file_path));
  }
  unpacked_directory directory;
  const fs::path held = directory.data / pg::files::held_control_file_path;
  for (const std::size_t size : {0u, 8191u}) {
    fs::resize_file(held, size);
    directory.refused(core::errc::corrupt, "has another size");
  }
  fs::resize_file(held, 8193);
  directory.refused(core::errc::corrupt, "too large");
  fs::resize_file(held, 8192);
  fs::rename(held, directory.home / "elsewhere");
  directory.refused(core::errc::corrupt, "it is missing");
  fs::create_symlink(directory.home / "elsewhere", held);
  directory.refused(core::errc::corrupt, "it is missing, or is a link");
  BOOST_TEST(!fs::exists(fs::symlink_status(directory.control)));
}

STRATA_CASE_FOR_MAJORS(page_files_control_file, postgres_starts_with_the_descriptor_and_never_without, minors::newest) {
  postgres_cluster made({.install = install});
  made.start();
  made.execute("create table t (i int)");
  made.stop();
  const fs::path data = made.data_directory();
  fs::rename(data / "global/pg_control", data / pg::files::held_control_file_path);
  auto memory = hold_control_file(data.string());
  BOOST_TEST_REQUIRE(memory.has_value());
  auto cluster = postgres_cluster::adopt(data);
  const auto by_hand_fails = [&] {
    BOOST_CHECK_EXCEPTION(cluster->start(), std::runtime_error, [](const std::runtime_error& refused) {
      const std::string text = refused.what();
      BOOST_TEST((text.find("could not open file") != std::string::npos), text);
      return text.find("global/pg_control") != std::string::npos;
    });
  };
  by_hand_fails();
  {
    const inherited here(*memory);
    cluster->start();
    cluster->execute("insert into t values (1)");
    cluster->execute("checkpoint");
    cluster->execute("select pg_switch_wal()");
    cluster->execute("checkpoint");
    cluster->execute("insert into t values (2)");
    cluster->stop();
    cluster->start();
    cluster->execute("insert into t values (3)");
    cluster->kill_all();
  }
  BOOST_TEST(fs::is_symlink(data / "global/pg_control"));
  by_hand_fails();
  {
    const inherited here(*memory);
    cluster->start();
    BOOST_TEST(cluster->value("select sum(i) from t") == "6");
    cluster->stop();
  }
  memory->reset();
  by_hand_fails();
}

BOOST_AUTO_TEST_SUITE_END()
