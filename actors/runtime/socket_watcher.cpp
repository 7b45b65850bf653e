#include "actors/runtime/socket_watcher.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/check.hpp"
#include "messages/ask.hpp"

namespace strata::actors::runtime {
namespace {

constexpr std::uint64_t wake_up = 0;  // never a watch_token

std::uint32_t mask(socket_events wanted) {
  std::uint32_t events = EPOLLONESHOT;
  if (wanted.read) events |= EPOLLIN | EPOLLRDHUP;
  if (wanted.write) events |= EPOLLOUT;
  return events;
}

io::unique_fd opened(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return io::unique_fd(fd);
}

}  // namespace

socket_watcher::socket_watcher() {
  for (std::size_t pool = 0; pool < pool_count; ++pool) {
    if (may_block(static_cast<pool_id>(pool))) continue;
    socket_set& set = sets_[pool];
    set.epoll = opened(::epoll_create1(EPOLL_CLOEXEC), "create epoll");
    set.wake = opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "create eventfd");
    // Edge triggered: each write counts once, and no thread has to read.
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = wake_up}};
    if (::epoll_ctl(set.epoll.get(), EPOLL_CTL_ADD, set.wake.get(), &event) != 0)
      throw std::system_error(errno, std::generic_category(), "watch eventfd");
  }
}

socket_watcher::~socket_watcher() = default;

core::result<watch_token> socket_watcher::watch(int fd, socket_events wanted, const socket_owner& owner) {
  const auto* member = dynamic_cast<const pool_member*>(caf::actor_cast<caf::abstract_actor*>(owner));
  const pool_id pool = member != nullptr ? member->pool() : pool_id::management;
  core::check(!may_block(pool), "an actor that watches sockets is on a pool that never blocks");
  socket_set& set = sets_[static_cast<std::size_t>(pool)];
  const std::lock_guard lock(set.mutex);
  if (set.stopped) return core::error{core::errc::unavailable, "watch a socket: shutting down"};
  const std::uint64_t token = set.next_number++ * pool_count + static_cast<std::uint64_t>(pool);
  epoll_event event{.events = wanted.read || wanted.write ? mask(wanted) : 0u, .data = {.u64 = token}};
  if (event.events == 0) event.events = EPOLLONESHOT;
  set.sockets.emplace(token, watched{fd, caf::actor_cast<caf::weak_actor_ptr>(owner)});
  if (::epoll_ctl(set.epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    const int why = errno;
    set.sockets.erase(token);
    return core::from_errno("watch a socket", why);
  }
  return watch_token{token};
}

void socket_watcher::rearm(watch_token token, socket_events wanted) {
  socket_set& set = set_of(token);
  const std::lock_guard lock(set.mutex);
  const auto found = set.sockets.find(token.value);
  if (found == set.sockets.end()) return;
  epoll_event event{.events = mask(wanted), .data = {.u64 = token.value}};
  ::epoll_ctl(set.epoll.get(), EPOLL_CTL_MOD, found->second.fd, &event);
}

void socket_watcher::forget(watch_token token) {
  socket_set& set = set_of(token);
  const std::lock_guard lock(set.mutex);
  const auto found = set.sockets.find(token.value);
  if (found == set.sockets.end()) return;
  ::epoll_ctl(set.epoll.get(), EPOLL_CTL_DEL, found->second.fd, nullptr);
  set.sockets.erase(found);
}

void socket_watcher::stop() {
  for (socket_set& set : sets_) {
    const std::lock_guard lock(set.mutex);
    set.stopped = true;
    set.sockets.clear();
  }
}

void socket_watcher::wake(pool_id pool) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(sets_[static_cast<std::size_t>(pool)].wake.get(), &one, sizeof one);
}

void socket_watcher::look(pool_id pool, bool block) {
  socket_set& set = sets_[static_cast<std::size_t>(pool)];
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(set.epoll.get(), events.data(), static_cast<int>(events.size()), block ? -1 : 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 != wake_up) fire(set, event.data.u64, event.events);
  }
}

void socket_watcher::fire(socket_set& in, std::uint64_t token, std::uint32_t events) {
  caf::strong_actor_ptr owner;
  {
    const std::lock_guard lock(in.mutex);
    const auto found = in.sockets.find(token);
    if (found == in.sockets.end()) return;
    owner = found->second.owner.lock();
    if (!owner) in.sockets.erase(found);
  }
  // Sent without the lock: the last handle on an actor may be released here.
  const bool failed = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (owner)
    messages::post(caf::actor_cast<socket_owner>(owner),
                   socket_ready{{token},
                                {.read = failed || (events & (EPOLLIN | EPOLLRDHUP)) != 0,
                                 .write = failed || (events & EPOLLOUT) != 0}});
}

}  // namespace strata::actors::runtime
