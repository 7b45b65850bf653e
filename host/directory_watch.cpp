#include "host/directory_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace strata::host {
namespace {

constexpr int look_interval_ms = 200;
constexpr int look_interval_without_watch_ms = 3;

}  // namespace

directory_watch::directory_watch(const std::string& directory) : events_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (events_ && ::inotify_add_watch(events_.get(), directory.c_str(), IN_MOVED_TO) < 0) events_.reset();
}

bool directory_watch::wait_or_end(pid_t process) const {
  const io::unique_fd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!handle && errno == ESRCH) return true;
  // Of a negative number nothing is heard.
  std::array<pollfd, 2> watched{pollfd{handle.get(), POLLIN, 0}, pollfd{events_.get(), POLLIN, 0}};
  const bool can_wait = handle && events_;
  ::poll(watched.data(), watched.size(), can_wait ? look_interval_ms : look_interval_without_watch_ms);
  std::array<char, 4096> dropped;
  while (events_ && ::read(events_.get(), dropped.data(), dropped.size()) > 0) continue;
  return watched[0].revents != 0;
}

}  // namespace strata::host
