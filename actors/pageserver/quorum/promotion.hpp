#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "actors/pageserver/ingest/followed_source.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "actors/runtime/reply.hpp"
#include "core/clock.hpp"
#include "placement/source_promotion.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// Ends the following of a timeline's source (placement::source_promotion). Part of the timeline actor: everything it
/// needs of that is an argument.
class promotion {
 public:
  using step = placement::source_promotion::step;
  using outcome = std::function<void(const core::result<void>&)>;
  struct context {
    std::function<void()> ask_source;    ///< for a report: reported()
    std::function<void()> end_receiver;  ///< then receiver_ended(); at once when none runs
    std::function<void(outcome)> flush;
    std::function<void(std::function<void()>)> create_on_safekeepers;  ///< unreachable ones get it later
    std::function<void()> follow;                                      ///< what the record says now
  };

  promotion(std::shared_ptr<storage::timeline_store> store, runtime::io_jobs jobs, context of)
      : store_(std::move(store)), jobs_(std::move(jobs)), context_(std::move(of)) {}

  /// errc::conflict when the timeline follows no source, or is being promoted; errc::unavailable while it is imported,
  /// without safekeepers, or when the source does not answer; errc::timeout when WAL is still missing at the deadline.
  void start(const end_source& request, messages::timeline_state state, core::monotonic_time now,
             const runtime::reply<source_ended>& owed);
  void reported(const followed_source& source);
  void tick(core::monotonic_time now, const followed_source& source);
  /// The receiver is told to end.
  [[nodiscard]] bool awaits_receiver() const { return machine_ && machine_->now() == step::end_receiver; }
  void receiver_ended();

 private:
  void carry_out();
  void flush();
  void store_record();
  void next(const core::result<void>& outcome, const std::function<void()>& input);
  void give_up(const followed_source& source, core::monotonic_time now, bool is_late);

  std::shared_ptr<storage::timeline_store> store_;
  runtime::io_jobs jobs_;
  context context_;
  std::optional<placement::source_promotion> machine_;
  consensus::configuration safekeepers_;
  core::monotonic_time asked_{};
  core::monotonic_time deadline_{};
  runtime::reply<source_ended> owed_;
};

}  // namespace strata::actors::pageserver
