#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "actors/compute/cancelled_waits.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/log_watch.hpp"

namespace strata::actors::compute {

/// What Postgres tells by its log only: a writer, that a transaction stopped waiting for the quorum; a standby, that
/// its settings are too small. Part of the compute agent: everything it needs of that is an argument.
class watched_log {
 public:
  struct context {
    std::function<bool()> serves;  ///< Postgres is up; else nothing is read
    std::function<core::monotonic_time()> now;
    /// On a thread that may block: up to where Postgres has flushed its WAL.
    std::function<core::result<core::lsn>()> flushed_position;
    std::function<void()> wait_cancelled;  ///< for people
    /// A transaction with a cancelled wait has not become durable within the limit.
    std::function<void()> wait_overdue;
    std::function<void()> settings_outgrown;
  };

  /// `limit`: how long a transaction with a cancelled wait may be visible before it is durable.
  watched_log(std::chrono::milliseconds limit, runtime::io_jobs jobs, context of)
      : jobs_(std::move(jobs)), context_(std::move(of)), waits_(limit) {}

  /// From the end that the log has now.
  void begin_writer(const std::string& log) { log_ = std::make_shared<host::log_watch>(log); }
  void begin_standby(const std::string& log) {
    log_ = std::make_shared<host::log_watch>(log, host::tells_of_outgrown_settings);
    of_standby_ = true;
  }
  /// Postgres has ended.
  void end() { waits_.forget(); }

  /// Five times a second.
  void look();
  /// The quorum has all WAL before `commit`.
  void judge(core::lsn commit);
  [[nodiscard]] bool has_waits() const { return waits_.any(); }

 private:
  void cancelled();

  runtime::io_jobs jobs_;
  context context_;
  std::shared_ptr<host::log_watch> log_;
  bool of_standby_ = false;
  bool looking_ = false;
  cancelled_waits waits_;
};

}  // namespace strata::actors::compute
