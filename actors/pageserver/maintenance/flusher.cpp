#include "actors/pageserver/maintenance/flusher.hpp"

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/latency.hpp"
#include "core/backoff.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {
namespace {

struct flush_retry_due {};
using private_flusher = flusher_actor::extend<messages::accepts<flush_retry_due>>;

}  // namespace
}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::flush_retry_due)

namespace strata::actors::pageserver {
namespace {

constexpr core::backoff::limits retry_limits{.first = std::chrono::milliseconds(200),
                                             .longest = std::chrono::seconds(30)};

class flusher final : public runtime::actor_base<private_flusher> {
 public:
  static constexpr const char* kind = "pageserver.flusher";
  static constexpr runtime::pool_id pool = runtime::pool_id::background;

  flusher(const runtime::actor_setup& setup, flusher_options options)
      : actor_base(setup),
        options_(std::move(options)),
        flushes_(env().metrics().counter("strata_flushed_layers_total", "Frozen layers written to disk")),
        failures_total_(env().metrics().counter("strata_flush_failures_total", "Attempts to write one that failed")),
        seconds_(env().metrics().histogram("strata_layer_flush_seconds", "Writing a frozen layer and making it durable",
                                           runtime::latency_buckets())) {}

 private:
  friend actor_base;
  void on(const flush_due& request) {
    if (pausing_ && !request.now) return;
    flush_one();
  }
  void on(const flush_retry_due&) {
    pausing_ = false;
    flush_one();
  }

  void flush_one() {
    if (options_.store->counters().frozen_layers == 0) return;
    core::result<core::lsn> flushed = core::lsn{};
    const runtime::stopwatch watch;
    if (auto thrown = guarded("flush a layer", [&] { flushed = options_.store->flush_oldest(); })) flushed = *thrown;
    if (!flushed) return failed(flushed.error());
    backoff_.reset();
    flushes_.add();
    seconds_.observe(watch.elapsed());
    describe("");
    tell(options_.timeline, layer_flushed{*flushed});
    // A message for each layer, so that other flushers get a turn.
    tell(self(), flush_due{.now = true});
  }

  void failed(const core::error& why) {
    const auto pause = backoff_.next();
    failures_total_.add();
    note_error("flush a layer", why);
    describe("waiting to retry");
    tell(options_.timeline, flush_failed{why});
    if (std::exchange(pausing_, true)) return;
    tell_self_after(pause, flush_retry_due{});
  }

  flusher_options options_;
  runtime::counter flushes_;
  runtime::counter failures_total_;
  runtime::histogram seconds_;
  core::backoff backoff_{retry_limits};
  bool pausing_ = false;
};

}  // namespace

flusher_actor spawn_flusher(caf::actor_system& system, flusher_options options) {
  auto label = options.label;
  return runtime::spawn<flusher>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
