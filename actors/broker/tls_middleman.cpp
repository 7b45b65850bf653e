#include "actors/broker/tls_middleman.hpp"

#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/interfaces.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/send.hpp>

#include "actors/broker/tls_session.hpp"
#include "actors/runtime/pools.hpp"
#include "io/sockets.hpp"

namespace strata::actors::broker {
namespace {

namespace network = caf::io::network;
using network::default_multiplexer;

/// Accepted connections without a certificate so far; and, apart from them, our own attempts.
constexpr std::size_t unfinished_accepted_max = 64;
constexpr std::size_t unfinished_connected_max = 4;

constexpr auto registry_name = caf::atom("tls");

struct tls_sockets {
  std::shared_ptr<ssl_ctx_st> context;
  std::shared_ptr<unfinished_handshakes> accepted = std::make_shared<unfinished_handshakes>(unfinished_accepted_max);
  std::shared_ptr<unfinished_handshakes> connected = std::make_shared<unfinished_handshakes>(unfinished_connected_max);
};

/// One connection, like CAF's own ones except for the policy of its stream.
class tls_scribe final : public caf::io::scribe {
 public:
  tls_scribe(default_multiplexer& on, int socket, const tls_sockets& with, tls_session::role as)
      : scribe(network::conn_hdl_from_socket(socket)),
        stream_(on, socket, with.context, socket, as,
                as == tls_session::role::server ? with.accepted : with.connected) {}

  void configure_read(caf::io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (std::exchange(launched_, true)) return;
    stream_.start(this);
    // Makes the client begin the handshake.
    stream_.force_empty_write(this);
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override { stream_.flush(this); }
  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }
  std::string addr() const override {
    const auto found = network::remote_addr_of_fd(stream_.fd());
    return found ? *found : std::string();
  }
  std::uint16_t port() const override {
    const auto found = network::remote_port_of_fd(stream_.fd());
    return found ? *found : std::uint16_t{0};
  }
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

 private:
  bool launched_ = false;
  network::stream_impl<tls_session> stream_;
};

class tls_doorman final : public network::doorman_impl {
 public:
  tls_doorman(default_multiplexer& on, int socket, tls_sockets with)
      : doorman_impl(on, socket), with_(std::move(with)) {}

  bool new_connection() override {
    // Detached from the broker while an event was in flight.
    if (detached()) return false;
    auto& on = acceptor_.backend();
    const int socket = acceptor_.accepted_socket();
    network::nonblocking(socket, true);
    auto connection = caf::make_counted<tls_scribe>(on, socket, with_, tls_session::role::server);
    const auto handle = connection->hdl();
    parent()->add_scribe(std::move(connection));
    return doorman::new_connection(&on, handle);
  }

 private:
  tls_sockets with_;
};

/// Connecting blocks its thread until TCP has an answer: it runs where that is permitted.
class tls_middleman final : public caf::io::middleman_actor_impl, public runtime::pool_member {
 public:
  tls_middleman(caf::actor_config& config, caf::actor broker, tls_sockets with)
      : middleman_actor_impl(config, std::move(broker)), with_(std::move(with)) {}

  [[nodiscard]] runtime::pool_id pool() const noexcept override { return runtime::pool_id::io; }
  const char* name() const override { return "broker.tls_middleman"; }

 protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host, std::uint16_t port) override {
    const auto socket = network::new_tcp_connection(host, port);
    if (!socket) return socket.error();
    network::nonblocking(*socket, true);
    return caf::io::scribe_ptr(caf::make_counted<tls_scribe>(on(), *socket, with_, tls_session::role::client));
  }
  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* address, bool reuse) override {
    const auto socket = network::new_tcp_acceptor_impl(port, address, reuse);
    if (!socket) return socket.error();
    return caf::io::doorman_ptr(caf::make_counted<tls_doorman>(on(), *socket, with_));
  }

 private:
  default_multiplexer& on() { return static_cast<default_multiplexer&>(system().middleman().backend()); }
  tls_sockets with_;
};

/// Replaces CAF's own TLS module, whose sessions have the fault described in tls_session.hpp.
class tls_module final : public caf::actor_system::module {
 public:
  tls_module(caf::actor_system& system, std::shared_ptr<ssl_ctx_st> tls) : system_(system), tls_(std::move(tls)) {}

  void init(caf::actor_system_config&) override {}
  void start() override {
    auto protocol = system_.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
    actor_ = system_.spawn<tls_middleman, caf::hidden>(std::move(protocol), tls_sockets{.context = tls_});
    system_.registry().put(registry_name, caf::actor_cast<caf::strong_actor_ptr>(actor_));
  }
  void stop() override {
    system_.registry().erase(registry_name);
    caf::anon_send_exit(actor_, caf::exit_reason::kill);
    actor_ = nullptr;
  }
  id_t id() const override { return openssl_manager; }
  void* subtype_ptr() override { return this; }

 private:
  caf::actor_system& system_;
  std::shared_ptr<ssl_ctx_st> tls_;
  caf::io::middleman_actor actor_;
};

}  // namespace

void load_tls_middleman(caf::actor_system_config& config, std::shared_ptr<ssl_ctx_st> tls) {
  config.load<caf::io::middleman>();
  config.module_factories.emplace_back([tls = std::move(tls)](caf::actor_system& system) -> caf::actor_system::module* {
    return new tls_module(system, tls);
  });
}

caf::io::middleman_actor tls_middleman_of(caf::actor_system& system) {
  return caf::actor_cast<caf::io::middleman_actor>(system.registry().get(registry_name));
}

}  // namespace strata::actors::broker
