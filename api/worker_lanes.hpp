#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/fair_share.hpp"
#include "api/request_head.hpp"

namespace strata::api {

struct lane_size {
  std::size_t threads = 0;
  std::size_t waiting_max = 0;  ///< tasks that may wait for a thread
};
using lane_sizes = std::array<lane_size, lane_count>;
lane_sizes default_lane_sizes();

/// The threads that answer requests, some for each lane, started when there is work for them. No client holds one: a
/// task begins when a request is whole and ends when its answer is. Of a lane's threads, and of the places where tasks
/// wait for one, a group (the tenant that is asked about) gets at most a quarter: tasks of others pass by those of a
/// group that has its share.
class worker_lanes {
 public:
  explicit worker_lanes(const lane_sizes& sizes);
  ~worker_lanes() { stop(); }
  worker_lanes(const worker_lanes&) = delete;
  worker_lanes& operator=(const worker_lanes&) = delete;

  /// False, without running it: as many wait as may, in all or of this group.
  bool push(lane in, const std::string& group, std::function<void()> task);
  /// Returns when every task has run.
  void stop();

 private:
  struct task {
    std::string group;
    std::function<void()> run;
  };
  struct queue {
    fair_share running{0};
    fair_share waiting{0};
    std::deque<task> ready;   ///< have a place among those that run: no more than threads, with those under way
    std::deque<task> queued;  ///< have a place among those that wait
    std::size_t idle = 0;     ///< threads without a task, those just started included
    std::vector<std::thread> threads;
    std::condition_variable has_task;
  };
  static void let_next_run(queue& of);
  void work(queue& of);

  std::mutex mutex_;
  std::array<queue, lane_count> queues_;
  bool ending_ = false;
};

}  // namespace strata::api
