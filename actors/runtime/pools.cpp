#include "actors/runtime/pools.hpp"

#include <pthread.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <caf/policy/unprofiled.hpp>
#include <caf/scheduler/coordinator.hpp>

#include "actors/runtime/environment.hpp"
#include "core/blocking.hpp"

namespace strata::actors::runtime {
namespace {

/// Actors yield their thread after this many messages, so that a full mailbox doesn't hold up the others of the pool.
constexpr std::size_t messages_per_turn = 10;
/// A worker that always has a job polls the sockets at this interval: together with the turn it is how long an event
/// waits while another worker sleeps, which is not woken to poll.
constexpr std::chrono::microseconds look_interval{200};

using work_clock = std::chrono::steady_clock;

/// A worker that waits for a job.
struct sleeper {
  std::condition_variable called_up;
  bool called = false;
};

struct job_queue {
  std::mutex mutex;
  std::deque<caf::resumable*> jobs;
  std::vector<sleeper*> sleepers;  ///< the last one is woken first: its data is still in the CPU's caches
  bool looking = false;            ///< a worker polls the pool's sockets
  bool may_sleep = false;          ///< and waits there when none is ready: it was not woken yet
  work_clock::time_point looked_at;
};

/// The queue for jobs that this thread creates by polling sockets: it fetches them itself.
thread_local const job_queue* looks_for = nullptr;

/// Called for each job, and a dynamic_cast takes as long as a short job: the answer depends on the class only.
std::size_t pool_of(caf::resumable* job) {
  struct known {
    const std::type_info* type = nullptr;
    std::size_t pool = 0;
  };
  thread_local std::array<known, 64> cache;
  const std::type_info* type = &typeid(*job);
  known& of = cache[reinterpret_cast<std::uintptr_t>(type) / sizeof(std::type_info) % cache.size()];
  if (of.type != type) {
    const auto* member = dynamic_cast<const pool_member*>(job);
    of = {type, static_cast<std::size_t>(member ? member->pool() : pool_id::management)};
  }
  return of.pool;
}

class pooled_policy : public caf::policy::unprofiled {
 public:
  struct coordinator_data {
    explicit coordinator_data(caf::scheduler::abstract_coordinator* of)
        : counters(environment_of(of->system()).pools()), sockets(environment_of(of->system()).sockets()) {
      for (std::size_t pool = 0; pool < pool_count; ++pool)
        for (std::uint32_t i = 0; i < counters.threads(pool); ++i) {
          pool_of_worker.push_back(pool);
          index_in_pool.push_back(i);
        }
    }
    pool_counters& counters;
    socket_watcher& sockets;
    std::array<job_queue, pool_count> queues;
    std::vector<std::size_t> pool_of_worker;
    std::vector<std::uint32_t> index_in_pool;
  };
  struct worker_data {
    explicit worker_data(caf::scheduler::abstract_coordinator*) {}
  };

  template <class Coordinator>
  void central_enqueue(Coordinator* self, caf::resumable* job) {
    put(self->data(), pool_of(job), job);
  }
  // Shutdown posts its stop jobs this way: they have no pool of their own.
  template <class Worker>
  void external_enqueue(Worker* self, caf::resumable* job) {
    auto& data = self->parent()->data();
    put(data, data.pool_of_worker[self->id()], job);
  }
  template <class Worker>
  void internal_enqueue(Worker* self, caf::resumable* job) {
    auto& data = self->parent()->data();
    const std::size_t pool = pool_of(job);
    put(data, pool, job, pool == data.pool_of_worker[self->id()] ? from::own_worker : from::elsewhere);
  }
  template <class Worker>
  void resume_job_later(Worker* self, caf::resumable* job) {
    put(self->parent()->data(), pool_of(job), job);
  }

  template <class Worker>
  caf::resumable* dequeue(Worker* self) {
    auto& data = self->parent()->data();
    const std::size_t pool = data.pool_of_worker[self->id()];
    if (!named_) {
      named_ = true;
      const std::string name =
          std::string(short_name(static_cast<pool_id>(pool))) + "-" + std::to_string(data.index_in_pool[self->id()]);
      pthread_setname_np(pthread_self(), name.c_str());
    }
    auto& queue = data.queues[pool];
    const bool has_sockets = !may_block(static_cast<pool_id>(pool));
    std::unique_lock lock(queue.mutex);
    for (;;) {
      const bool due = queue.jobs.empty() || stopped_ - queue.looked_at >= look_interval;
      if (has_sockets && due && !queue.looking) {
        look(data, pool, queue, lock);
        queue.looked_at = stopped_ = work_clock::now();
      } else if (queue.jobs.empty()) {
        me_.called = false;
        queue.sleepers.push_back(&me_);
        me_.called_up.wait(lock, [this] { return me_.called; });
      } else {
        break;
      }
    }
    caf::resumable* job = queue.jobs.front();
    queue.jobs.pop_front();
    data.counters.of(pool).queued.fetch_sub(1, std::memory_order_relaxed);
    const help asked = queue.jobs.empty() ? help{} : help_wanted(queue);
    lock.unlock();
    call(asked, data, pool);
    return job;
  }

