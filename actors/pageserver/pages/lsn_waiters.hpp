#pragma once

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/lsn.hpp"

namespace strata::actors::pageserver {

/// Requests that wait for a timeline to reach an LSN, with their deadlines.
template <class Waiter>
class lsn_waiters {
 public:
  struct entry {
    core::lsn at;
    core::monotonic_time deadline;
    Waiter waiter;
  };

  void add(core::lsn at, core::monotonic_time deadline, Waiter waiter) {
    waiting_.emplace(at, entry{at, deadline, std::move(waiter)});
  }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

  /// Removes and returns the waiters whose LSN is reached, in LSN order.
  std::vector<entry> reached(core::lsn last_record) {
    const auto end = waiting_.upper_bound(last_record);
    return take(waiting_.begin(), end);
  }
  /// Removes and returns the waiters whose deadline has passed.
  std::vector<entry> expired(core::monotonic_time now) {
    std::vector<entry> late;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      if (at->second.deadline > now) {
        ++at;
        continue;
      }
      late.push_back(std::move(at->second));
      at = waiting_.erase(at);
    }
    return late;
  }
  std::vector<entry> all() { return take(waiting_.begin(), waiting_.end()); }

 private:
  using map = std::multimap<core::lsn, entry>;
  std::vector<entry> take(typename map::iterator begin, typename map::iterator end) {
    std::vector<entry> taken;
    for (auto at = begin; at != end; ++at) taken.push_back(std::move(at->second));
    waiting_.erase(begin, end);
    return taken;
  }
  map waiting_;
};

}  // namespace strata::actors::pageserver
