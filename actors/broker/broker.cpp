#include "actors/broker/broker.hpp"

#include <unordered_map>

#include "actors/broker/fan_out.hpp"
#include "actors/runtime/actor_base.hpp"

namespace strata::actors::broker {
namespace {

class broker final : public runtime::actor_base<broker_actor> {
 public:
  static constexpr const char* kind = "broker.broker";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  explicit broker(const runtime::actor_setup& setup)
      : actor_base(setup),
        published_(env().metrics().counter("strata_broker_publications_total", "Messages published at the broker.")),
        dropped_(env().metrics().counter("strata_broker_dropped_total",
                                         "Messages that a subscriber missed because it did not keep up.")) {}

 private:
  friend actor_base;
  void on(const open_session& request) {
    if (!request.client) return;
    // A link that opens a new session has abandoned its old one.
    std::erase_if(sessions_, [&](const auto& each) {
      if (each.second != request.client) return false;
      receivers_.remove(each.first);
      return true;
    });
    if (sessions_.size() >= sessions_max)
      return note_error("open a session", {core::errc::busy, "there are " + std::to_string(sessions_max) + " already"});
    const std::uint64_t session = ++last_session_;
    sessions_.emplace(session, request.client);
    if (request.deliver) receivers_.add(session);
    monitor(request.client, [this, session](const core::error&) { forget(session); });
    tell(request.client, session_opened{request.attempt, session});
    show();
  }
  void on(const begin_deliveries& request) {
    if (sessions_.contains(request.session)) receivers_.add(request.session);
  }
  void on(const publication& message) {
    const auto from = sessions_.find(message.session);
    if (from == sessions_.end()) return;
    tell(from->second, publication_taken{});
    if (auto good = check(message.timelines); !good) return note_error("forward a publication", good.error());
    published_.add(1);
    const std::uint64_t before = receivers_.dropped();
    const auto batch = std::make_shared<const std::vector<safekeeper_timeline_info>>(message.timelines);
    for (const auto to : receivers_.publish(batch)) tell(sessions_.at(to), delivery{*batch});
    dropped_.add(static_cast<double>(receivers_.dropped() - before));
  }
  void on(const delivery_taken& message) {
    if (const auto next = receivers_.taken(message.session)) tell(sessions_.at(message.session), delivery{**next});
  }

  void forget(std::uint64_t session) {
    receivers_.remove(session);
    sessions_.erase(session);
    show();
  }
  void show() { describe(std::to_string(sessions_.size()) + " links"); }

  std::unordered_map<std::uint64_t, client_actor> sessions_;
  fan_out receivers_;
  std::uint64_t last_session_ = 0;
  runtime::counter published_;
  runtime::counter dropped_;
};

}  // namespace

broker_actor spawn_broker(caf::actor_system& system, runtime::actor_label label) {
  return runtime::spawn<broker>(system, std::move(label));
}

core::result<void> check(const std::vector<safekeeper_timeline_info>& timelines) {
  if (timelines.size() > timelines_per_message_max)
    return core::error{core::errc::invalid_argument, std::to_string(timelines.size()) + " timelines in one message"};
  for (const auto& each : timelines)
    if (each.wal_address.size() > address_size_max || each.http_address.size() > address_size_max)
      return core::error{core::errc::invalid_argument,
                         "an address of safekeeper " + std::to_string(each.safekeeper) + " is too long"};
  return {};
}

}  // namespace strata::actors::broker
