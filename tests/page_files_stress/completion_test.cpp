// The end of filling: what is there when the last filler has ended, and when it was killed at that moment.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <thread>

#include "page_files/mark_release.hpp"
#include "tests/page_files_stress/sparse_directory.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

const filler_options completes{.table = {}, .source = {}, .background = true, .completes = true};

/// Nothing is filled where this is false: the test says that it is skipped.
struct place {
  temp_dir at;
  bool possible = can_fill_at(at.path().string());
  [[nodiscard]] std::string path() const { return (at / "data").string(); }
};

/// The filler ends by itself.
void complete(sparse_directory& in) {
  in.start_filler(completes);
  BOOST_TEST(in.wait_for_filler() == 0);
  BOOST_TEST(in.map().is_complete());
}

bool has_ended(pid_t process, int& code) {
  int status = 0;
  if (::waitpid(process, &status, WNOHANG) != process) return false;
  code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return true;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(page_files_stress_completion, place)

BOOST_AUTO_TEST_CASE(complete_files_need_neither_filler_nor_marks) {
  if (!possible) return;
  sparse_directory directory(path(), {300, 0, 700});
  const io::unique_fd before(directory.open(0));
  BOOST_TEST(directory.marks() == 3);
  complete(directory);
  BOOST_TEST(directory.marks() == 0);
  for (std::uint32_t page = 0; page < 300; ++page) BOOST_TEST_REQUIRE(read_page(before.get(), 0, page) == 0);
  const io::unique_fd after(directory.open(2));
  for (std::uint32_t page = 0; page < 700; ++page) BOOST_TEST_REQUIRE(read_page(after.get(), 2, page) == 0);
  // Within a page, too: nothing of it is the page service's any more.
  BOOST_TEST(::ftruncate(before.get(), 10 * pg::page_size + 100) == 0);
  BOOST_TEST(::ftruncate(before.get(), 20 * pg::page_size) == 0);
  BOOST_TEST(read_page(before.get(), 0, 9) == 0);
  BOOST_TEST(read_page(before.get(), 0, 15) == 1);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_is_complete_with_the_pages_that_it_has) {
  if (!possible) return;
  sparse_directory directory(path(), {300, 300});
  directory.start_filler({});
  const io::unique_fd file(directory.open(0));
  const io::unique_fd other(directory.open(1));
  for (std::uint32_t page = 0; page < 100; ++page) BOOST_TEST_REQUIRE(read_page(file.get(), 0, page) == 0);
  // No access follows to one of them; the other one grows again.
  BOOST_TEST(::ftruncate(file.get(), 100 * pg::page_size) == 0);
  BOOST_TEST(::ftruncate(other.get(), 50 * pg::page_size) == 0);
  BOOST_TEST(::ftruncate(other.get(), 80 * pg::page_size) == 0);
  BOOST_TEST(directory.kill_filler());
  complete(directory);
  BOOST_TEST(directory.marks() == 0);
  BOOST_TEST(::ftruncate(file.get(), 101 * pg::page_size) == 0);
  BOOST_TEST(read_page(file.get(), 0, 99) == 0);
  BOOST_TEST(read_page(file.get(), 0, 100) == 1);
  BOOST_TEST(read_page(other.get(), 1, 49) == 0);
  BOOST_TEST(read_page(other.get(), 1, 60) == 1);
}

BOOST_AUTO_TEST_CASE(a_file_without_a_name_keeps_its_mark_and_is_never_read_as_zeros) {
  if (!possible) return;
  sparse_directory directory(path(), {300, 300});
  io::unique_fd gone(directory.open(1));
  std::filesystem::remove(directory.path_of(1));
  complete(directory);
  BOOST_TEST(directory.map().missing() == 300u);
  BOOST_TEST(directory.marks() == 1);
  const pid_t reader = start_process([&] { return read_page(gone.get(), 1, 7); });
  int code = 0;
  BOOST_TEST(eventually([&] {
    page_files::answer_late(directory.group(), directory.map());
    return has_ended(reader, code);
  }));
  BOOST_TEST(code == 100 + EIO);
  gone = {};
  BOOST_TEST(directory.marks() == 0);
}

BOOST_AUTO_TEST_CASE(a_filler_that_is_killed_around_the_last_page_leaves_nothing_that_waits) {
  if (!possible) return;
  std::mt19937 random(20261201);
  int killed = 0;
  for (int round = 0; round < 12; ++round) {
    sparse_directory directory(path() + std::to_string(round), {40, 1});
    const pid_t reader = start_process([&] {
      const io::unique_fd file(directory.open(0));
      int refused = 0;
      for (std::uint32_t i = 0; i < 400; ++i) {
        const int found = read_page(file.get(), 0, i * 7 % 40);
        // Read from the kernel by a filler that was killed before it wrote that down.
        if (found == 100 + EBUSY)
          ++refused;
        else if (found != 0)
          return found;
      }
      return refused > 20 ? 99 : 0;
    });
    // First when some last pages are missing, or just after; then at any time.
    for (bool first = true; !directory.map().is_complete(); first = false) {
      directory.start_filler(completes);
      const std::uint64_t left = first ? random() % 4 : 40;
      while (directory.map().missing() > left && !directory.map().is_complete()) std::this_thread::yield();
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % (first ? 600 : 20'000));
      while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
      killed += directory.kill_filler() ? 1 : 0;
    }
    // As its guard (actors/compute/page_supply).
    page_files::answer_left(directory.group(), directory.map());
    int code = -1;
    BOOST_TEST(eventually([&] {
      page_files::answer_late(directory.group(), directory.map());
      return has_ended(reader, code);
    }));
    BOOST_TEST(code == 0);
    BOOST_TEST(directory.map().missing() == 0u);
    BOOST_TEST(directory.marks() == 0);
  }
  BOOST_TEST(killed > 6);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
