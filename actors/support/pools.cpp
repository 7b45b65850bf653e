#include "actors/support/pools.hpp"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>

#include <caf/policy/unprofiled.hpp>
#include <caf/scheduler/coordinator.hpp>

#include "actors/support/environment.hpp"

namespace strata::actors::support {
namespace {

/// Actors give up their thread after this many messages, so that a full mailbox doesn't hold up the others of the pool.
constexpr std::size_t messages_per_turn = 50;

struct job_queue {
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<caf::resumable*> jobs;
  std::size_t sleepers = 0;
};

std::size_t pool_of(caf::resumable* job) {
  const auto* member = dynamic_cast<const pool_member*>(job);
  return static_cast<std::size_t>(member ? member->pool() : pool_id::management);
}

class pooled_policy : public caf::policy::unprofiled {
 public:
  struct coordinator_data {
    explicit coordinator_data(caf::scheduler::abstract_coordinator* of)
        : counters(environment_of(of->system()).pools()) {
      for (std::size_t pool = 0; pool < pool_count; ++pool)
        for (std::uint32_t i = 0; i < counters.threads(pool); ++i) {
          pool_of_worker.push_back(pool);
          index_in_pool.push_back(i);
        }
    }
    pool_counters& counters;
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
    put(self->parent()->data(), pool_of(job), job);
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
    std::unique_lock lock(queue.mutex);
    while (queue.jobs.empty()) {
      ++queue.sleepers;
      queue.arrived.wait(lock);
      --queue.sleepers;
    }
    caf::resumable* job = queue.jobs.front();
    queue.jobs.pop_front();
    data.counters.of(pool).queued.fetch_sub(1, std::memory_order_relaxed);
    return job;
  }

  template <class Worker>
  void before_resume(Worker*, caf::resumable*) {
    resumed_ = std::chrono::steady_clock::now();
  }
  template <class Worker>
  void after_resume(Worker* self, caf::resumable*) {
    auto& data = self->parent()->data();
    const auto spent = std::chrono::steady_clock::now() - resumed_;
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
  static void put(coordinator_data& data, std::size_t pool, caf::resumable* job) {
    auto& queue = data.queues[pool];
    bool wake = false;
    {
      const std::lock_guard lock(queue.mutex);
      queue.jobs.push_back(job);
      wake = queue.sleepers > 0;
      data.counters.of(pool).queued.fetch_add(1, std::memory_order_relaxed);
    }
    if (wake) queue.arrived.notify_one();
  }

  // One policy object belongs to one worker.
  bool named_ = false;
  std::chrono::steady_clock::time_point resumed_;
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

}  // namespace strata::actors::support
