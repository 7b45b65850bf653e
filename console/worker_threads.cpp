#include "console/worker_threads.hpp"

#include <pthread.h>

#include <string>

namespace strata::console {

worker_threads::worker_threads(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this, i] {
      ::pthread_setname_np(::pthread_self(), ("mgmt-http-" + std::to_string(i)).c_str());
      work();
    });
}

worker_threads::~worker_threads() { shutdown(); }

void worker_threads::enqueue(std::function<void()> task) {
  std::unique_lock lock(mutex_);
  has_room_.wait(lock, [this] { return tasks_.size() < waiting_max_; });
  tasks_.push_back(std::move(task));
  has_task_.notify_one();
}

void worker_threads::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  has_task_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void worker_threads::work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      has_task_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
      // Accepted connections are served even now: their sockets are closed by the tasks only.
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
      has_room_.notify_one();
    }
    task();
  }
}

}  // namespace strata::console
