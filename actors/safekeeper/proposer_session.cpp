#include "actors/safekeeper/proposer_session.hpp"

#include "actors/runtime/actor_base.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::safekeeper {
namespace {

namespace wire = pg::wire;

constexpr std::chrono::seconds proposer_silence_max{60};

struct session_go_on {};
struct session_look_due {};
using private_session =
    runtime::socket_owner::extend<messages::accepts<session_go_on>, messages::accepts<session_look_due>>;

class proposer_session final : public runtime::actor_base<private_session> {
 public:
  static constexpr const char* kind = "safekeeper.proposer_session";
  static constexpr runtime::pool_id pool = runtime::pool_id::wal;

  proposer_session(const runtime::actor_setup& setup, proposer_session_options options)
      : actor_base(setup),
        options_(std::move(options)),
        socket_(*options_.socket),
        collecting_(std::make_shared<message_batch>()),
        spare_(std::make_shared<message_batch>()) {}

  void on_start() {
    alive_ = self();
    socket_.grow_input(2 * (protocol::message_size_max + 16));
    heard_at_ = clock().monotonic();
    tell_self_after(proposer_silence_max, session_look_due{});
    if (auto watched = socket_.watch(self()); !watched)
      quit(watched.error());
    else
      tell(self(), session_go_on{});
  }

 private:
  friend actor_base;
  /// Unknown before the greeting; settled: open, or refused.
  enum class timeline { unknown, opening, settled };

  void on(const runtime::socket_ready& event) {
    if (socket_.fired(event)) advance();
  }
  void on(const session_go_on&) { advance(); }
  void on(const session_look_due&) {
    if (clock().monotonic() - heard_at_ > proposer_silence_max)
      return quit({core::errc::timeout, "no message from the proposer for a minute"});
    tell_self_after(proposer_silence_max, session_look_due{});
  }

  void advance() {
    using enum net::client_socket::outcome;
    // A proposer that sends without pause must not keep the thread.
    constexpr int rounds_max = 32;
    for (int round = 0; round < rounds_max; ++round) {
      const auto sent = socket_.send();
      if (sent == closed) return quit();
      if (closing_ && sent == something) return quit();
      if (sent == nothing) return socket_.rearm({.write = true});
      if (!collect()) continue;
      hand_over();
      // Continues when the acceptor has answered.
      if (collecting_->full() || timeline_ == timeline::opening) return;
      const auto received = socket_.receive();
      if (received == closed) return quit();
      if (received == nothing) return socket_.rearm({.read = true});
      heard_at_ = clock().monotonic();
    }
    tell(self(), session_go_on{});
  }

  /// Adds complete messages to the batch. False: the session ends once its output is sent.
  bool collect() {
    while (!collecting_->full() && !closing_) {
      const auto frame = wire::parse_frame(socket_.input(), true, protocol::message_size_max + 4);
      if (!frame) return refuse(frame.error());
      if (!*frame) break;
      switch ((*frame)->kind) {
        case wire::frame_kind::copy_data: {
          const auto message = protocol::decode_from_proposer((*frame)->body);
          if (!message) return refuse(message.error());
          if (timeline_ == timeline::unknown && !greet(*message)) return false;
          collecting_->add(*message);
          break;
        }
        case wire::frame_kind::copy_done:
          wire::append_copy_done(socket_.output());
          wire::append_command_complete(socket_.output(), "COPY 0");
          closing_ = true;
          break;
        case wire::frame_kind::copy_fail:
        case wire::frame_kind::terminate: closing_ = true; break;
        default: break;
      }
      socket_.consume((*frame)->size);
    }
    return !closing_;
  }

  /// The first message has the timeline and its proposer.
  bool greet(const protocol::received_message& first) {
    const auto* greeting = std::get_if<consensus::greeting>(&first.message);
    if (greeting == nullptr) return refuse({core::errc::corrupt, "a proposer's first message is not a greeting"});
    if (greeting->tenant != options_.key.tenant || greeting->timeline != options_.key.timeline)
      return refuse({core::errc::conflict, "the greeting is for another timeline than the connection"});
    timeline_ = timeline::opening;
    open_wal_timeline request{options_.key, std::nullopt};
    if (options_.may_create) {
      auto& state = request.create.emplace();
      state.tenant = greeting->tenant;
      state.timeline = greeting->timeline;
      state.cluster = greeting->cluster;
      state.members = greeting->members;
    }
    ask(options_.timelines, std::move(request), [this](core::result<wal_timeline_opened> opened) {
      timeline_ = timeline::settled;
      if (!opened) {
        refuse(opened.error());
      } else {
        acceptor_ = opened->acceptor;
        monitor(acceptor_, [this](const core::error& why) { quit(why); });
        tell(acceptor_, proposer_arrived{self()});
      }
      advance();
    });
    return true;
  }

  void hand_over() {
    if (waiting_ || !acceptor_ || collecting_->empty()) return;
    waiting_ = true;
    std::swap(collecting_, spare_);
    ask(acceptor_, take_batch{spare_}, [this](core::result<batch_taken> taken) {
      waiting_ = false;
      if (!taken) {
        spare_ = std::make_shared<message_batch>();  // the other one may still be in use
        refuse(taken.error());
      } else {
        spare_->clear();
        for (const auto& reply : taken->replies) put(reply, taken->feedback);
        if (taken->refused) refuse(*taken->refused);
      }
      advance();
    });
  }

  void put(const consensus::acceptor_message& reply, const std::optional<protocol::pageserver_feedback>& feedback) {
    encoded_.clear();
    protocol::encode(reply, feedback, encoded_);
    wire::append_copy_data_header(socket_.output(), encoded_.size());
    core::append(socket_.output(), encoded_);
  }

  /// Always false.
  bool refuse(const core::error& why) {
    note_error("handle a proposer's message", why);
    wire::append_error(socket_.output(), wire::sqlstate_of(why.code), why.detail, true);
    closing_ = true;
    return false;
  }

  proposer_session_options options_;
  /// Its only reference.
  runtime::socket_owner alive_;
  net::client_socket& socket_;
  acceptor_actor acceptor_;
  std::shared_ptr<message_batch> collecting_;
  std::shared_ptr<message_batch> spare_;  ///< with the acceptor while waiting_
  core::bytes encoded_;
  timeline timeline_ = timeline::unknown;
  bool waiting_ = false;  ///< for the acceptor's answer
  bool closing_ = false;  ///< closes when everything is sent
  core::monotonic_time heard_at_;
};

}  // namespace

runtime::socket_owner spawn_proposer_session(caf::actor_system& system, proposer_session_options options) {
  auto label = options.label;
  return runtime::spawn<proposer_session>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::session_go_on)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::session_look_due)
