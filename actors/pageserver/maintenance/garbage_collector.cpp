#include "actors/pageserver/maintenance/garbage_collector.hpp"

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::pageserver {
namespace {

class garbage_collector final : public runtime::actor_base<garbage_collector_actor> {
 public:
  static constexpr const char* kind = "pageserver.garbage_collector";
  static constexpr runtime::pool_id pool = runtime::pool_id::background;

  garbage_collector(const runtime::actor_setup& setup, garbage_collector_options options)
      : actor_base(setup),
        store_(std::move(options.store)),
        cancelled_(std::move(options.cancelled)),
        removed_(env().metrics().counter("strata_collected_layers_total", "Layers removed by garbage collection")),
        removed_bytes_(env().metrics().counter("strata_collected_bytes_total", "Their size")) {}

 private:
  friend actor_base;
  core::result<cutoff_planned> on(const plan_cutoff& request) {
    STRATA_ASSIGN(const auto cutoff, store_->plan_gc_cutoff(request.source_ahead, request.horizon_bytes));
    return cutoff_planned{cutoff};
  }
  core::result<messages::garbage_collected> on(const collect_layers& request) {
    auto outcome = store_->collect(request.keep);
    if (!outcome) {
      note_error("collect garbage", outcome.error());
      return outcome.error();
    }
    removed_.add(static_cast<double>(outcome->removed));
    removed_bytes_.add(static_cast<double>(outcome->removed_bytes));
    return messages::garbage_collected{
        .removed = outcome->removed, .removed_bytes = outcome->removed_bytes, .cutoff = outcome->cutoff};
  }

  core::result<void> on(const check_layers&) {
    return store_->check_layers([this] { return cancelled_->load(); });
  }

  std::shared_ptr<storage::timeline_store> store_;
  std::shared_ptr<const std::atomic<bool>> cancelled_;
  runtime::counter removed_;
  runtime::counter removed_bytes_;
};

}  // namespace

garbage_collector_actor spawn_garbage_collector(caf::actor_system& system, garbage_collector_options options) {
  auto label = options.label;
  return runtime::spawn<garbage_collector>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
