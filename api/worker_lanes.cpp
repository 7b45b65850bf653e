#include "api/worker_lanes.hpp"

#include <pthread.h>

#include <string>

namespace strata::api {
namespace {

/// At most 15 characters with a number: the kernel keeps no more.
constexpr std::array<const char*, lane_count> names{"http-live", "http-process", "http-query", "http-change",
                                                    "http-long", "http-export",  "http-part"};

}  // namespace

// Queues are long because a group gets a quarter, and no longer than connections by much: a server with one tenant has
// room for as many requests as it would without groups.
lane_sizes default_lane_sizes() {
  lane_sizes sizes;
  sizes[static_cast<std::size_t>(lane::liveness)] = {1, 256};
  sizes[static_cast<std::size_t>(lane::process)] = {2, 256};
  sizes[static_cast<std::size_t>(lane::queries)] = {16, 1024};
  sizes[static_cast<std::size_t>(lane::changes)] = {16, 256};
  sizes[static_cast<std::size_t>(lane::long_work)] = {16, 256};
  sizes[static_cast<std::size_t>(lane::export_start)] = {16, 256};
  sizes[static_cast<std::size_t>(lane::export_parts)] = {16, 256};
  return sizes;
}

worker_lanes::worker_lanes(const lane_sizes& sizes) {
  for (std::size_t i = 0; i < lane_count; ++i) {
    queues_[i].running = fair_share(sizes[i].threads);
    queues_[i].waiting = fair_share(sizes[i].waiting_max);
  }
}

bool worker_lanes::push(lane in, const std::string& group, std::function<void()> run) {
  const auto number = static_cast<std::size_t>(in);
  queue& to = queues_[number];
  const std::lock_guard lock(mutex_);
  if (ending_) return false;
  if (!to.running.take(group)) {
    if (!to.waiting.take(group)) return false;
    to.queued.push_back({group, std::move(run)});
    return true;
  }
  to.ready.push_back({group, std::move(run)});
  if (to.ready.size() > to.idle) {
    // It counts at once: what it is started for does not wait for a thread.
    ++to.idle;
    to.threads.emplace_back([this, &to, name = std::string(names[number]) + "-" + std::to_string(to.threads.size())] {
      ::pthread_setname_np(::pthread_self(), name.c_str());
      work(to);
    });
  }
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

/// One task has ended: the first waiting task whose group is below its share takes the place. No second task can have
/// become able to run: the place was the only free one, or belonged to the group.
void worker_lanes::let_next_run(queue& of) {
  for (auto each = of.queued.begin(); each != of.queued.end(); ++each) {
    if (!of.running.take(each->group)) continue;
    of.waiting.give_back(each->group);
    of.ready.push_back(std::move(*each));
    of.queued.erase(each);
    return;
  }
}

void worker_lanes::work(queue& of) {
  std::unique_lock lock(mutex_);
  for (;;) {
    of.has_task.wait(lock, [&] { return ending_ || !of.ready.empty(); });
    --of.idle;
    // What is queued then is behind something that runs, whose thread goes on with it.
    if (of.ready.empty()) return;
    std::string group;
    {
      const task next = std::move(of.ready.front());
      of.ready.pop_front();
      lock.unlock();
      next.run();
      group = next.group;
    }
    lock.lock();
    ++of.idle;
    of.running.give_back(group);
    let_next_run(of);
  }
}

}  // namespace strata::api
