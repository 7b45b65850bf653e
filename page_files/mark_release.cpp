#include "page_files/mark_release.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "page_files/page_toucher.hpp"

namespace strata::page_files {
namespace {

/// Allows what finds every page, now and later: also a write, or a truncation.
void answer(const fanotify_group& group, const page_map& map, int number, std::optional<std::uint32_t> file) {
  // An event of a process that was killed meanwhile is gone.
  if (file && map.missing(*file) == 0)
    (void)group.allow(number);
  else
    (void)group.deny(number, core::errc::io_error);
}

}  // namespace

bool mark_release::step() {
  const std::uint32_t end = std::min(map_.file_count(), next_ + files_at_once);
  for (; next_ < end; ++next_)
    if (!release(next_)) {
      next_ = 0;
      return false;
    }
  return next_ == map_.file_count();
}

bool mark_release::release(std::uint32_t file) {
  const auto opened = open_by_name(directory_, map_, file, O_RDONLY);
  if (!opened) return opened.error().code == core::errc::not_found;
  return map_.missing(file) == 0 && group_.unmark(opened->get());
}

void answer_left(const fanotify_group& group, const page_map& map) {
  std::vector<bool> known(fanotify_group::numbers_max);
  for (std::uint32_t slot = 0; slot < page_map::taken_max; ++slot) {
    const auto event = map.taken(slot);
    if (!event || event->fd < 0 || event->fd >= fanotify_group::numbers_max) continue;
    known[static_cast<std::size_t>(event->fd)] = true;
    answer(group, map, event->fd, event->file);
  }
  // Taken from the kernel and not yet recorded.
  for (int number = 0; number < fanotify_group::numbers_max; ++number)
    if (!known[static_cast<std::size_t>(number)]) (void)group.deny(number, core::errc::busy);
}

void answer_late(const fanotify_group& group, const page_map& map) {
  std::array<access_event, 16> events;
  for (;;) {
    const auto count = group.read(events);
    if (!count || *count == 0) return;
    for (std::size_t i = 0; i < *count; ++i) {
      const io::unique_fd fd(events[i].fd);
      struct stat found {};
      const bool known = ::fstat(fd.get(), &found) == 0;
      answer(group, map, fd.get(), known ? map.find({found.st_dev, found.st_ino}) : std::nullopt);
    }
  }
}

}  // namespace strata::page_files
