#include "actors/runtime/process_metrics.hpp"

#include "core/blocking.hpp"

namespace strata::actors::runtime {

process_metrics::process_metrics(metrics& of, const actor_registry& actors, const pool_counters& pools)
    : metrics_(of), actors_(actors), pools_(pools) {
  for (const auto& pool : pools.snapshot()) {
    const metrics::labels with{{"pool", pool.name}};
    of.gauge("strata_pool_threads", "Threads of a worker pool", with).set(pool.threads);
    by_pool_.push_back({of.gauge("strata_pool_queued_actors", "Actors that wait for a thread of the pool", with),
                        of.gauge("strata_pool_busy_seconds", "Time the pool's threads have worked", with)});
  }
  blocking_.emplace(of.gauge("strata_blocking_calls",
                             "Calls that may wait for a disk or another server, on threads that must not block"));
  collector_ = of.add_collector([this] { collect(); });
}

process_metrics::~process_metrics() { metrics_.remove_collector(collector_); }

void process_metrics::collect() {
  struct sums {
    double living = 0;
    double mailbox = 0;
  };
  std::map<std::string, sums> found;
  for (const auto& actor : actors_.snapshot()) {
    auto& kind = found[actor.kind];
    ++kind.living;
    kind.mailbox += static_cast<double>(actor.mailbox);
  }
  const std::lock_guard lock(mutex_);
  blocking_->set(static_cast<double>(core::blocking_calls()));
  const auto pools = pools_.snapshot();
  for (std::size_t i = 0; i < pools.size(); ++i) {
    by_pool_[i].queued.set(static_cast<double>(pools[i].queued));
    by_pool_[i].busy.set(static_cast<double>(pools[i].busy) / 1e6);
  }
  for (const auto& [kind, sum] : found)
    if (!by_kind_.contains(kind)) {
      const metrics::labels with{{"kind", kind}};
      by_kind_.emplace(kind,
                       kind_gauges{metrics_.gauge("strata_actors", "Living actors", with),
                                   metrics_.gauge("strata_actor_mailbox_messages", "Messages not yet handled", with)});
    }
  // A kind without living actors is reported as 0, not left at its last value.
  for (auto& [kind, gauges] : by_kind_) {
    gauges.living.set(found[kind].living);
    gauges.mailbox.set(found[kind].mailbox);
  }
}

}  // namespace strata::actors::runtime
