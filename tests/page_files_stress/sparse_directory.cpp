#include "tests/page_files_stress/sparse_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <stdexcept>
#include <thread>

#include "page_files/background_fill.hpp"
#include "page_files/mark_release.hpp"

namespace strata::tests {

namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what + ": " + std::strerror(errno));
}

constexpr std::uint32_t first_relation = 16384;

int run_filler(int group, int map_fd, const std::string& directory, const filler_options& with,
               std::atomic<std::uint64_t>& taken_over, std::atomic<std::uint64_t>& unrecorded) {
  const auto failed = [](const core::error& why) {
    std::fprintf(stderr, "filler: %s\n", core::to_string(why).c_str());
    return 1;
  };
  auto map = page_files::page_map::open(io::unique_fd(::dup(map_fd)), true);
  if (!map) return failed(map.error());
  slow_source source(with.source, static_cast<std::uint32_t>(::getpid()));
  auto door = page_files::fanotify_door::make(page_files::fanotify_group(io::unique_fd(::dup(group))), *map, source,
                                              {.directory = directory, .table = with.table});
  if (!door) return failed(door.error());
  taken_over += (*door)->counted().events_taken_over;
  unrecorded += (*door)->counted().events_denied;
  std::optional<page_files::background_fill> background;
  if (with.background)
    background.emplace(*map, page_files::fetch_by_reading(*map, directory),
                       page_files::background_fill::options{.directory = directory, .reserve = with.reserve});
  page_files::mark_release marks((*door)->group(), *map, directory);
  for (;;) {
    if (with.completes && background->is_done() && marks.step() && (*door)->is_idle()) {
      map->set_complete();
      return 0;
    }
    pollfd ready{.fd = (*door)->fd(), .events = POLLIN, .revents = 0};
    const auto wait = std::min<std::chrono::nanoseconds>(std::chrono::milliseconds(10),
                                                         source.next().value_or(std::chrono::milliseconds(10)));
    const timespec timeout{.tv_sec = 0, .tv_nsec = std::max<long>(0, wait.count())};
    if (::ppoll(&ready, 1, &timeout, nullptr) > 0)
      if (auto went = (*door)->on_readable(); !went) return failed(went.error());
    source.run();
    if ((*door)->waiting() > 0) (*door)->on_tick();
  }
}

}  // namespace

void fill_half(std::uint8_t* to, std::uint32_t file, std::uint32_t half, std::uint32_t value) {
  if (value == 0) {
    std::memset(to, 0, half_bytes);
    return;
  }
  std::uint64_t word = (std::uint64_t{value} << 32 | half) * 0x9E3779B97F4A7C15u + file;
  for (std::size_t at = 0; at < half_bytes; at += sizeof word, word += 0xD6E8FEB86659FD93u)
    std::memcpy(to + at, &word, sizeof word);
}

void slow_source::fetch(const page_files::page_range& range, receiver then) {
  if (options_.silent) return;
  const auto delay = std::chrono::microseconds(
      options_.delay_max.count() == 0 ? 0 : static_cast<long>(random_() % options_.delay_max.count()));
  requests_.push_back({std::chrono::steady_clock::now() + delay, range, std::move(then)});
}

std::optional<std::chrono::microseconds> slow_source::next() const {
  if (requests_.empty()) return std::nullopt;
  const auto due = std::ranges::min(requests_, {}, &request::due).due;
  return std::max(std::chrono::microseconds(0),
                  std::chrono::duration_cast<std::chrono::microseconds>(due - std::chrono::steady_clock::now()));
}

void slow_source::run() {
  core::bytes pages;
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < requests_.size();) {
    if (requests_[i].due > now) {
      ++i;
      continue;
    }
    const request next = std::move(requests_[i]);
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(i));
    if (random_() % 1000 < options_.failures_per_thousand) {
      next.then(core::error{core::errc::timeout, "the page service does not answer"});
      continue;
    }
    pages.resize(next.range.count * pg::page_size);
    for (std::uint32_t half = 0; half < next.range.count * 2; ++half)
      fill_half(pages.data() + half * half_bytes, next.range.relation.relation - first_relation,
                next.range.first * 2 + half, of_the_source);
    next.then(core::bytes_view(pages));
  }
}

