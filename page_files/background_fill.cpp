#include "page_files/background_fill.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "core/bytes.hpp"
#include "page_files/page_toucher.hpp"

namespace strata::page_files {

namespace {
constexpr std::chrono::milliseconds stop_check{5};
}

background_fill::background_fill(const page_map& map, options with)
    : map_(map), options_(std::move(with)), thread_([this] { run(); }) {}

background_fill::~background_fill() {
  stops_ = true;
  thread_.join();
}

void background_fill::run() {
  bool again = true;
  while (again && !stops_) {
    again = false;
    for (std::uint32_t file = 0; file < map_.file_count() && !stops_; ++file) again |= !fill(file);
    const auto until = std::chrono::steady_clock::now() + options_.pause;
    while (again && !stops_ && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(stop_check);
  }
  done_ = !stops_;
}

/// False if it is worth another try.
bool background_fill::fill(std::uint32_t file) {
  // Falls while this runs.
  const auto end = [&] { return std::min(map_.limit(file), map_.no_ahead_from(file)); };
  core::bytes pages;
  io::unique_fd opened;
  for (std::uint32_t page = 0; !stops_;) {
    const std::uint32_t stop = end();
    page = map_.first_missing(file, page, stop);
    if (page >= stop) return true;
    if (!has_room()) return false;
    if (!opened) {
      auto found = open_for_reading(options_.directory, map_, file);
      if (!found) return found.error().code == core::errc::not_found;
      opened = *std::move(found);
      pages.resize(page_range::count_max * pg::page_size);
    }
    const std::uint32_t count = std::min(page_range::count_max, stop - page);
    const ssize_t bytes = ::pread(opened.get(), pages.data(), count * pg::page_size,
                                  static_cast<off_t>(std::uint64_t{page} * pg::page_size));
    if (bytes < 0) return false;
    pace(static_cast<std::uint64_t>(bytes));
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

void background_fill::pace(std::uint64_t bytes) {
  using clock = std::chrono::steady_clock;
  next_ = std::max(next_, clock::now()) + std::chrono::nanoseconds(bytes * 1'000'000'000 / options_.bytes_per_second);
  while (!stops_ && clock::now() < next_)
    std::this_thread::sleep_for(std::min<clock::duration>(stop_check, next_ - clock::now()));
}

}  // namespace strata::page_files
