#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/page_files_stress/sparse_directory.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

pid_t start_reader(const sparse_directory& in, std::uint32_t page) {
  return start_process([&in, page] {
    const io::unique_fd file(in.open(0));
    return read_page(file.get(), 0, page);
  });
}

/// Whatever the group answers wakes everyone who waits for it, so that a reader that goes on waiting runs for a moment.
/// One whose access goes on ends, and never waits again.
bool waits_in_kernel(pid_t process) {
  return eventually([&] {
    std::ifstream status("/proc/" + std::to_string(process) + "/stat");
    std::string number, name, state;
    status >> number >> name >> state;
    return state == "D";
  });
}

const filler_options silent{.table = {}, .source = {.silent = true}};

/// Nothing is filled where this is false: the test says that it is skipped.
struct place {
  temp_dir at;
  bool possible = can_fill_at(at.path().string());
  [[nodiscard]] std::string path() const { return (at / "data").string(); }
};

void note_signal(int) {}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(page_files_stress_door, place)

BOOST_AUTO_TEST_CASE(a_page_is_filled_when_it_is_touched_and_no_other) {
  if (!possible) return;
  sparse_directory directory(path(), {1000, 1000});
  directory.start_filler({});
  BOOST_TEST(wait_for(start_reader(directory, 700)) == 0);
  BOOST_TEST(directory.map().missing() == 1999u);
  struct stat found {};
  BOOST_TEST(::stat(directory.path_of(0).c_str(), &found) == 0);
  BOOST_TEST(found.st_size == 1000 * static_cast<off_t>(pg::page_size));
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(a_complete_file_needs_no_filler) {
  if (!possible) return;
  sparse_directory directory(path(), {200});
  const io::unique_fd file(directory.open(0));
  directory.start_filler({.table = {}, .source = {}, .background = true});
  BOOST_TEST(eventually([&] { return directory.map().missing() == 0; }));
  // Its last page is present before the file is ignored.
  BOOST_TEST(read_page(file.get(), 0, 0) == 0);
  BOOST_TEST(directory.kill_filler());
  for (std::uint32_t page = 0; page < 200; ++page) BOOST_TEST_REQUIRE(read_page(file.get(), 0, page) == 0);
  BOOST_TEST(wait_for(start_reader(directory, 5)) == 0);
}

BOOST_AUTO_TEST_CASE(pages_that_nobody_asks_for_leave_room_on_the_disk) {
  if (!possible) return;
  sparse_directory directory(path(), {200});
  directory.start_filler({.table = {}, .source = {}, .background = true, .reserve = std::uint64_t{1} << 62});
  BOOST_TEST(wait_for(start_reader(directory, 150)) == 0);
  BOOST_TEST(directory.map().missing() == 199u);
  BOOST_TEST(directory.kill_filler());
  directory.start_filler({.table = {}, .source = {}, .background = true});
  BOOST_TEST(eventually([&] { return directory.map().missing() == 0; }));
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(a_page_that_can_not_be_fetched_is_an_error_and_may_be_asked_for_again) {
  if (!possible) return;
  sparse_directory directory(path(), {100});
  directory.start_filler({.table = {}, .source = {.failures_per_thousand = 1000}});
  BOOST_TEST(wait_for(start_reader(directory, 7)) == 100 + EIO);
  BOOST_TEST(directory.kill_filler());
  directory.start_filler({});
  BOOST_TEST(wait_for(start_reader(directory, 7)) == 0);
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(a_file_is_not_cut_within_a_page_of_the_page_service) {
  if (!possible) return;
  sparse_directory directory(path(), {100});
  directory.start_filler({});
  const io::unique_fd file(directory.open(0));
  BOOST_TEST(::ftruncate(file.get(), 50 * pg::page_size + 4096) == -1);
  BOOST_TEST(errno == EIO);
  BOOST_TEST(::ftruncate(file.get(), 50 * pg::page_size) == 0);
  BOOST_TEST(::ftruncate(file.get(), 60 * pg::page_size) == 0);
  BOOST_TEST(read_page(file.get(), 0, 49) == 0);
  BOOST_TEST(read_page(file.get(), 0, 50) == 1);
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(a_successor_serves_the_reader_that_its_predecessor_left_waiting) {
  if (!possible) return;
  sparse_directory directory(path(), {100});
  directory.start_filler(silent);
  const pid_t reader = start_reader(directory, 7);
  BOOST_TEST(eventually([&] { return directory.taken() == 1; }));
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(directory.kill_filler());
    directory.start_filler(silent);
    BOOST_TEST(eventually([&] { return directory.taken_over() == static_cast<std::uint64_t>(i) + 1; }));
  }
  // An answer to another access wakes it for a moment.
  BOOST_TEST(eventually([&] { return waits_in_kernel(reader); }));
  BOOST_TEST(directory.kill_filler());
  directory.start_filler({});
  BOOST_TEST(wait_for(reader) == 0);
  // The answer is given first: a filler that is killed in between leaves the event to its successor.
  BOOST_TEST(eventually([&] { return directory.taken() == 0; }));
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(a_successor_answers_for_a_file_that_its_predecessor_completed_as_its_last_act) {
  if (!possible) return;
  sparse_directory directory(path(), {100});
  directory.start_filler(silent);
  const pid_t reader = start_reader(directory, 7);
  BOOST_TEST(eventually([&] { return directory.taken() == 1; }));
  BOOST_TEST(directory.kill_filler());
  directory.complete(0);
  directory.start_filler({});
  BOOST_TEST(eventually([&] { return directory.taken() == 0; }));
  ::kill(reader, SIGKILL);
  (void)wait_for(reader);
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(a_successor_does_not_serve_a_reader_of_a_file_whose_name_is_gone_or_taken) {
  if (!possible) return;
  for (const bool replaced : {false, true}) {
    sparse_directory directory(path() + (replaced ? "1" : "0"), {100});
    directory.start_filler(silent);
    const pid_t reader = start_reader(directory, 7);
    BOOST_TEST(eventually([&] { return directory.taken() == 1; }));
    BOOST_TEST(directory.kill_filler());
    std::filesystem::remove(directory.path_of(0));
    if (replaced) std::ofstream(directory.path_of(0)) << "another relation";
    directory.start_filler({});
    BOOST_TEST(wait_for(reader) == 100 + EBUSY);
    BOOST_TEST(directory.kill_filler());
    if (replaced) BOOST_TEST(std::filesystem::file_size(directory.path_of(0)) == 16u);
  }
}

BOOST_AUTO_TEST_CASE(a_signal_reaches_a_process_that_waits_for_a_page) {
  if (!possible) return;
  sparse_directory directory(path(), {100});
  directory.start_filler(silent);
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT}) {
    const pid_t reader = start_process([&] {
      struct sigaction action {};
      action.sa_handler = note_signal;
      ::sigaction(signal, &action, nullptr);
      const io::unique_fd file(directory.open(0));
      return read_page(file.get(), 0, 7);
    });
    BOOST_TEST(eventually([&] { return directory.taken() == 1; }));
    ::kill(reader, signal);
    BOOST_TEST(wait_for(reader) == 100 + EIO);
    BOOST_TEST(eventually([&] { return directory.taken() == 0; }));
  }
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(more_readers_than_events_in_flight_are_all_served) {
  if (!possible) return;
  sparse_directory directory(path(), {1000});
  directory.start_filler(silent);
  std::vector<pid_t> readers;
  for (std::uint32_t i = 0; i < page_files::fanotify_door::events_max + 80; ++i)
    readers.push_back(start_reader(directory, i * 3));
  BOOST_TEST(eventually([&] { return directory.taken() == page_files::fanotify_door::events_max; }));
  BOOST_TEST(directory.kill_filler());
  directory.start_filler({});
  int refused = 0;
  for (const pid_t each : readers) {
    const int found = wait_for(each);
    if (found == 100 + EBUSY)
      ++refused;
    else
      BOOST_TEST(found == 0);
  }
  // An event whose number is one that the successor itself has.
  BOOST_TEST(refused <= 4);
  BOOST_TEST(directory.kill_filler());
}

BOOST_AUTO_TEST_CASE(without_guard_and_filler_a_reader_that_has_the_group_blocks_and_can_be_killed) {
  if (!possible) return;
  BOOST_TEST(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  for (const bool inherits : {true, false}) {
    int tell[2];
    BOOST_TEST_REQUIRE(::pipe2(tell, O_CLOEXEC) == 0);
    const pid_t guard = start_process([&] {
      sparse_directory directory(path() + (inherits ? "1" : "0"), {100});
      directory.start_filler(silent);
      const pid_t reader = ::fork();
      if (reader == 0) {
        // As Postgres: does not end with its guard.
        const io::unique_fd file(directory.open(0));
        if (!inherits) directory.leave_group();
        ::_exit(read_page(file.get(), 0, 7));
      }
      if (!eventually([&] { return directory.taken() == 1; })) return 1;
      const pid_t both[] = {directory.filler(), reader};
      if (::write(tell[1], both, sizeof both) != sizeof both) return 1;
      for (;;) ::pause();
    });
    pid_t both[2] = {-1, -1};
    BOOST_TEST_REQUIRE(::read(tell[0], both, sizeof both) == static_cast<ssize_t>(sizeof both));
    ::kill(both[0], SIGKILL);
    ::kill(guard, SIGKILL);
    BOOST_TEST(wait_for(guard) == -SIGKILL);
    BOOST_TEST(wait_for(both[0]) == -SIGKILL);
    if (inherits) {
      BOOST_TEST(eventually([&] { return waits_in_kernel(both[1]); }));
      ::kill(both[1], SIGKILL);
      BOOST_TEST(wait_for(both[1]) == -SIGKILL);
    } else {
      // The reason why every user of the files must have the group: the kernel lets the access go on, to zeros.
      BOOST_TEST(wait_for(both[1]) == 1);
    }
    ::close(tell[0]);
    ::close(tell[1]);
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_of_the_access) {
  if (!possible) return;
  const std::string image = (at / "image").string();
  const std::string disk = (at / "disk").string();
  std::filesystem::create_directory(disk);
  const auto run = [](const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; };
  if (!run("truncate -s 8M " + image + " && mkfs.ext4 -q -O ^has_journal " + image + " && mount -o loop " + image +
           " " + disk)) {
    std::printf("SKIPPED: no small ext4 can be mounted here\n");
    return;
  }
  {
    sparse_directory directory(disk + "/data", {2000});
    const io::unique_fd file(directory.open(0));
    directory.start_filler({});
    int full = 0;
    for (std::uint32_t page = 0; page < 2000; ++page) {
      const int found = read_page(file.get(), 0, page);
      if (found == 100 + ENOSPC)
        ++full;
      else
        BOOST_TEST_REQUIRE(found == 0);
    }
    BOOST_TEST(full > 0);
    BOOST_TEST(directory.map().missing() > 0u);
    BOOST_TEST(directory.kill_filler());
  }
  BOOST_TEST(run("umount " + disk));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
