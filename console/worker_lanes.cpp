#include "console/worker_lanes.hpp"

#include <pthread.h>

#include <string>

namespace strata::console {
namespace {

/// At most 15 characters with a number: the kernel keeps no more.
constexpr std::array<const char*, lane_count> names{"http-live", "http-process", "http-query", "http-change",
                                                    "http-long", "http-export",  "http-part"};

}  // namespace

lane_sizes default_lane_sizes() {
  lane_sizes sizes;
  sizes[static_cast<std::size_t>(lane::liveness)] = {1, 256};
  sizes[static_cast<std::size_t>(lane::process)] = {2, 256};
  sizes[static_cast<std::size_t>(lane::queries)] = {16, 256};
  sizes[static_cast<std::size_t>(lane::changes)] = {16, 64};
  sizes[static_cast<std::size_t>(lane::long_work)] = {16, 64};
  sizes[static_cast<std::size_t>(lane::export_start)] = {8, 64};
  sizes[static_cast<std::size_t>(lane::export_parts)] = {4, 256};
  return sizes;
}

worker_lanes::worker_lanes(const lane_sizes& sizes) {
  for (std::size_t i = 0; i < lane_count; ++i) queues_[i].size = sizes[i];
}

bool worker_lanes::push(lane in, std::function<void()> task) {
  const auto number = static_cast<std::size_t>(in);
  queue& to = queues_[number];
  const std::lock_guard lock(mutex_);
  if (ending_) return false;
  if (to.tasks.size() >= to.resting && to.threads.size() < to.size.threads) {
    // It counts at once: what it is started for does not wait for a thread.
    ++to.resting;
    to.threads.emplace_back([this, &to, name = std::string(names[number]) + "-" + std::to_string(to.threads.size())] {
      ::pthread_setname_np(::pthread_self(), name.c_str());
      work(to);
    });
  } else if (to.tasks.size() >= to.resting + to.size.waiting_max) {
    return false;
  }
  to.tasks.push_back(std::move(task));
  to.has_task.notify_one();
  return true;
}

void worker_lanes::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (queue& each : queues_) each.has_task.notify_all();
  }
  // No thread is started any more.
  for (queue& each : queues_)
    for (std::thread& thread : each.threads)
      if (thread.joinable()) thread.join();
}

void worker_lanes::work(queue& of) {
  std::unique_lock lock(mutex_);
  for (;;) {
    of.has_task.wait(lock, [&] { return ending_ || !of.tasks.empty(); });
    --of.resting;
    if (of.tasks.empty()) return;
    {
      const auto task = std::move(of.tasks.front());
      of.tasks.pop_front();
      lock.unlock();
      task();
    }
    lock.lock();
    ++of.resting;
  }
}

}  // namespace strata::console
