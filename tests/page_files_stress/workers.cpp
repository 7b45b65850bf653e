#include "tests/page_files_stress/workers.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <random>
#include <stdexcept>

namespace strata::tests {

namespace {

constexpr std::size_t halves_max = 256;

template <class Call>
struct held {
  explicit held(Call unlocks) : unlocks(unlocks) {}
  ~held() { unlocks(); }
  Call unlocks;
};

}  // namespace

shared_files::shared_files() {
  void* at = ::mmap(nullptr, sizeof(state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("no shared memory");
  state_ = new (at) state{};
  state_->last_value = of_the_source;
  pthread_rwlockattr_t for_files;
  ::pthread_rwlockattr_init(&for_files);
  ::pthread_rwlockattr_setpshared(&for_files, PTHREAD_PROCESS_SHARED);
  ::pthread_rwlockattr_setkind_np(&for_files, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_mutexattr_t for_pages;
  ::pthread_mutexattr_init(&for_pages);
  ::pthread_mutexattr_setpshared(&for_pages, PTHREAD_PROCESS_SHARED);
  for (file_state& each : state_->files) {
    ::pthread_rwlock_init(&each.lock, &for_files);
    ::pthread_mutex_init(&each.extension, &for_pages);
    for (auto& page : each.page_locks) ::pthread_mutex_init(&page, &for_pages);
    each.pages = pages_at_start;
    std::fill_n(each.values.begin(), pages_at_start * 2, of_the_source);
  }
}

shared_files::~shared_files() { ::munmap(state_, sizeof(state)); }

void shared_files::report(const std::string& what) {
  if (state_->wrong_count++ == 0) what.copy(state_->wrong.data(), state_->wrong.size() - 1);
  state_->stops = true;
}

std::string shared_files::wrong() const { return state_->wrong.data(); }

class shared_files::worker {
 public:
  worker(shared_files& all, const sparse_directory& in, std::uint32_t seed)
      : all_(all), state_(*all.state_), random_(seed), bytes_(halves_max * half_bytes), expected_(half_bytes) {
    for (std::uint32_t i = 0; i < file_count; ++i) fds_.emplace_back(in.open(i));
  }

  void step() {
    const std::uint32_t file = below(file_count);
    file_state& of = state_.files[file];
    if (below(64) == 0) of.hot = below(of.pages);
    const std::uint32_t die = below(100);
    if (die < 35)
      read(file);
    else if (die < 60)
      write(file);
    else if (die < 64)
      extend(file);
    else if (die < 66)
      truncate(file);
    else if (die < 98)
      read_for_nobody(file, 1 + below(8));
    else
      for (std::uint32_t i = 0, first = place(of); i < 20; ++i) pread(file, first * 2 + i * 2, 2);
  }

  void compare(std::uint32_t file) {
    require_size(file);
    for (std::uint32_t half = 0; half < state_.files[file].pages * 2; half += halves_max)
      check(file, half, std::min<std::uint32_t>(halves_max, state_.files[file].pages * 2 - half));
  }

 private:
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % std::max(end, 1u)); }
  std::uint32_t place(const file_state& of) { return below(3) == 0 ? below(of.pages) : of.hot + below(64); }

  /// A system call that a filler may have refused: a failed fetch, or an event that its predecessor took.
  template <class Call>
  bool done(Call call) {
    for (int i = 0; i < 1000; ++i) {
      if (call()) return true;
      if (errno != EBUSY && errno != EIO) break;
      ++state_.counted.refused;
    }
    all_.report(std::string("a system call failed: ") + std::strerror(errno));
    return false;
  }

  ssize_t pread(std::uint32_t file, std::uint32_t half, std::uint32_t halves) {
    ssize_t bytes = -1;
    done([&] {
      bytes = ::pread(fds_[file].get(), bytes_.data(), halves * half_bytes, static_cast<off_t>(half * half_bytes));
      return bytes >= 0;
    });
    return bytes;
  }

  void check(std::uint32_t file, std::uint32_t half, std::uint32_t halves) {
    const file_state& of = state_.files[file];
    const ssize_t bytes = pread(file, half, halves);
    if (bytes < 0) return;
    if (bytes != static_cast<ssize_t>(halves * half_bytes)) return all_.report("a read ended early");
    for (std::uint32_t i = 0; i < halves; ++i) {
      fill_half(expected_.data(), file, half + i, of.values[half + i]);
      const std::uint8_t* found = bytes_.data() + i * half_bytes;
      if (std::memcmp(found, expected_.data(), half_bytes) == 0) continue;
      const std::uint32_t expected = of.values[half + i];
      core::bytes old(half_bytes);
      fill_half(old.data(), file, half + i, of_the_source);
      const bool is_old = std::memcmp(found, old.data(), half_bytes) == 0;
      const bool is_zero = std::all_of(found, found + half_bytes, [](std::uint8_t byte) { return byte == 0; });
      all_.report("page " + std::to_string((half + i) / 2) + " of " + std::to_string(of.pages) + " in file " +
                  std::to_string(file) + " must have value " + std::to_string(expected) + " and has " +
                  (is_old    ? "the page service's"
                   : is_zero ? "zeros"
                             : "something else"));
      return;
    }
  }

  void require_size(std::uint32_t file) {
    struct stat found {};
    ::fstat(fds_[file].get(), &found);
    const std::uint64_t expected = std::uint64_t{state_.files[file].pages} * pg::page_size;
    if (static_cast<std::uint64_t>(found.st_size) != expected)
      all_.report("a file has " + std::to_string(found.st_size) + " bytes instead of " + std::to_string(expected));
  }

  /// Uses some halves of pages below the end, under the locks of the file and of the pages.
  template <class Use>
  void use(std::uint32_t file, std::uint32_t halves, Use with) {
    file_state& of = state_.files[file];
    ::pthread_rwlock_rdlock(&of.lock);
    const held unlock([&] { ::pthread_rwlock_unlock(&of.lock); });
    const std::uint32_t end = of.pages * 2;
    const std::uint32_t first = std::min(place(of) * 2 + below(2), end);
    halves = std::min(halves, end - first);
    if (halves == 0) return;
    for (std::uint32_t page = first / 2; page <= (first + halves - 1) / 2; ++page)
      ::pthread_mutex_lock(&of.page_locks[page]);
    with(first, halves);
    for (std::uint32_t page = first / 2; page <= (first + halves - 1) / 2; ++page)
      ::pthread_mutex_unlock(&of.page_locks[page]);
  }

  void read(std::uint32_t file) {
    ++state_.counted.reads;
    use(file, 1 + below(6), [&](std::uint32_t first, std::uint32_t halves) { check(file, first, halves); });
  }

  void put(std::uint32_t file, std::uint32_t first, std::uint32_t halves) {
    file_state& of = state_.files[file];
    const std::uint32_t value = ++state_.last_value;
    for (std::uint32_t i = 0; i < halves; ++i) fill_half(bytes_.data() + i * half_bytes, file, first + i, value);
    const auto length = static_cast<ssize_t>(halves * half_bytes);
    const bool written = done([&] {
      const ssize_t bytes = ::pwrite(fds_[file].get(), bytes_.data(), static_cast<std::size_t>(length),
                                     static_cast<off_t>(first * half_bytes));
      if (bytes >= 0 && bytes != length) all_.report("a write ended early");
      return bytes >= 0;
    });
    if (written) std::fill_n(of.values.begin() + first, halves, value);
  }

  void write(std::uint32_t file) {
    ++state_.counted.writes;
    use(file, 1 + below(4), [&](std::uint32_t first, std::uint32_t halves) { put(file, first, halves); });
  }

  void resize(std::uint32_t file, std::uint32_t pages) {
    done([&] { return ::ftruncate(fds_[file].get(), static_cast<off_t>(std::uint64_t{pages} * pg::page_size)) == 0; });
  }

  void extend(std::uint32_t file) {
    ++state_.counted.extensions;
    file_state& of = state_.files[file];
    ::pthread_rwlock_rdlock(&of.lock);
    ::pthread_mutex_lock(&of.extension);
    const held unlock([&] {
      ::pthread_mutex_unlock(&of.extension);
      ::pthread_rwlock_unlock(&of.lock);
    });
    const std::uint32_t gap = below(2) * below(20);
    const std::uint32_t first = of.pages + gap;
    const std::uint32_t pages = 1 + below(3);
    if (first + pages > pages_max) return;
    if (gap > 0 && below(2) == 0) resize(file, first);
    put(file, first * 2, pages * 2);
    of.pages = first + pages;
  }

  void truncate(std::uint32_t file) {
    ++state_.counted.truncations;
    file_state& of = state_.files[file];
    ::pthread_rwlock_wrlock(&of.lock);
    const held unlock([&] { ::pthread_rwlock_unlock(&of.lock); });
    require_size(file);
    const std::uint32_t before = of.pages;
    const std::uint32_t die = below(4);
    std::uint32_t pages = before;
    if (die < 2)
      pages = before - std::min(before, below(2) == 0 ? below(60) : before - std::min(before, of.hot + below(64)));
    if (die == 2) pages = std::min(before + below(20), pages_max);
    // Always some file left to work on.
    pages = std::max(pages, pages_at_start / 4);
    resize(file, pages);
    for (std::uint32_t half = std::min(pages, before) * 2; half < before * 2; ++half) of.values[half] = 0;
    of.pages = pages;
    require_size(file);
  }

  void read_for_nobody(std::uint32_t file, std::uint32_t pages) {
    pread(file, place(state_.files[file]) * 2, pages * 2);
  }

  shared_files& all_;
  state& state_;
  std::mt19937 random_;
  std::vector<io::unique_fd> fds_;
  core::bytes bytes_;
  core::bytes expected_;
};

int shared_files::work(const sparse_directory& in, std::uint32_t seed) {
  worker one(*this, in, seed);
  while (!state_->stops) one.step();
  return 0;
}

void shared_files::compare(const sparse_directory& in) {
  worker one(*this, in, 0);
  for (std::uint32_t file = 0; file < file_count; ++file) one.compare(file);
}

}  // namespace strata::tests
