#include "page_files/fanotify_group.hpp"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace strata::page_files {

namespace {

// Of Linux 6.14 and later; Debian 12's headers are older.
constexpr unsigned class_pre_content = 0x8;
constexpr std::uint64_t pre_access = 0x0010'0000;
constexpr unsigned mark_ignore_surviving_changes = 0x400 | 0x40;
constexpr std::uint8_t info_type_range = 6;
constexpr unsigned deny_error_shift = 24;

struct range_record {
  std::uint8_t type;
  std::uint8_t pad;
  std::uint16_t length;
  std::uint32_t pad_too;
  std::uint64_t offset;
  std::uint64_t count;
};
constexpr std::size_t event_bytes = sizeof(fanotify_event_metadata) + sizeof(range_record);
static_assert(event_bytes == 48);
constexpr std::size_t events_at_once_max = 64;

core::result<void> answer(int group, int number, std::uint32_t response) {
  const fanotify_response saying{.fd = number, .response = response};
  if (::write(group, &saying, sizeof saying) == sizeof saying) return {};
  return core::from_errno("answer a file access", errno);
}

}  // namespace

core::result<fanotify_group> fanotify_group::make() {
  io::unique_fd fd(
      ::fanotify_init(class_pre_content | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_NONBLOCK | FAN_CLOEXEC,
                      O_RDWR | O_LARGEFILE | O_CLOEXEC));
  if (fd) return fanotify_group(std::move(fd));
  const int why = errno;
  if (why == EPERM) return core::error{core::errc::permission_denied, "fanotify needs root (CAP_SYS_ADMIN)"};
  if (why == ENOSYS || why == EINVAL) return core::error{core::errc::unsupported, "the kernel has no fanotify"};
  // Also when this process has no descriptor left, which its own limit makes the less likely reason.
  if (why == EMFILE)
    return core::error{
        core::errc::busy,
        "fanotify: no more groups than fs.fanotify.max_user_groups at once, one for each compute of this "
        "kind on the host; sysctl raises it"};
  return core::from_errno("watch files", why);
}

core::result<void> fanotify_group::mark(int file) const {
  if (::fanotify_mark(fd_.get(), FAN_MARK_ADD, pre_access, file, nullptr) == 0) return {};
  const int why = errno;
  // A kernel before 6.14 does not know the event, a file system may not raise it.
  if (why == EINVAL || why == EOPNOTSUPP)
    return core::error{core::errc::unsupported, "fanotify needs Linux 6.14, and the files on ext4, xfs or btrfs"};
  return core::from_errno("mark a file", why);
}

core::result<void> fanotify_group::ignore(int file) const {
  if (::fanotify_mark(fd_.get(), FAN_MARK_ADD | mark_ignore_surviving_changes, pre_access, file, nullptr) == 0)
    return {};
  return core::from_errno("unmark a complete file", errno);
}

core::result<void> fanotify_group::unmark(int file) const {
  // The ignore mark last: without it the other one would raise events.
  for (const unsigned kind : {0U, mark_ignore_surviving_changes})
    if (::fanotify_mark(fd_.get(), FAN_MARK_REMOVE | kind, pre_access, file, nullptr) != 0 && errno != ENOENT)
      return core::from_errno("remove a file's mark", errno);
  return {};
}

core::result<std::size_t> fanotify_group::read(std::span<access_event> into) const {
  std::array<std::uint8_t, event_bytes * events_at_once_max> buffer;
  const std::size_t room = std::min(into.size(), events_at_once_max);
  if (room == 0) return std::size_t{0};
  const ssize_t bytes = ::read(fd_.get(), buffer.data(), event_bytes * room);
  if (bytes < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return core::from_errno("read file accesses", errno);
  }
  std::size_t count = 0;
  for (std::size_t at = 0; count < room && at + sizeof(fanotify_event_metadata) <= static_cast<std::size_t>(bytes);) {
    fanotify_event_metadata event;
    std::memcpy(&event, buffer.data() + at, sizeof event);
    if (event.vers != FANOTIFY_METADATA_VERSION || event.event_len < sizeof event)
      return core::error{core::errc::unsupported, "read file accesses: another version of events"};
    // Without a range the whole file is meant.
    access_event& to = into[count];
    to = {.fd = event.fd, .process = event.pid, .offset = 0, .length = std::uint64_t{1} << 62};
    for (std::size_t record = at + event.metadata_len; record + sizeof(range_record) <= at + event.event_len;) {
      range_record range;
      std::memcpy(&range, buffer.data() + record, sizeof range);
      if (range.type == info_type_range) {
        to.offset = range.offset;
        to.length = range.count;
      }
      if (range.length == 0) break;
      record += range.length;
    }
    if (event.fd >= 0) ++count;
    at += event.event_len;
  }
  return count;
}

core::result<void> fanotify_group::allow(int number) const { return answer(fd_.get(), number, FAN_ALLOW); }

core::result<void> fanotify_group::deny(int number, core::errc why) const {
  const unsigned number_of_error = why == core::errc::disk_full ? ENOSPC : why == core::errc::busy ? EBUSY : EIO;
  return answer(fd_.get(), number, FAN_DENY | number_of_error << deny_error_shift);
}

}  // namespace strata::page_files