bool can_fill_at(const std::string& directory) {
  const auto skipped = [](const core::error& why) {
    std::printf("SKIPPED: %s\n", why.detail.c_str());
    return false;
  };
  const auto group = page_files::fanotify_group::make();
  if (!group) return skipped(group.error());
  const std::string path = directory + "/probe";
  const io::unique_fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const auto marked = group->mark(file.get());
  std::filesystem::remove(path);
  return marked || skipped(marked.error());
}

sparse_directory::sparse_directory(std::string path, const std::vector<std::uint32_t>& pages) : path_(std::move(path)) {
  std::filesystem::create_directories(path_ + "/base/5");
  void* shared = ::mmap(nullptr, sizeof(counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(shared != MAP_FAILED, "share memory");
  counts_ = new (shared) counts{};
  auto group = page_files::fanotify_group::make();
  require(group.has_value(), "make a group");
  group_.emplace(*std::move(group));
  std::vector<page_files::sparse_file> files;
  for (std::uint32_t i = 0; i < pages.size(); ++i) {
    const io::unique_fd file(::open(path_of(i).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    require(file && ::ftruncate(file.get(), static_cast<off_t>(pages[i] * pg::page_size)) == 0, "create a file");
    require(group_->mark(file.get()).has_value(), "mark a file");
    struct stat found {};
    require(::fstat(file.get(), &found) == 0, "look at a file");
    files.push_back({{.path = "base/5/" + std::to_string(first_relation + i),
                      .relation = {pg::default_tablespace, 5, first_relation + i, pg::fork::main},
                      .pages = pages[i]},
                     {found.st_dev, found.st_ino}});
  }
  auto map = page_files::page_map::make(files);
  require(map.has_value(), "make a map");
  map_.emplace(*std::move(map));
}

sparse_directory::~sparse_directory() {
  if (filler_ >= 0) kill_filler();
  ::munmap(counts_, sizeof(counts));
}

int sparse_directory::marks() const {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(group_->fd()));
  int found = 0;
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("fanotify ino:")) ++found;
  return found;
}

void sparse_directory::start_filler(const filler_options& with) {
  filler_ = start_process(
      [&] { return run_filler(group_->fd(), map_->fd(), path_, with, counts_->taken_over, counts_->unrecorded); });
}

bool sparse_directory::kill_filler() {
  ::kill(filler_, SIGKILL);
  return wait_for(std::exchange(filler_, -1)) == -SIGKILL;
}

int sparse_directory::wait_for_filler() { return wait_for(std::exchange(filler_, -1)); }

std::string sparse_directory::path_of(std::uint32_t file) const {
  return path_ + "/base/5/" + std::to_string(first_relation + file);
}

int sparse_directory::open(std::uint32_t file) const { return ::open(path_of(file).c_str(), O_RDWR | O_CLOEXEC); }

std::size_t sparse_directory::taken() const {
  std::size_t count = 0;
  for (std::uint32_t slot = 0; slot < page_files::page_map::taken_max; ++slot) count += map_->taken(slot) ? 1 : 0;
  return count;
}

void sparse_directory::complete(std::uint32_t file) {
  auto map = page_files::page_map::open(io::unique_fd(::dup(map_->fd())), true);
  require(map.has_value(), "open the map");
  map->set_present(file, 0, map->file(file).pages);
  const io::unique_fd opened(open(file));
  require(group_->ignore(opened.get()).has_value(), "ignore a file");
}

int read_page(int file, std::uint32_t of, std::uint32_t page) {
  core::bytes found(pg::page_size);
  core::bytes expected(pg::page_size);
  if (::pread(file, found.data(), found.size(), static_cast<off_t>(page * pg::page_size)) < 0) return 100 + errno;
  for (std::uint32_t half = 0; half < 2; ++half)
    fill_half(expected.data() + half * half_bytes, of, page * 2 + half, of_the_source);
  if (found == expected) return 0;
  return found == core::bytes(pg::page_size) ? 1 : 2;
}

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

pid_t start_process(const std::function<int()>& what) {
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  require(process >= 0, "fork");
  if (process > 0) return process;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  int code = 1;
  try {
    code = what();
  } catch (const std::exception& why) {
    std::fprintf(stderr, "%s\n", why.what());
  }
  ::_exit(code);
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace strata::tests
