#pragma once

#include <chrono>
#include <optional>

#include "core/clock.hpp"
#include "core/lsn.hpp"

namespace strata::actors::compute {

/// Transactions that stopped waiting for the quorum because the wait was cancelled: such a transaction is visible, and
/// must be durable soon. A pure machine; times are passed in.
///
///   none --cancelled()--> waiting --judge(), its position is committed--> none, or waiting again when there was
///   another
///                         waiting --judge(), the limit has passed--> overdue
class cancelled_waits {
 public:
  explicit cancelled_waits(std::chrono::milliseconds limit) : limit_(limit) {}

  /// Postgres logged a cancelled wait. True: the caller reads its flush position and passes it to flushed_to().
  bool cancelled(core::monotonic_time now);
  /// The transaction's WAL ends at or before this.
  void flushed_to(core::lsn position);

  enum class verdict {
    none,
    again,   ///< it is durable; another wait was cancelled since: cancelled() follows
    overdue  ///< it may never be durable
  };
  verdict judge(core::lsn commit, core::monotonic_time now);
  [[nodiscard]] bool any() const { return wait_.has_value(); }
  /// The server has ended.
  void forget() { wait_.reset(); }

 private:
  struct wait {
    core::monotonic_time until;
    std::optional<core::lsn> at;
    bool again = false;
  };
  std::chrono::milliseconds limit_;
  std::optional<wait> wait_;
};

}  // namespace strata::actors::compute
