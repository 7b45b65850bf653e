#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include <caf/actor_cast.hpp>
#include <caf/weak_intrusive_ptr.hpp>

#include "actors/runtime/pools.hpp"
#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "messages/interface.hpp"

namespace strata::actors::runtime {

/// The events that a descriptor is watched for, or has. A hang-up or an error counts as both.
struct socket_events {
  bool read = false;
  bool write = false;
  bool operator==(const socket_events&) const = default;
};

/// Identifies one watch for as long as the process runs; never reused, so that an event of a closed descriptor (whose
/// number may be reused) can be distinguished from a current one.
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

/// Notifies actors when their sockets can be read or written; the actors do that themselves. There is no thread for it:
/// the workers of the owner's pool poll when they have nothing to do and every few jobs, so that an event is handled by
/// the thread that saw it. Watching does not keep an actor alive.
class socket_watcher {
 public:
  /// Throws std::system_error when the process may have no more descriptors (two for each pool).
  socket_watcher();
  ~socket_watcher();
  socket_watcher(const socket_watcher&) = delete;
  socket_watcher& operator=(const socket_watcher&) = delete;

  /// Begins to watch, armed for one socket_ready (with both events false: not armed). A descriptor can be watched once
  /// at a time. The caller owns the descriptor, and calls forget() before closing it. Precondition: the owner's pool
  /// never blocks.
  core::result<watch_token> watch(int fd, socket_events wanted, const socket_owner& owner);
  /// Arms an existing watch again; no effect on a forgotten one. Level triggered: fires at once when it is ready
  /// already.
  void rearm(watch_token token, socket_events wanted);
  void forget(watch_token token);

  /// From then on watch() returns errc::unavailable, and no socket_ready is sent.
  void stop();

  // -- for the pools' workers
  /// Sends socket_ready to the actors of the pool whose sockets are ready. With `block` it waits for the first, or for
  /// wake().
  void look(pool_id pool, bool block);
  /// Ends a look() that waits, or the next one that would.
  void wake(pool_id pool);

 private:
  struct watched {
    int fd = -1;
    caf::weak_actor_ptr owner;
  };
  struct socket_set {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, watched> sockets;
    std::uint64_t next_number = 1;
    bool stopped = false;
    io::unique_fd epoll;
    io::unique_fd wake;
  };
  socket_set& set_of(watch_token token) { return sets_[token.value % pool_count]; }
  void fire(socket_set& in, std::uint64_t token, std::uint32_t events);

  std::array<socket_set, pool_count> sets_;
};

}  // namespace strata::actors::runtime

STRATA_LOCAL_MESSAGE(strata::actors::runtime::socket_ready)
