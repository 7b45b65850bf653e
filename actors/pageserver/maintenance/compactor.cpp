#include "actors/pageserver/maintenance/compactor.hpp"

#include <deque>

#include "actors/pageserver/maintenance/circuit_breaker.hpp"
#include "actors/runtime/actor_base.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {
namespace {

struct permit_due {};
using private_compactor = compactor_actor::extend<messages::accepts<permit_due>>;

}  // namespace
}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::permit_due)

namespace strata::actors::pageserver {
namespace {

constexpr std::chrono::milliseconds permit_pause{200};

class compactor final : public runtime::actor_base<private_compactor> {
 public:
  static constexpr const char* kind = "pageserver.compactor";
  static constexpr runtime::pool_id pool = runtime::pool_id::background;

  compactor(const runtime::actor_setup& setup, compactor_options options)
      : actor_base(setup),
        options_(std::move(options)),
        steps_(env().metrics().counter("strata_compactions_total", "Compaction steps that changed something")),
        failures_(env().metrics().counter("strata_compaction_failures_total", "Compaction steps that failed")) {}

 private:
  friend actor_base;
  struct asked {
    bool force;
    runtime::reply<messages::timeline_compacted> owed;
  };

  void on(const messages::compact_timeline& request, runtime::reply<messages::timeline_compacted> owed) {
    asked_.push_back({request.force, owed});
    work();
  }
  void on(const compaction_due&) {
    due_ = true;
    work();
  }
  void on(const permit_due&) {
    waiting_ = false;
    work();
  }

  void work() {
    const bool periodic = due_ && breaker_.allows(clock().monotonic());
    if ((asked_.empty() && !periodic) || *options_.cancelled) return;
    const auto permit = options_.permits->try_take();
    if (!permit) {
      if (!std::exchange(waiting_, true)) tell_self_after(permit_pause, permit_due{});
      return;
    }
    if (!asked_.empty()) {
      const asked request = asked_.front();
      asked_.pop_front();
      request.owed.answer(step(request.force));
    } else {
      due_ = false;
      const auto done = step(false);
      if (done && done->layers_in + done->images_out > 0) tell(self(), compaction_due{});
    }
    if (!asked_.empty()) tell(self(), permit_due{});
  }

  core::result<messages::timeline_compacted> step(bool force) {
    describe("compacting");
    core::result<storage::timeline_store::compaction_outcome> outcome =
        core::error{core::errc::unavailable, "compact: stopping"};
    if (auto thrown = guarded("compact", [&] {
          outcome = options_.store->compact(force, [cancelled = options_.cancelled] { return cancelled->load(); });
        }))
      outcome = *thrown;
    describe(breaker_.open() ? "pausing after failures" : "");
    if (!outcome) {
      if (!*options_.cancelled) failed(outcome.error());
      return outcome.error();
    }
    if (breaker_.failures() > 0) tell(options_.timeline, compaction_health{});
    breaker_.succeeded();
    describe("");
    if (outcome->layers_in + outcome->images_out > 0) steps_.add();
    return messages::timeline_compacted{.layers_in = outcome->layers_in,
                                        .layers_out = outcome->layers_out,
                                        .images_out = outcome->images_out,
                                        .bytes_in = outcome->bytes_in,
                                        .bytes_out = outcome->bytes_out};
  }

  void failed(const core::error& why) {
    failures_.add();
    breaker_.failed(clock().monotonic());
    note_error("compact", why);
    if (breaker_.open()) describe("pausing after failures");
    tell(options_.timeline, compaction_health{"compaction: " + core::to_string(why)});
  }

  compactor_options options_;
  runtime::counter steps_;
  runtime::counter failures_;
  circuit_breaker breaker_;
  std::deque<asked> asked_;
  bool due_ = false;
  bool waiting_ = false;  ///< for a permit
};

}  // namespace

compactor_actor spawn_compactor(caf::actor_system& system, compactor_options options) {
  auto label = options.label;
  return runtime::spawn<compactor>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
