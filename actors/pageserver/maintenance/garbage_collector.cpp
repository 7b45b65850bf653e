#include "actors/pageserver/maintenance/garbage_collector.hpp"

#include <vector>

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::pageserver {
namespace {

struct check_goes_on {};
using private_collector = garbage_collector_actor::extend<messages::accepts<check_goes_on>>;

}  // namespace
}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::check_goes_on)

namespace strata::actors::pageserver {
namespace {

using runtime::reply;

constexpr std::chrono::milliseconds permit_pause{200};
/// After a failure that tells nothing about the layers.
constexpr std::chrono::seconds retry_pause{30};
/// Between two parts of a check others get its thread, and its permit.
constexpr std::chrono::milliseconds check_part{100};

class garbage_collector final : public runtime::actor_base<private_collector> {
 public:
  static constexpr const char* kind = "pageserver.garbage_collector";
  static constexpr runtime::pool_id pool = runtime::pool_id::background;

  garbage_collector(const runtime::actor_setup& setup, garbage_collector_options options)
      : actor_base(setup),
        options_(std::move(options)),
        removed_(env().metrics().counter("strata_collected_layers_total", "Layers removed by garbage collection")),
        removed_bytes_(env().metrics().counter("strata_collected_bytes_total", "Their size")) {}

 private:
  friend actor_base;
  struct collection {
    storage::timeline_store::retention keep;
    reply<messages::garbage_collected> owed;
  };

  core::result<cutoff_planned> on(const plan_cutoff& request) {
    STRATA_ASSIGN(const auto cutoff, options_.store->plan_gc_cutoff(request.source_ahead, request.horizon_bytes));
    return cutoff_planned{cutoff};
  }

  void on(const collect_layers& request, reply<messages::garbage_collected> owed) {
    if (checks_.empty()) return collect(request.keep, owed);
    collections_.push_back({request.keep, owed});  // it would complete the check in one piece
  }
  void collect(const storage::timeline_store::retention& keep, const reply<messages::garbage_collected>& owed) {
    auto outcome = options_.store->collect(keep);
    if (!outcome) {
      note_error("collect garbage", outcome.error());
      return owed.fail(outcome.error());
    }
    removed_.add(static_cast<double>(outcome->removed));
    removed_bytes_.add(static_cast<double>(outcome->removed_bytes));
    owed.deliver({.removed = outcome->removed, .removed_bytes = outcome->removed_bytes, .cutoff = outcome->cutoff});
  }

  void on(const check_layers&, reply<messages::done> owed) {
    checks_.push_back(std::move(owed));
    if (checks_.size() == 1) check();
  }
  void on(const check_goes_on&) { check(); }

  void check() {
    const auto permit = options_.permits->try_take();
    if (!permit && !*options_.cancelled) return tell_self_after(permit_pause, check_goes_on{});
    bool part_over = false;
    const auto checked = options_.store->check_layers([&, until = clock().monotonic() + check_part] {
      part_over = clock().monotonic() >= until;
      return part_over || *options_.cancelled;
    });
    if (part_over && !*options_.cancelled) return tell(self(), check_goes_on{});
    for (const auto& each : std::exchange(collections_, {})) {
      if (checked)
        collect(each.keep, each.owed);
      else
        each.owed.fail(checked.error());
    }
    if (!checked && !*options_.cancelled) {
      note_error("check layers", checked.error());
      return tell_self_after(retry_pause, check_goes_on{});
    }
    for (const auto& each : std::exchange(checks_, {})) each.answer(checked);
  }

  garbage_collector_options options_;
  std::vector<reply<messages::done>> checks_;  ///< answered when the check under way has ended
  std::vector<collection> collections_;        ///< wait for its end
  runtime::counter removed_;
  runtime::counter removed_bytes_;
};

}  // namespace

garbage_collector_actor spawn_garbage_collector(caf::actor_system& system, garbage_collector_options options) {
  auto label = options.label;
  return runtime::spawn<garbage_collector>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
