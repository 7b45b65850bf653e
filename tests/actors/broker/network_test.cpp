#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "actors/broker/broker.hpp"
#include "actors/broker/broker_link.hpp"
#include "actors/broker/network.hpp"
#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/system.hpp"
#include "io/sockets.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using actors::broker::node_identity;
using io::unique_fd;
using protocol::safekeeper_timeline_info;

/// What a subscriber has got, seen from the test's thread.
struct received {
  void add(const std::vector<safekeeper_timeline_info>& infos) {
    const std::lock_guard lock(mutex);
    for (const auto& each : infos) last[each.safekeeper] = each;
    messages += 1;
    timelines += infos.size();
  }
  [[nodiscard]] std::uint64_t term_of(std::uint64_t safekeeper) {
    const std::lock_guard lock(mutex);
    const auto at = last.find(safekeeper);
    return at == last.end() ? 0 : at->second.term;
  }
  [[nodiscard]] protocol::safekeeper_timeline_info last_of(std::uint64_t safekeeper) {
    const std::lock_guard lock(mutex);
    return last.at(safekeeper);
  }
  [[nodiscard]] std::size_t message_count() {
    const std::lock_guard lock(mutex);
    return messages;
  }
  std::mutex mutex;
  std::map<std::uint64_t, protocol::safekeeper_timeline_info> last;
  std::size_t messages = 0;
  std::size_t timelines = 0;
};

class collector final : public actors::runtime::actor_base<messages::broker_subscriber_actor> {
 public:
  static constexpr const char* kind = "test.collector";
  static constexpr actors::runtime::pool_id pool = actors::runtime::pool_id::page;
  collector(const actors::runtime::actor_setup& setup, std::shared_ptr<received> into)
      : actor_base(setup), into_(std::move(into)) {}

 private:
  friend actor_base;
  void on(const messages::timelines_published& message) { into_->add(message.timelines); }
  std::shared_ptr<received> into_;
};

/// A process of a cluster, as far as the broker sees one.
class node {
 public:
  node(const std::string& tls, std::uint16_t broker_port) : node(tls) { connect(broker_port); }
  explicit node(const std::string& tls)
      : identity_(node_identity::load(tls, core::system_clock().now()).value()),
        system_({.pools = {.page = 1, .wal = 1, .background = 1, .management = 1, .io = 1},
                 .configure = actors::broker::network_of(identity_)}) {}

  /// Port 0: any.
  std::uint16_t serve(std::uint16_t port) {
    broker_ = actors::broker::spawn_broker(system_.actors(), {"", 0});
    return actors::broker::publish(broker_, "127.0.0.1", port).value();
  }
  void connect(std::uint16_t port) {
    link_ = actors::broker::spawn_broker_link(system_.actors(), {"test", 0}, core::address{"127.0.0.1", port});
  }
  void connect_to_own_broker() { link_ = actors::broker::spawn_broker_link(system_.actors(), {"test", 0}, broker_); }
  std::shared_ptr<received> subscribe() {
    auto into = std::make_shared<received>();
    const auto actor = actors::runtime::spawn<collector>(system_.actors(), {"test", 0}, into);
    caf::anon_send(link_, messages::subscribe_timelines{actor});
    return into;
  }
  void publish(std::uint64_t safekeeper, std::uint64_t term, std::size_t timelines = 1) {
    std::vector<safekeeper_timeline_info> infos(timelines);
    for (auto& each : infos) each = {.safekeeper = safekeeper, .term = term};
    publish(std::move(infos));
  }
  void publish(std::vector<safekeeper_timeline_info> infos) {
    caf::anon_send(link_, messages::publish_timelines{std::move(infos)});
  }
  [[nodiscard]] std::string link_state() {
    for (const auto& each : system_.env().registry().snapshot())
      if (each.kind == "broker.link") return each.state;
    return "none";
  }
  [[nodiscard]] std::string link_error() {
    for (const auto& each : system_.env().registry().snapshot())
      if (each.kind == "broker.link") return each.last_error;
    return "none";
  }
  [[nodiscard]] std::string broker_state() {
    for (const auto& each : system_.env().registry().snapshot())
      if (each.kind == "broker.broker") return each.state;
    return "none";
  }

 private:
  node_identity identity_;
  actors::runtime::process_system system_;
  actors::broker::broker_actor broker_;
  messages::broker_link_actor link_;
};

