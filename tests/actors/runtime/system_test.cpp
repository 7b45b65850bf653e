#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/outside.hpp"
#include "actors/runtime/system.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {

struct where_am_i {};
struct here {
  std::string thread;
};
struct wait_for_gate {};
using locator_actor =
    messages::actor_interface<messages::answers<where_am_i, here>, messages::answers<wait_for_gate, messages::done>>;

struct watch_socket {
  int fd;
};
struct next_event {};
struct event_seen {
  bool read, write;
};
struct forget_socket {};
using watching_actor = messages::actor_interface<
    messages::answers<watch_socket, messages::done>, messages::answers<next_event, event_seen>,
    messages::answers<forget_socket, messages::done>, messages::accepts<actors::runtime::socket_ready>>;

}  // namespace strata::tests

STRATA_LOCAL_MESSAGE(strata::tests::where_am_i)
STRATA_LOCAL_MESSAGE(strata::tests::here)
STRATA_LOCAL_MESSAGE(strata::tests::wait_for_gate)
STRATA_LOCAL_MESSAGE(strata::tests::watch_socket)
STRATA_LOCAL_MESSAGE(strata::tests::next_event)
STRATA_LOCAL_MESSAGE(strata::tests::event_seen)
STRATA_LOCAL_MESSAGE(strata::tests::forget_socket)

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using actors::runtime::ask_and_wait;
using actors::runtime::pool_id;
using actors::runtime::reply;

/// Opened once by the test; handlers wait at it.
struct gate {
  std::mutex mutex;
  std::condition_variable moved;
  bool open = false;
  int waiting = 0;
  void pass() {
    std::unique_lock lock(mutex);
    ++waiting;
    moved.notify_all();
    moved.wait(lock, [&] { return open; });
  }
  void open_it() {
    const std::lock_guard lock(mutex);
    open = true;
    moved.notify_all();
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex);
    moved.wait(lock, [&] { return waiting >= count; });
  }
};

template <pool_id Pool>
class locator final : public actors::runtime::actor_base<locator_actor> {
 public:
  static constexpr const char* kind = "test.locator";
  static constexpr pool_id pool = Pool;
  locator(const actors::runtime::actor_setup& setup, gate* at) : actor_base(setup), gate_(at) {}

 private:
  friend actor_base;
  core::result<here> on(const where_am_i&) {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return here{name.data()};
  }
  core::result<void> on(const wait_for_gate&) {
    gate_->pass();
    return {};
  }
  gate* gate_;
};

class watching final : public actors::runtime::actor_base<watching_actor> {
 public:
  static constexpr const char* kind = "test.watching";
  static constexpr pool_id pool = pool_id::page;
  explicit watching(const actors::runtime::actor_setup& setup) : actor_base(setup) {}

 private:
  friend actor_base;
  core::result<void> on(const watch_socket& request) {
    STRATA_ASSIGN(token_, env().sockets().watch(request.fd, {.read = true}, self()));
    return {};
  }
  void on(const next_event&, reply<event_seen> owed) {
    owed_ = owed;
    answer();
  }
  core::result<void> on(const forget_socket&) {
    env().sockets().forget(token_);
    return {};
  }
  void on(const actors::runtime::socket_ready& event) {
    if (event.token != token_) return;
    seen_.push_back({event.events.read, event.events.write});
    if (event.events.read) env().sockets().rearm(token_, {.write = true});
    answer();
  }
  void answer() {
    if (seen_.empty() || !owed_.open()) return;
    owed_.deliver(seen_.front());
    seen_.pop_front();
  }
  actors::runtime::watch_token token_;
  reply<event_seen> owed_;
  std::deque<event_seen> seen_;
};

