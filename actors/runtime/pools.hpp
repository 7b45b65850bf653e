#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <caf/actor_system.hpp>

#include "messages/introspection.hpp"

namespace strata::actors::runtime {

/// The worker pools of a process, one per kind of work. An actor runs on the threads of its pool only, so that work of
/// one kind never waits for a thread that does another kind. Only background and io may block; calls of actors of other
/// pools are checked (core/blocking.hpp).
enum class pool_id : std::uint8_t {
  page,        ///< the page service
  wal,         ///< receivers and timelines
  background,  ///< flush, compaction, collection
  management,  ///< tenants, console, supervision
  io,          ///< short calls that may wait for a disk
};
inline constexpr std::size_t pool_count = 5;

/// Whether actors of the pool may block. The other pools watch sockets (socket_watcher.hpp).
constexpr bool may_block(pool_id pool) { return pool == pool_id::background || pool == pool_id::io; }

/// "page", "wal", "bg", "mgmt", "io": as in metrics; threads are called page-0 and so on.
std::string_view short_name(pool_id pool);

struct pool_sizes {
  std::uint32_t page = 2;
  std::uint32_t wal = 2;
  std::uint32_t background = 2;
  std::uint32_t management = 1;
  std::uint32_t io = 4;
  [[nodiscard]] std::array<std::uint32_t, pool_count> threads() const {
    return {page, wal, background, management, io};
  }
};

/// Gives the scheduler the pool of an actor; all objects of a class give the same answer. Actors that are no
/// pool_member run on `management`.
class pool_member {
 public:
  [[nodiscard]] virtual pool_id pool() const noexcept = 0;

 protected:
  ~pool_member() = default;
};

/// Counters of all pools; any thread.
class pool_counters {
 public:
  explicit pool_counters(const pool_sizes& sizes) : threads_(sizes.threads()) {}
  struct counter {
    std::atomic<std::uint64_t> queued{0};
    std::atomic<std::uint64_t> busy_ns{0};
  };
  counter& of(std::size_t pool) { return counters_[pool]; }
  [[nodiscard]] std::uint32_t threads(std::size_t pool) const { return threads_[pool]; }
  [[nodiscard]] std::vector<messages::pool_info> snapshot() const;

 private:
  std::array<std::uint32_t, pool_count> threads_;
  std::array<counter, pool_count> counters_;
};

/// A CAF scheduler whose threads are divided into the pools of the system's environment (environment.hpp). A worker
/// without a job watches the sockets of its pool, unless another worker does already.
caf::actor_system::module* make_pooled_scheduler(caf::actor_system& system);

}  // namespace strata::actors::runtime
