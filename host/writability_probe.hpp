#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/client/sql_connection.hpp"

namespace strata::host {

/// Commits a logical message, which is WAL and nothing else, in a Postgres whose commits a quorum keeps. A commit that
/// waits is never given up by cancelling it, which would make it visible without being durable: the same probe is asked
/// again, and waits for the same commit, so that a quorum that is away holds one session. One call at a time.
class writability_probe {
 public:
  enum class component { postgres, quorum };
  struct outcome {
    /// Everything before this is durable at the quorum, what was committed among it.
    core::result<core::lsn> durable;
    component failed = component::postgres;  ///< of an error
  };

  /// `standby_name`: the synchronous standby, which reports what the quorum has.
  writability_probe(std::string conninfo, std::string standby_name)
      : conninfo_(std::move(conninfo)), standby_name_(std::move(standby_name)) {}

  /// Takes at most about `limit`, and 2 s more when Postgres takes no connection.
  outcome commit(std::chrono::milliseconds limit);
  /// A commit of before waits for the quorum: the next call opens no session.
  [[nodiscard]] bool waits() const { return session_.has_value(); }

 private:
  core::result<void> begin(std::chrono::milliseconds limit);
  core::result<core::lsn> look_at_standby();

  std::string conninfo_;
  std::string standby_name_;
  std::optional<pg::client::sql_connection> session_;  ///< there as long as a commit waits
  core::lsn message_;                                  ///< where the message ends
};

}  // namespace strata::host