  template <class Worker>
  void before_resume(Worker* self, caf::resumable*) {
    const auto pool = static_cast<pool_id>(self->parent()->data().pool_of_worker[self->id()]);
    if (!may_block(pool)) never_blocks_.emplace(short_name(pool).data());
    resumed_ = work_clock::now();
  }
  template <class Worker>
  void after_resume(Worker* self, caf::resumable*) {
    auto& data = self->parent()->data();
    never_blocks_.reset();
    stopped_ = work_clock::now();
    const auto spent = stopped_ - resumed_;
    data.counters.of(data.pool_of_worker[self->id()])
        .busy_ns.fetch_add(static_cast<std::uint64_t>(spent.count()), std::memory_order_relaxed);
  }

  template <class Worker, class Function>
  void foreach_resumable(Worker*, Function) {}
  template <class Coordinator, class Function>
  void foreach_central_resumable(Coordinator* self, Function function) {
    for (auto& queue : self->data().queues) {
      std::deque<caf::resumable*> left;
      {
        const std::lock_guard lock(queue.mutex);
        left.swap(queue.jobs);
      }
      for (caf::resumable* job : left) function(job);
    }
  }

 private:
  enum class from { own_worker, elsewhere };

  static void put(coordinator_data& data, std::size_t pool, caf::resumable* job, from whom = from::elsewhere) {
    auto& queue = data.queues[pool];
    help asked;
    {
      const std::lock_guard lock(queue.mutex);
      // A worker of the pool will fetch the job itself: at the end of its turn, which is short where nothing blocks, or
      // when it has polled the sockets.
      const bool fetched = looks_for == &queue ||
                           (whom == from::own_worker && queue.jobs.empty() && !may_block(static_cast<pool_id>(pool)));
      queue.jobs.push_back(job);
      data.counters.of(pool).queued.fetch_add(1, std::memory_order_relaxed);
      if (!fetched) asked = help_wanted(queue);
    }
    call(asked, data, pool);
  }

  /// The worker to wake for one more job. Precondition: the queue is locked.
  struct help {
    bool who_looks = false;
    sleeper* who_sleeps = nullptr;
  };
  static help help_wanted(job_queue& queue) {
    if (std::exchange(queue.may_sleep, false)) return {.who_looks = true};
    if (queue.sleepers.empty()) return {};
    sleeper* const last = queue.sleepers.back();
    queue.sleepers.pop_back();
    last->called = true;
    return {.who_sleeps = last};
  }
  static void call(help whom, coordinator_data& data, std::size_t pool) {
    if (whom.who_looks) data.sockets.wake(static_cast<pool_id>(pool));
    if (whom.who_sleeps != nullptr) whom.who_sleeps->called_up.notify_one();
  }

  static void look(coordinator_data& data, std::size_t pool, job_queue& queue, std::unique_lock<std::mutex>& lock) {
    queue.looking = true;
    const bool block = queue.may_sleep = queue.jobs.empty();
    lock.unlock();
    looks_for = &queue;
    data.sockets.look(static_cast<pool_id>(pool), block);
    looks_for = nullptr;
    lock.lock();
    queue.looking = queue.may_sleep = false;
  }

  // One policy object belongs to one worker.
  bool named_ = false;
  std::optional<core::no_blocking> never_blocks_;  ///< while it runs an actor
  sleeper me_;
  work_clock::time_point resumed_;
  work_clock::time_point stopped_;  ///< when it was last idle
};

class pooled_coordinator final : public caf::scheduler::coordinator<pooled_policy> {
 public:
  using caf::scheduler::coordinator<pooled_policy>::coordinator;

 protected:
  void init(caf::actor_system_config& config) override {
    caf::scheduler::coordinator<pooled_policy>::init(config);
    num_workers_ = data().pool_of_worker.size();
    max_throughput_ = messages_per_turn;
  }
};

}  // namespace

std::string_view short_name(pool_id pool) {
  switch (pool) {
    case pool_id::page: return "page";
    case pool_id::wal: return "wal";
    case pool_id::background: return "bg";
    case pool_id::management: return "mgmt";
    case pool_id::io: return "io";
  }
  return "unknown";
}

std::vector<messages::pool_info> pool_counters::snapshot() const {
  std::vector<messages::pool_info> pools;
  for (std::size_t pool = 0; pool < pool_count; ++pool)
    pools.push_back({.name = std::string(short_name(static_cast<pool_id>(pool))),
                     .threads = threads_[pool],
                     .queued = counters_[pool].queued.load(std::memory_order_relaxed),
                     .busy = counters_[pool].busy_ns.load(std::memory_order_relaxed) / 1000});
  return pools;
}

caf::actor_system::module* make_pooled_scheduler(caf::actor_system& system) { return new pooled_coordinator(system); }

}  // namespace strata::actors::runtime
