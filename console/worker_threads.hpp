#pragma once

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace strata::console {

/// The threads that serve HTTP connections, called mgmt-http-0 and so on. A connection owns its thread while it is
/// open. At most `waiting_max` connections wait for a thread: beyond that enqueue() blocks, no more are accepted, and
/// clients wait in the kernel's queue.
class worker_threads final : public httplib::TaskQueue {
 public:
  worker_threads(std::size_t threads, std::size_t waiting_max);
  ~worker_threads() override;

  void enqueue(std::function<void()> task) override;
  void shutdown() override;

 private:
  void work();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable has_task_;
  std::condition_variable has_room_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace strata::console
