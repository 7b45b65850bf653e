#include "actors/runtime/pools.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <mutex>

#include <caf/send.hpp>

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/outside.hpp"
#include "actors/runtime/socket_watcher.hpp"
#include "actors/runtime/system.hpp"
#include "core/blocking.hpp"
#include "io/disk.hpp"

namespace strata::tests {

using actors::runtime::pool_id;
using namespace std::chrono_literals;

struct again {};
struct pass_back {};
using busy_actor = messages::actor_interface<messages::accepts<again>>;
using echo_actor = messages::actor_interface<messages::answers<pass_back, messages::done>>;

}  // namespace strata::tests

STRATA_LOCAL_MESSAGE(strata::tests::again)
STRATA_LOCAL_MESSAGE(strata::tests::pass_back)

namespace strata::tests {
namespace {

/// Counts to a number; somebody waits for it.
class goal {
 public:
  explicit goal(std::uint64_t wanted) : left_(wanted) {}
  void step() {
    const std::lock_guard lock(mutex_);
    if (left_ > 0 && --left_ == 0) reached_.notify_all();
  }
  [[nodiscard]] bool is_reached_within(std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    return reached_.wait_for(lock, limit, [&] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable reached_;
  std::uint64_t left_;
};

/// Always has the next message in its mailbox.
class busy final : public actors::runtime::actor_base<busy_actor> {
 public:
  static constexpr const char* kind = "test.busy";
  static constexpr pool_id pool = pool_id::wal;
  explicit busy(const actors::runtime::actor_setup& setup) : actor_base(setup) {}
  void on_start() { tell(self(), again{}); }

 private:
  friend actor_base;
  void on(const again&) { tell(self(), again{}); }
};

template <pool_id Pool>
class echo final : public actors::runtime::actor_base<echo_actor> {
 public:
  static constexpr const char* kind = "test.echo";
  static constexpr pool_id pool = Pool;
  explicit echo(const actors::runtime::actor_setup& setup) : actor_base(setup) {}

 private:
  friend actor_base;
  core::result<void> on(const pass_back&) { return {}; }
};

/// Opens a file in its handler.
template <pool_id Pool>
class reader final : public actors::runtime::actor_base<echo_actor> {
 public:
  static constexpr const char* kind = "test.reader";
  static constexpr pool_id pool = Pool;
  explicit reader(const actors::runtime::actor_setup& setup) : actor_base(setup) {}

 private:
  friend actor_base;
  core::result<void> on(const pass_back&) {
    STRATA_TRY(io::real_disk().open_for_reading("/dev/null"));
    return {};
  }
};

/// The calls that may block, on a thread that must not, while one such actor answers one request.
template <pool_id Pool>
std::uint64_t calls_caught() {
  core::end_process_on_blocking(false);
  const std::uint64_t before = core::blocking_calls();
  {
    actors::runtime::process_system process;
    const auto actor =
        actors::runtime::spawn<reader<Pool>>(process.actors(), actors::runtime::actor_label{"reader", 0});
    BOOST_TEST(actors::runtime::ask_and_wait(process.actors(), actor, pass_back{}, 30s).has_value());
  }
  core::end_process_on_blocking(true);
  return core::blocking_calls() - before;
}

struct relay_options {
  int from = -1;
  int to = -1;
  goal* hops = nullptr;
  std::array<echo_actor, 3> ways;
};

/// Takes tokens from one socket and puts them into the next, by way of other actors or not.
template <pool_id Pool>
class relay final : public actors::runtime::actor_base<actors::runtime::socket_owner> {
 public:
  static constexpr const char* kind = "test.relay";
  static constexpr pool_id pool = Pool;
  relay(const actors::runtime::actor_setup& setup, relay_options options)
      : actor_base(setup), options_(std::move(options)) {}
  ~relay() { env().sockets().forget(token_); }
  void on_start() { token_ = env().sockets().watch(options_.from, {.read = true}, self()).value(); }

 private:
  friend actor_base;
  void on(const actors::runtime::socket_ready&) {
    std::array<char, 16> tokens{};
    const ssize_t got = ::recv(options_.from, tokens.data(), tokens.size(), MSG_DONTWAIT);
    for (ssize_t i = 0; i < got; ++i) {
      options_.hops->step();
      const std::size_t way = turn_++ % (options_.ways.size() + 1);
      if (way == options_.ways.size())
        pass_on();
      else
        ask(options_.ways[way], pass_back{}, [this](const core::result<void>&) { pass_on(); });
    }
    env().sockets().rearm(token_, {.read = true});
  }
  void pass_on() { [[maybe_unused]] const auto sent = ::send(options_.to, "x", 1, MSG_NOSIGNAL); }

  relay_options options_;
  actors::runtime::watch_token token_;
  std::size_t turn_ = 0;
};

struct socket_pair {
  std::array<int, 2> ends{};
  socket_pair() { BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0); }
  ~socket_pair() {
    for (const int end : ends) ::close(end);
  }
  socket_pair(const socket_pair&) = delete;
  socket_pair& operator=(const socket_pair&) = delete;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_runtime_pools)

BOOST_AUTO_TEST_CASE(a_pool_that_always_has_work_sees_its_sockets) {
  const socket_pair in, out;
  goal hops(1);
  actors::runtime::process_system process{{.pools = {.page = 1, .wal = 1, .background = 1, .management = 1, .io = 1}}};
  std::vector<busy_actor> workers;
  for (int i = 0; i < 3; ++i)
    workers.push_back(actors::runtime::spawn<busy>(process.actors(), actors::runtime::actor_label{"busy", 0}));
  const auto echoes = actors::runtime::spawn<echo<pool_id::wal>>(process.actors(), actors::runtime::actor_label{"", 0});
  const auto owner = actors::runtime::spawn<relay<pool_id::wal>>(
      process.actors(), actors::runtime::actor_label{"", 0},
      relay_options{in.ends[0], out.ends[0], &hops, {echoes, echoes, echoes}});
  BOOST_REQUIRE(::write(in.ends[1], "x", 1) == 1);
  BOOST_TEST(hops.is_reached_within(30s));
}

BOOST_AUTO_TEST_CASE(an_actor_that_opens_a_file_where_nothing_may_block_is_caught) {
  BOOST_TEST(calls_caught<pool_id::wal>() == 1u);
  BOOST_TEST(calls_caught<pool_id::page>() == 1u);
  BOOST_TEST(calls_caught<pool_id::management>() == 1u);
}

BOOST_AUTO_TEST_CASE(an_actor_of_a_pool_that_may_block_opens_files) {
  BOOST_TEST(calls_caught<pool_id::io>() == 0u);
  BOOST_TEST(calls_caught<pool_id::background>() == 0u);
}

/// A wake-up that went missing would leave a token where it is.
BOOST_AUTO_TEST_CASE(nothing_waits_for_a_worker_that_sleeps) {
  constexpr std::size_t relays = 6;
  for (const std::uint32_t threads : {1u, 2u, 4u}) {
    const std::array<socket_pair, relays> ring;
    goal hops(20'000);
    actors::runtime::process_system process{
        {.pools = {.page = threads, .wal = threads, .background = 1, .management = 1, .io = threads}}};
    auto& system = process.actors();
    const actors::runtime::actor_label label{"", 0};
    const std::array<echo_actor, 3> ways{actors::runtime::spawn<echo<pool_id::wal>>(system, label),
                                         actors::runtime::spawn<echo<pool_id::io>>(system, label),
                                         actors::runtime::spawn<echo<pool_id::page>>(system, label)};
    std::vector<actors::runtime::socket_owner> members;
    for (std::size_t i = 0; i < relays; ++i) {
      relay_options options{ring[i].ends[0], ring[(i + 1) % relays].ends[1], &hops, ways};
      if (i % 2 == 0)
        members.push_back(actors::runtime::spawn<relay<pool_id::wal>>(system, label, std::move(options)));
      else
        members.push_back(actors::runtime::spawn<relay<pool_id::page>>(system, label, std::move(options)));
    }
    for (std::size_t token = 0; token < 3; ++token) BOOST_REQUIRE(::write(ring[token].ends[1], "x", 1) == 1);
    BOOST_TEST(hops.is_reached_within(60s), "with " << threads << " threads");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
