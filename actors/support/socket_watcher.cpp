#include "actors/support/socket_watcher.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <caf/send.hpp>

namespace strata::actors::support {
namespace {

constexpr std::uint64_t wake_up = 0;  // never a watch_token

std::uint32_t mask(socket_events wanted) {
  std::uint32_t events = EPOLLONESHOT;
  if (wanted.read) events |= EPOLLIN | EPOLLRDHUP;
  if (wanted.write) events |= EPOLLOUT;
  return events;
}

}  // namespace

socket_watcher::~socket_watcher() {
  stop();
  if (epoll_ >= 0) ::close(epoll_);
  if (wake_ >= 0) ::close(wake_);
}

// Precondition: mutex_ is held.
core::result<void> socket_watcher::start() {
  if (thread_.joinable()) return {};
  if (epoll_ < 0 && (epoll_ = ::epoll_create1(EPOLL_CLOEXEC)) < 0) return core::from_errno("create epoll", errno);
  if (wake_ < 0) {
    if ((wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) return core::from_errno("create eventfd", errno);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = wake_up}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) return core::from_errno("watch eventfd", errno);
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

core::result<watch_token> socket_watcher::watch(int fd, socket_events wanted, const socket_owner& owner) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return core::error{core::errc::unavailable, "watch a socket: shutting down"};
  STRATA_TRY(start());
  const std::uint64_t token = next_token_++;
  epoll_event event{.events = wanted.read || wanted.write ? mask(wanted) : 0u, .data = {.u64 = token}};
  if (event.events == 0) event.events = EPOLLONESHOT;
  watched_.emplace(token, watched{fd, caf::actor_cast<caf::weak_actor_ptr>(owner)});
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    const int why = errno;
    watched_.erase(token);
    return core::from_errno("watch a socket", why);
  }
  return watch_token{token};
}

void socket_watcher::rearm(watch_token token, socket_events wanted) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(token.value);
  if (found == watched_.end() || stopped_) return;
  epoll_event event{.events = mask(wanted), .data = {.u64 = token.value}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, found->second.fd, &event);
}

void socket_watcher::forget(watch_token token) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(token.value);
  if (found == watched_.end()) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.fd, nullptr);
  watched_.erase(found);
}

void socket_watcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    watched_.clear();
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }
  thread_.join();
}

void socket_watcher::run() {
  pthread_setname_np(pthread_self(), "io-poll");
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      if (events[static_cast<std::size_t>(i)].data.u64 == wake_up) return;
      fire(events[static_cast<std::size_t>(i)].data.u64, events[static_cast<std::size_t>(i)].events);
    }
  }
}

void socket_watcher::fire(std::uint64_t token, std::uint32_t events) {
  caf::strong_actor_ptr owner;
  {
    const std::lock_guard lock(mutex_);
    const auto found = watched_.find(token);
    if (found == watched_.end()) return;
    owner = found->second.owner.lock();
    if (!owner) watched_.erase(found);
  }
  // Sent without the lock: the last handle on an actor may go away here.
  const bool failed = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (owner)
    caf::anon_send(caf::actor_cast<socket_owner>(owner),
                   socket_ready{{token},
                                {.read = failed || (events & (EPOLLIN | EPOLLRDHUP)) != 0,
                                 .write = failed || (events & EPOLLOUT) != 0}});
}

}  // namespace strata::actors::support
