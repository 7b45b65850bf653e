#include "page_files/background_fill.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/bytes.hpp"
#include "page_files/page_toucher.hpp"

namespace strata::page_files {

namespace {
constexpr std::chrono::milliseconds stop_check{5};
}

background_fill::background_fill(const page_map& map, fetcher fetch, options with)
    : map_(map), fetch_(std::move(fetch)), options_(std::move(with)), thread_([this] { run(); }) {}

background_fill::~background_fill() {
  stops_ = true;
  thread_.join();
}

void background_fill::run() {
  // What may have been cut off, or is about to be, last: most of it will be gone by then.
  const bool filled = fill_all(false) && fill_all(true);
  // A file that it has open may have lost its name.
  fetch_ = nullptr;
  done_ = filled;
}

/// False when it was stopped.
bool background_fill::fill_all(bool also_cut) {
  for (bool again = true; again;) {
    again = false;
    for (std::uint32_t file = 0; file < map_.file_count() && !stops_; ++file) again |= !fill(file, also_cut);
    const auto until = std::chrono::steady_clock::now() + options_.pause;
    while (again && !stops_ && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(stop_check);
    if (stops_) return false;
  }
  return true;
}

/// False if it is worth another try.
bool background_fill::fill(std::uint32_t file, bool also_cut) {
  // Falls while this runs.
  const auto end = [&] { return also_cut ? map_.limit(file) : std::min(map_.limit(file), map_.no_ahead_from(file)); };
  for (std::uint32_t page = 0; !stops_;) {
    const std::uint32_t stop = end();
    page = map_.first_missing(file, page, stop);
    if (page >= stop) return true;
    if (!has_room()) return false;
    const std::uint32_t count = std::min(page_range::count_max, stop - page);
    const auto begun = std::chrono::steady_clock::now();
    if (const auto fetched = fetch_(file, page, count); !fetched) return fetched.error().code == core::errc::not_found;
    pace(std::uint64_t{count} * pg::page_size, std::chrono::steady_clock::now() - begun);
    page += count;
  }
  return true;
}

/// Pages that nobody has asked for never take the room that Postgres needs.
bool background_fill::has_room() const {
  struct statvfs disk {};
  if (::statvfs(options_.directory.c_str(), &disk) != 0) return false;
  return std::uint64_t{disk.f_bavail} * disk.f_frsize >= options_.reserve;
}

void background_fill::pace(std::uint64_t bytes, std::chrono::steady_clock::duration took) {
  using clock = std::chrono::steady_clock;
  const auto now = clock::now();
  next_ = std::max(next_, now) + std::chrono::nanoseconds(bytes * 1'000'000'000 / options_.bytes_per_second);
  if (took >= options_.slow_fetch)
    next_ = std::max(next_, now + std::min<clock::duration>(took * options_.back_off_factor, options_.back_off_max));
  while (!stops_ && clock::now() < next_)
    std::this_thread::sleep_for(std::min<clock::duration>(stop_check, next_ - clock::now()));
}

background_fill::fetcher fetch_by_reading(const page_map& map, std::string directory) {
  struct open_file {
    std::uint32_t number = 0;
    io::unique_fd fd;
    core::bytes pages;
  };
  return [&map, directory = std::move(directory), open = std::make_shared<open_file>()](
             std::uint32_t file, std::uint32_t first, std::uint32_t count) -> core::result<void> {
    if (!open->fd || open->number != file) {
      open->fd = {};
      STRATA_ASSIGN(open->fd, open_by_name(directory, map, file, O_RDONLY));
      open->number = file;
      open->pages.resize(page_range::count_max * pg::page_size);
    }
    if (::pread(open->fd.get(), open->pages.data(), std::size_t{count} * pg::page_size,
                static_cast<off_t>(std::uint64_t{first} * pg::page_size)) < 0)
      return core::from_errno("read " + map.file(file).path, errno);
    return {};
  };
}

}  // namespace strata::page_files
