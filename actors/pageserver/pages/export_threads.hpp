#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace strata::actors::pageserver {

/// Jobs that wait for one of the export threads. Any thread.
class export_queue {
 public:
  /// False: the threads have ended, and the job is not run.
  bool push(std::function<void()> job);

 private:
  friend class export_threads;
  void work();
  void end();

  std::mutex mutex_;
  std::condition_variable has_job_;
  std::deque<std::function<void()>> jobs_;
  bool ended_ = false;
};

/// The threads on which archives are written, export-0 and so on: however many are requested and however slowly they
/// are read, reads of pages and metadata have the pool `io` to themselves. One job is one chunk, so that archives take
/// turns.
class export_threads {
 public:
  explicit export_threads(std::size_t count);
  /// Waits for the jobs in progress and drops the others.
  ~export_threads();
  export_threads(const export_threads&) = delete;
  export_threads& operator=(const export_threads&) = delete;

  [[nodiscard]] const std::shared_ptr<export_queue>& queue() const { return queue_; }

 private:
  std::shared_ptr<export_queue> queue_ = std::make_shared<export_queue>();
  std::vector<std::thread> threads_;
};

}  // namespace strata::actors::pageserver
