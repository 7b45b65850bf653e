#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <caf/actor_cast.hpp>
#include <caf/weak_intrusive_ptr.hpp>

#include "core/result.hpp"
#include "messages/interface.hpp"

namespace strata::actors::support {

/// What a watched descriptor is waited for, or is ready for. A hang-up or an error counts as both.
struct socket_events {
  bool read = false;
  bool write = false;
};

/// Names one watch for as long as the process runs; never reused, so that an event for a descriptor that was closed
/// (and perhaps opened again by somebody else) can be told from one that is meant.
struct watch_token {
  std::uint64_t value = 0;
  bool operator==(const watch_token&) const = default;
};

/// Sent once per arming. May still be in the mailbox after forget(): ignore it unless the token is the current one.
struct socket_ready {
  watch_token token;
  socket_events events;
};

/// An actor that owns descriptors lists accepts<socket_ready> in its (private) interface.
using socket_owner = messages::actor_interface<messages::accepts<socket_ready>>;

/// Tells actors when their sockets can be read or written; the actors do that themselves, on their pools. One thread,
/// "io-poll", started with the first watch. Watching does not keep an actor alive.
class socket_watcher {
 public:
  socket_watcher() = default;
  ~socket_watcher();
  socket_watcher(const socket_watcher&) = delete;
  socket_watcher& operator=(const socket_watcher&) = delete;

  /// Begins to watch, armed for one socket_ready (with both events false: not armed). A descriptor can be watched once
  /// at a time. The descriptor stays the caller's, who forgets it before closing it.
  core::result<watch_token> watch(int fd, socket_events wanted, const socket_owner& owner);
  /// Arms an existing watch again; no effect on a forgotten one. Level triggered: fires at once when it is ready
  /// already.
  void rearm(watch_token token, socket_events wanted);
  void forget(watch_token token);

  /// Ends the thread; no socket_ready is sent afterwards and watch() answers errc::unavailable.
  void stop();

 private:
  struct watched {
    int fd = -1;
    caf::weak_actor_ptr owner;
  };
  core::result<void> start();
  void run();
  void fire(std::uint64_t token, std::uint32_t events);

  std::mutex mutex_;
  std::unordered_map<std::uint64_t, watched> watched_;
  std::uint64_t next_token_ = 1;
  int epoll_ = -1;
  int wake_ = -1;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace strata::actors::support

STRATA_LOCAL_MESSAGE(strata::actors::support::socket_ready)
