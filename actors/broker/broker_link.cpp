#include "actors/broker/broker_link.hpp"

#include <unordered_map>

#include "actors/broker/fan_out.hpp"
#include "actors/broker/network.hpp"
#include "actors/runtime/actor_base.hpp"
#include "core/backoff.hpp"

namespace strata::actors::broker {
namespace {

using namespace std::chrono_literals;

/// For the connection and the session, together.
constexpr std::chrono::milliseconds attempt_limit = 5s;

struct connect_due {};
struct connected {
  std::uint64_t attempt = 0;
  core::result<broker_actor> broker;
};
struct attempt_over {
  std::uint64_t attempt = 0;
};

}  // namespace
}  // namespace strata::actors::broker

STRATA_LOCAL_MESSAGE(strata::actors::broker::connect_due)
STRATA_LOCAL_MESSAGE(strata::actors::broker::connected)
STRATA_LOCAL_MESSAGE(strata::actors::broker::attempt_over)

namespace strata::actors::broker {
namespace {

using private_link =
    messages::broker_link_actor::extend<messages::accepts<session_opened>, messages::accepts<delivery>,
                                        messages::accepts<publication_taken>, messages::accepts<connect_due>,
                                        messages::accepts<connected>, messages::accepts<attempt_over>>;

///  waiting --connect_due--> connecting --session_opened--> up
///     ^------ broker lost, refused, attempt_over -----------'
class broker_link final : public runtime::actor_base<private_link> {
 public:
  static constexpr const char* kind = "broker.link";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  broker_link(const runtime::actor_setup& setup, broker_place broker) : actor_base(setup), place_(std::move(broker)) {}

  void on_start() { begin_attempt(); }

 private:
  friend actor_base;
  // -- this process's side ----------------------------------------------------------------------------------------
  void on(const messages::publish_timelines& request) {
    const auto& all = request.timelines;
    for (std::size_t from = 0; from < all.size(); from += timelines_per_message_max) {
      if (session_ == 0 || on_the_way_ >= publications_on_the_way_max) return;
      ++on_the_way_;
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(from);
      const auto size = std::min(timelines_per_message_max, all.size() - from);
      tell(broker_, publication{session_, {begin, begin + static_cast<std::ptrdiff_t>(size)}});
    }
  }
  void on(const messages::subscribe_timelines& request) {
    if (!request.to) return;
    const std::uint64_t id = ++last_subscriber_;
    if (subscribers_.empty() && session_ != 0) tell(broker_, begin_deliveries{session_});
    subscribers_.emplace(id, request.to);
    receivers_.add(id);
    monitor(request.to, [this, id](const core::error&) {
      receivers_.remove(id);
      subscribers_.erase(id);
    });
  }
  void hand_over(std::uint64_t to, const fan_out::batch& what) {
    ask(subscribers_.at(to), messages::timelines_published{*what}, [this, to](const core::result<void>&) {
      if (const auto next = receivers_.taken(to)) hand_over(to, *next);
    });
  }

  // -- the broker's messages ----------------------------------------------------------------------------------------
  void on(const delivery& message) {
    // Late deliveries of an earlier session are current state, too.
    if (session_ != 0) tell(broker_, delivery_taken{session_});
    if (subscribers_.empty() || !check_delivery(message)) return;
    const auto batch = std::make_shared<const std::vector<safekeeper_timeline_info>>(message.timelines);
    for (const auto to : receivers_.publish(batch)) hand_over(to, batch);
  }
  [[nodiscard]] static bool check_delivery(const delivery& message) {
    return message.timelines.size() <= timelines_per_message_max;
  }
  void on(const publication_taken&) {
    if (on_the_way_ > 0) --on_the_way_;
  }

  // -- the connection -----------------------------------------------------------------------------------------------
  void begin_attempt() {
    ++attempt_;
    session_ = 0;
    on_the_way_ = 0;
    tell_self_after(attempt_limit, attempt_over{attempt_});
    if (const auto* local = std::get_if<broker_actor>(&place_)) return begin_session(*local);
    describe("connecting");
    const auto& address = std::get<core::address>(place_);
    connect(system(), address.host, address.port, attempt_limit,
            [to = self(), attempt = attempt_](core::result<broker_actor> broker) {
              caf::anon_send(to, connected{attempt, std::move(broker)});
            });
  }
  void on(const connected& outcome) {
    if (outcome.attempt != attempt_ || broker_) return;
    if (!outcome.broker) return lost(outcome.broker.error());
    begin_session(*outcome.broker);
  }
  void begin_session(const broker_actor& broker) {
    broker_ = broker;
    monitor(broker, [this, attempt = attempt_](const core::error& why) {
      if (attempt == attempt_) lost(why);
    });
    tell(broker, open_session{self(), attempt_, !subscribers_.empty()});
    asked_for_deliveries_ = !subscribers_.empty();
  }
  void on(const session_opened& answer) {
    if (answer.attempt != attempt_ || !broker_) return;
    session_ = answer.session;
    // An actor may have subscribed meanwhile.
    if (!asked_for_deliveries_ && !subscribers_.empty()) tell(broker_, begin_deliveries{session_});
    if (backoff_.failures() > 0) core::log_info(std::string(kind) + " " + name() + ": connected");
    backoff_.reset();
    describe("connected");
  }
  void on(const attempt_over& deadline) {
    if (deadline.attempt == attempt_ && session_ == 0) lost({core::errc::timeout, "the broker did not answer in time"});
  }
  void lost(const core::error& why) {
    // Until connect_due begins the next attempt, messages of this one are ignored.
    ++attempt_;
    session_ = 0;
    broker_ = broker_actor();
    if (backoff_.failures() == 0) note_error("reach the broker", why);
    describe("waiting to connect");
    tell_self_after(backoff_.next(), connect_due{});
  }
  void on(const connect_due&) { begin_attempt(); }

  broker_place place_;
  broker_actor broker_;
  std::uint64_t attempt_ = 0;
  std::uint64_t session_ = 0;  ///< 0: none
  bool asked_for_deliveries_ = false;
  core::backoff backoff_{{.first = 100ms, .longest = 5s}};
  std::size_t on_the_way_ = 0;
  std::unordered_map<std::uint64_t, messages::broker_subscriber_actor> subscribers_;
  std::uint64_t last_subscriber_ = 0;
  fan_out receivers_;
};

}  // namespace

messages::broker_link_actor spawn_broker_link(caf::actor_system& system, runtime::actor_label label,
                                              broker_place broker) {
  return runtime::spawn<broker_link>(system, std::move(label), std::move(broker));
}

}  // namespace strata::actors::broker