struct fixture {
  gate held;
  actors::runtime::process_system process{{.pools = {.page = 1, .wal = 1, .background = 2, .management = 1, .io = 1}}};
  template <pool_id Pool>
  locator_actor spawn_on() {
    return actors::runtime::spawn<locator<Pool>>(process.actors(), {"here", 0}, &held);
  }
  ~fixture() { held.open_it(); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_runtime_system, fixture)

BOOST_AUTO_TEST_CASE(an_actor_runs_on_the_threads_of_its_pool) {
  const auto page = spawn_on<pool_id::page>();
  const auto io = spawn_on<pool_id::io>();
  BOOST_TEST(ask_and_wait(process.actors(), page, where_am_i{}, 10s).value().thread == "page-0");
  BOOST_TEST(ask_and_wait(process.actors(), io, where_am_i{}, 10s).value().thread == "io-0");
}

BOOST_AUTO_TEST_CASE(a_blocked_pool_does_not_hold_up_another) {
  std::vector<locator_actor> blockers;
  for (int i = 0; i < 3; ++i) {
    blockers.push_back(spawn_on<pool_id::background>());
    caf::anon_send(caf::actor_cast<caf::actor>(blockers.back()), wait_for_gate{});
  }
  held.wait_for(2);
  const auto page = spawn_on<pool_id::page>();
  for (int i = 0; i < 100; ++i) BOOST_TEST(ask_and_wait(process.actors(), page, where_am_i{}, 10s));
  const auto pools = process.env().pools().snapshot();
  BOOST_TEST(pools[2].name == "bg");
  BOOST_TEST(pools[2].threads == 2u);
  BOOST_TEST(pools[2].queued == 1u);
}

BOOST_AUTO_TEST_CASE(an_actor_that_is_asked_by_another_pool_stays_on_its_own) {
  // The sender's thread must not run the receiver.
  const auto page = spawn_on<pool_id::page>();
  const auto wal = spawn_on<pool_id::wal>();
  for (int i = 0; i < 50; ++i) {
    BOOST_TEST(ask_and_wait(process.actors(), wal, where_am_i{}, 10s).value().thread == "wal-0");
    BOOST_TEST(ask_and_wait(process.actors(), page, where_am_i{}, 10s).value().thread == "page-0");
  }
}

BOOST_AUTO_TEST_CASE(a_socket_tells_its_owner_when_it_can_be_read_and_written) {
  std::array<int, 2> pair{};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) == 0);
  const auto owner = actors::runtime::spawn<watching>(process.actors(), {"pair", 0});
  BOOST_TEST(ask_and_wait(process.actors(), owner, watch_socket{pair[0]}, 10s));
  caf::scoped_actor self(process.actors());
  auto pending = self->request(owner, caf::infinite, next_event{});
  BOOST_REQUIRE(::write(pair[1], "x", 1) == 1);
  pending.receive(
      [](const event_seen& seen) {
        BOOST_TEST(seen.read);
        BOOST_TEST(!seen.write);
      },
      [](caf::error&) { BOOST_TEST(false); });
  self->request(owner, caf::infinite, next_event{})
      .receive([](const event_seen& seen) { BOOST_TEST(seen.write); }, [](caf::error&) { BOOST_TEST(false); });
  BOOST_TEST(ask_and_wait(process.actors(), owner, forget_socket{}, 10s));
  ::close(pair[0]);
  ::close(pair[1]);
}

BOOST_AUTO_TEST_CASE(metrics_are_rendered_with_their_labels_after_the_collectors_ran) {
  auto& metrics = process.env().metrics();
  metrics.counter("strata_test_things_total", "Things.", {{"kind", "round"}}).add(3);
  auto level = metrics.gauge("strata_test_level_bytes", "Level.");
  const auto id = metrics.add_collector([level]() mutable { level.set(17); });
  const std::string text = metrics.render();
  BOOST_TEST(text.find("strata_test_things_total{kind=\"round\"} 3") != std::string::npos);
  BOOST_TEST(text.find("strata_test_level_bytes 17") != std::string::npos);
  metrics.remove_collector(id);
}

BOOST_AUTO_TEST_CASE(metrics_tell_of_pools_and_of_actors_by_kind) {
  auto first = spawn_on<pool_id::page>();
  auto second = spawn_on<pool_id::page>();
  std::string text = process.env().metrics().render();
  BOOST_TEST(text.find("strata_actors{kind=\"test.locator\"} 2") != std::string::npos);
  BOOST_TEST(text.find("strata_pool_threads{pool=\"bg\"} 2") != std::string::npos);
  caf::scoped_actor self(process.actors());
  for (const auto& actor : {first, second}) {
    self->monitor(actor);
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    self->receive([](const caf::down_msg&) {});
  }
  text = process.env().metrics().render();
  BOOST_TEST(text.find("strata_actors{kind=\"test.locator\"} 0") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
