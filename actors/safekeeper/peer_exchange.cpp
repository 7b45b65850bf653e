#include "actors/safekeeper/peer_exchange.hpp"

#include <map>
#include <set>

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::safekeeper {
namespace {

constexpr std::chrono::milliseconds interval{1000};

struct exchange_due {};
using private_exchange =
    peer_exchange_actor::extend<messages::accepts<messages::timelines_published>, messages::accepts<exchange_due>>;

class peer_exchange final : public runtime::actor_base<private_exchange> {
 public:
  static constexpr const char* kind = "safekeeper.peer_exchange";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  peer_exchange(const runtime::actor_setup& setup, peer_exchange_options options)
      : actor_base(setup),
        options_(std::move(options)),
        known_gauge_(env().metrics().gauge("strata_safekeeper_timelines", "Timelines that are on this safekeeper")),
        active_gauge_(env().metrics().gauge("strata_safekeeper_active_timelines", "Active timelines")) {}

  void on_start() {
    if (options_.broker) tell(options_.broker, messages::subscribe_timelines{self()});
    tell_self_after(interval, exchange_due{});
  }

 private:
  friend actor_base;
  void on(const enter_exchange& entering) {
    known_[entering.key] = entering.acceptor;
    known_gauge_.set(static_cast<double>(known_.size()));
  }
  void on(const leave_exchange& leaving) {
    known_.erase(leaving.key);
    active_.erase(leaving.key);
    known_gauge_.set(static_cast<double>(known_.size()));
  }
  void on(const set_active& change) {
    if (change.active)
      active_.insert(change.key);
    else if (active_.erase(change.key) > 0)
      leaving_.insert(change.key);
    active_gauge_.set(static_cast<double>(active_.size()));
  }

  void on(const exchange_due&) {
    tell_self_after(interval, exchange_due{});
    // Acceptors that have not answered since are busy; they are not asked again before they have.
    if (awaited_ > 0) return;
    for (const auto& key : active_) ask_for_report(key);
    // A suspended timeline is published a last time, so that its peers can be suspended, too.
    for (const auto& key : std::exchange(leaving_, {}))
      if (!active_.contains(key)) ask_for_report(key);
  }

  void ask_for_report(const core::timeline_key& key) {
    const auto found = known_.find(key);
    if (found == known_.end()) return;
    ++awaited_;
    ask(found->second, report_due{}, [this](core::result<timeline_report> report) {
      if (report) collected_.timelines.push_back(std::move(report->info));
      if (--awaited_ == 0) publish();
    });
  }

  void publish() {
    if (options_.broker && !collected_.timelines.empty()) tell(options_.broker, std::move(collected_));
    collected_ = {};
  }

  void on(const messages::timelines_published& news) {
    for (const auto& info : news.timelines) {
      if (info.safekeeper == options_.self.value) continue;
      const auto found = known_.find({info.tenant, info.timeline});
      if (found != known_.end()) tell(found->second, peer_published{info});
    }
  }

  peer_exchange_options options_;
  runtime::gauge known_gauge_;
  runtime::gauge active_gauge_;
  std::map<core::timeline_key, acceptor_actor> known_;
  std::set<core::timeline_key> active_;
  std::set<core::timeline_key> leaving_;
  messages::publish_timelines collected_;
  std::size_t awaited_ = 0;
};

}  // namespace

peer_exchange_actor spawn_peer_exchange(caf::actor_system& system, peer_exchange_options options) {
  auto label = options.label;
  return runtime::spawn<peer_exchange>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::exchange_due)
