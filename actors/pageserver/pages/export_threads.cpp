#include "actors/pageserver/pages/export_threads.hpp"

#include <pthread.h>

#include <string>

namespace strata::actors::pageserver {

bool export_queue::push(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return false;
    jobs_.push_back(std::move(job));
  }
  has_job_.notify_one();
  return true;
}

void export_queue::work() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      has_job_.wait(lock, [this] { return ended_ || !jobs_.empty(); });
      if (ended_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

void export_queue::end() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    dropped.swap(jobs_);
  }
  has_job_.notify_all();
}

export_threads::export_threads(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    threads_.emplace_back([queue = queue_, i] {
      ::pthread_setname_np(::pthread_self(), ("export-" + std::to_string(i)).c_str());
      queue->work();
    });
}

export_threads::~export_threads() {
  queue_->end();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace strata::actors::pageserver
