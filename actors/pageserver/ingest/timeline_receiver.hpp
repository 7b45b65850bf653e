#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "actors/pageserver/ingest/followed_source.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "actors/runtime/reply.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// The receiver of one timeline: started when there is something to follow, and restarted after a pause when it has
/// ended. Part of the timeline actor: everything it needs of that is an argument.
///
///   absent --start()--> running --failed()--> pausing --tick() after the pause, or start()--> running
class timeline_receiver {
 public:
  struct context {
    std::function<wal_receiver_actor(const storage::source_record&)> spawn;  ///< adopts it, and reports its end
    std::function<void(const safekeepers_changed&)> tell_members;
    std::function<void()> tell_resumed;
  };

  timeline_receiver(std::shared_ptr<storage::timeline_store> store, runtime::io_jobs jobs, context of)
      : store_(std::move(store)), jobs_(std::move(jobs)), context_(std::move(of)) {}

  /// No effect while one runs.
  void start();
  /// It has ended, and is not restarted automatically.
  void gone() { actor_ = nullptr; }
  /// It has ended, and is restarted after a pause.
  void failed(const core::error& why, core::monotonic_time now);
  void tick(core::monotonic_time now);
  /// The record names another origin now, and no receiver runs.
  void follow_anew();
  /// The record names other safekeepers now.
  void follow_safekeepers();
  /// Clears the refusal of the source: answered when that is durable. errc::invalid_argument when there is none.
  void resume(const std::string& branch, const runtime::reply<>& owed);

  /// Null: none runs.
  [[nodiscard]] const wal_receiver_actor& actor() const { return actor_; }
  /// For the error of a request that waited for `at` in vain.
  [[nodiscard]] std::string why_late(core::lsn at) const { return source_.why_late(at, store_->last_record_lsn()); }
  [[nodiscard]] followed_source& source() { return source_; }
  [[nodiscard]] const followed_source& source() const { return source_; }

 private:
  static constexpr std::chrono::seconds pause{30};

  std::shared_ptr<storage::timeline_store> store_;
  runtime::io_jobs jobs_;
  context context_;
  wal_receiver_actor actor_;
  std::optional<core::monotonic_time> restart_at_;
  followed_source source_;
};

}  // namespace strata::actors::pageserver