struct cluster {
  cluster() {
    BOOST_REQUIRE(actors::broker::make_identity(tls, core::system_clock().now()));
    BOOST_REQUIRE(actors::broker::make_identity(foreign_tls, core::system_clock().now()));
  }
  /// What is published before a subscription has arrived is lost: publish until it comes through.
  static void publish_until(node& from, std::uint64_t safekeeper, std::uint64_t term, received& at) {
    wait_until("term " + std::to_string(term) + " of safekeeper " + std::to_string(safekeeper) + " arrives", [&] {
      from.publish(safekeeper, term);
      return at.term_of(safekeeper) == term;
    });
  }
  temp_dir home;
  std::string tls = (home / "tls").string();
  std::string foreign_tls = (home / "foreign").string();
};

unique_fd tcp_to(std::uint16_t port) {
  unique_fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  BOOST_REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  return socket;
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& of) {
    return static_cast<double>(of.tv_sec) + static_cast<double>(of.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// A BASP header that announces a payload of 4 GiB: operation, padding, flags, then the length, big endian.
std::string greedy_header(std::uint8_t operation) {
  std::string header(32, '\0');
  header[3] = static_cast<char>(operation);
  for (int i = 4; i < 8; ++i) header[static_cast<std::size_t>(i)] = '\xff';
  return header;
}

/// A stranger's TLS connection, with a certificate or without. `reached`: the other side said something in the
/// protocol, i.e. took us for one of its own.
struct stranger {
  stranger(std::uint16_t port, const std::string& tls) : socket(tcp_to(port)), context(::SSL_CTX_new(::TLS_method())) {
    if (!tls.empty()) {
      BOOST_REQUIRE(::SSL_CTX_use_certificate_file(context, (tls + "/node.crt").c_str(), SSL_FILETYPE_PEM) == 1);
      BOOST_REQUIRE(::SSL_CTX_use_PrivateKey_file(context, (tls + "/node.key").c_str(), SSL_FILETYPE_PEM) == 1);
    }
    timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    session = ::SSL_new(context);
    ::SSL_set_fd(session, socket.get());
    ::SSL_connect(session);
  }
  ~stranger() {
    ::SSL_free(session);
    ::SSL_CTX_free(context);
  }
  bool reaches(const std::string& text) {
    ::SSL_write(session, text.data(), static_cast<int>(text.size()));
    char answer[64];
    return ::SSL_read(session, answer, sizeof answer) > 0;
  }
  unique_fd socket;
  SSL_CTX* context;
  SSL* session = nullptr;
};

BOOST_FIXTURE_TEST_SUITE(actors_broker_network, cluster)

BOOST_AUTO_TEST_CASE(what_one_process_publishes_the_others_get) {
  node server(tls);
  const auto port = server.serve(0);
  server.connect_to_own_broker();
  node first(tls, port);
  node second(tls, port);
  const auto here = server.subscribe();
  const auto there = second.subscribe();
  publish_until(first, 1, 1, *there);
  publish_until(first, 1, 2, *here);
  publish_until(second, 2, 1, *there);
  // And from the server's own process to others.
  publish_until(server, 3, 5, *there);
}

BOOST_AUTO_TEST_CASE(everything_said_of_a_timeline_arrives) {
  node server(tls);
  const auto port = server.serve(0);
  node first(tls, port);
  node second(tls, port);
  const auto there = second.subscribe();
  publish_until(first, 9, 1, *there);
  const protocol::safekeeper_timeline_info all{.safekeeper = 9,
                                               .tenant = core::make_id<core::tenant_id>(),
                                               .timeline = core::make_id<core::timeline_id>(),
                                               .term = 2,
                                               .last_log_term = 3,
                                               .generation = 4,
                                               .flush_lsn = core::lsn(0x5'0000'0001),
                                               .commit_lsn = core::lsn(6),
                                               .backup_lsn = core::lsn(7),
                                               .remote_consistent_lsn = core::lsn(8),
                                               .peer_horizon_lsn = core::lsn(9),
                                               .local_start_lsn = core::lsn(10),
                                               .wal_address = "127.0.0.1:5454",
                                               .http_address = "127.0.0.1:7676"};
  first.publish({all});
  wait_until("it arrives", [&] { return there->term_of(9) == 2; });
  BOOST_TEST((there->last_of(9) == all));
}

BOOST_AUTO_TEST_CASE(more_timelines_than_fit_one_message_arrive_in_several) {
  node server(tls);
  const auto port = server.serve(0);
  node first(tls, port);
  node second(tls, port);
  const auto there = second.subscribe();
  publish_until(first, 1, 1, *there);
  first.publish(1, 2, 25'000);
  wait_until("all arrive", [&] {
    const std::lock_guard lock(there->mutex);
    return there->timelines >= 25'000;
  });
}

BOOST_AUTO_TEST_CASE(subscriptions_go_on_when_the_broker_comes_back) {
  auto server = std::make_unique<node>(tls);
  const auto port = server->serve(0);
  node first(tls, port);
  node second(tls, port);
  const auto there = second.subscribe();
  publish_until(first, 1, 1, *there);
  for (std::uint64_t round = 2; round < 4; ++round) {
    server.reset();
    wait_until("both have noticed",
               [&] { return first.link_state() != "connected" && second.link_state() != "connected"; });
    first.publish(1, 100);  // lost: nobody is there
    server = std::make_unique<node>(tls);
    BOOST_REQUIRE(server->serve(port) == port);
    publish_until(first, 1, round, *there);
  }
}

BOOST_AUTO_TEST_CASE(a_link_that_ends_leaves_no_session) {
  node server(tls);
  const auto port = server.serve(0);
  {
    const node first(tls, port);
    wait_until("it is there", [&] { return server.broker_state() == "1 links"; });
  }
  wait_until("it is forgotten", [&] { return server.broker_state() == "0 links"; });
}

BOOST_AUTO_TEST_CASE(a_node_of_another_cluster_is_refused_by_both_sides) {
  node server(tls);
  const auto port = server.serve(0);
  node foreigner(foreign_tls, port);
  wait_until("its attempt has failed", [&] { return foreigner.link_error() != ""; });
  BOOST_TEST(foreigner.link_state() != "connected");
  BOOST_TEST(server.broker_state().find('1') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_our_certificate_nobody_reaches_the_protocol) {
  node server(tls);
  const auto port = server.serve(0);
  const auto before = resident_bytes();
  for (std::uint8_t operation = 0; operation < 8; ++operation) {
    BOOST_TEST(!stranger(port, "").reaches(greedy_header(operation)));
    BOOST_TEST(!stranger(port, foreign_tls).reaches(greedy_header(operation)));
  }
  // The same words open the door for who has the certificate: the broker greets.
  BOOST_TEST(stranger(port, tls).reaches(""));
  BOOST_TEST(resident_bytes() < before + (64u << 20));
}

BOOST_AUTO_TEST_CASE(garbage_on_the_port_costs_neither_memory_nor_service) {
  node server(tls);
  const auto port = server.serve(0);
  const auto before = resident_bytes();
  std::vector<unique_fd> open;
  for (int i = 0; i < 50; ++i) {
    open.push_back(tcp_to(port));
    const std::string text = i % 3 == 0   ? greedy_header(static_cast<std::uint8_t>(i % 8))
                             : i % 3 == 1 ? "GET / HTTP/1.1\r\n\r\n"
                                          : std::string(4096, static_cast<char>(i));
    BOOST_TEST(::send(open.back().get(), text.data(), text.size(), MSG_NOSIGNAL) > 0);
  }
  // These never say a word.
  for (int i = 0; i < 50; ++i) open.push_back(tcp_to(port));
  node first(tls, port);
  const auto there = first.subscribe();
  publish_until(first, 1, 1, *there);
  BOOST_TEST(resident_bytes() < before + (64u << 20));
}

BOOST_AUTO_TEST_CASE(a_silent_stranger_keeps_no_thread_busy) {
  node server(tls);
  const auto port = server.serve(0);
  std::vector<unique_fd> open;
  for (int i = 0; i < 4; ++i) open.push_back(tcp_to(port));
  node first(tls, port);
  wait_until("one after them is let in", [&] { return first.link_state() == "connected"; });
  const double before = cpu_seconds();
  // The time over which the use of the CPU is measured: a busy thread would use all of it.
  std::this_thread::sleep_for(2s);
  BOOST_TEST(cpu_seconds() - before < 0.5);
}

BOOST_AUTO_TEST_CASE(the_oldest_silent_stranger_gives_way_to_a_new_one) {
  node server(tls);
  const auto port = server.serve(0);
  std::vector<unique_fd> open;
  for (int i = 0; i < 65; ++i) open.push_back(tcp_to(port));
  timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(open.front().get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char byte = 0;
  BOOST_TEST(::recv(open.front().get(), &byte, 1, 0) == 0);
  // The one after it is still waited for.
  BOOST_TEST(::recv(open[1].get(), &byte, 1, MSG_DONTWAIT) == -1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
