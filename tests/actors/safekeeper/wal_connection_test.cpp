#include "actors/safekeeper/wal_connection.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>

#include "pg/wire/client_frames.hpp"
#include "tests/support/deterministic_system.hpp"
#include "tests/support/printing.hpp"

namespace strata::actors::safekeeper {
namespace {

using namespace std::chrono_literals;
namespace wire = pg::wire;

/// A client of the WAL service that names no timeline.
struct with_client : tests::deterministic_system {
  with_client() {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
    client = io::unique_fd(ends[1]);
    seat = std::make_shared<net::connection_seat>(clock.monotonic());
    spawn_wal_connection(system(), {.label = {"client", 0},
                                    .socket = io::unique_fd(ends[0]),
                                    .seat = seat,
                                    .timelines = {},
                                    .backup = nullptr,
                                    .identity = ""});
    run();
  }
  void say(core::bytes_view bytes) {
    BOOST_REQUIRE(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    look();
  }
  void look() {
    env().sockets().look(runtime::pool_id::wal, false);
    run();
  }
  /// Whether the server's end of the connection is open; what it has said is dropped.
  bool open() {
    for (core::bytes piece(4096);;) {
      const auto got = ::recv(client.get(), piece.data(), piece.size(), 0);
      if (got > 0) continue;
      return got < 0 && errno == EAGAIN;
    }
  }
  [[nodiscard]] std::size_t living() { return env().registry().snapshot().size(); }
  static core::bytes startup() {
    core::bytes made;
    wire::append_startup(made, {{"user", "strata"}});
    return made;
  }

  io::unique_fd client;
  std::shared_ptr<net::connection_seat> seat;
};

BOOST_FIXTURE_TEST_SUITE(actors_safekeeper_wal_connection, with_client)

BOOST_AUTO_TEST_CASE(a_silent_client_is_closed_after_ten_seconds) {
  advance(9'999ms);
  BOOST_TEST(open());
  BOOST_TEST((seat->use() == core::seat_use::fresh));
  advance(1ms);
  BOOST_TEST(!open());
  BOOST_TEST(living() == 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_says_a_byte_each_second_gets_no_more_time) {
  const core::bytes all = startup();
  BOOST_REQUIRE(all.size() > 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    BOOST_TEST(open());
    say(core::bytes_view(all).subspan(i, 1));
    advance(1s);
  }
  BOOST_TEST(!open());
  BOOST_TEST(living() == 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_only_asks_for_encryption_gets_no_more_time) {
  core::bytes request;
  core::append_be<std::uint32_t>(request, 8);
  core::append_be<std::uint32_t>(request, 80877103);
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(open());
    say(request);
    advance(1s);
  }
  BOOST_TEST(!open());
  BOOST_TEST(living() == 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_has_started_up_may_be_silent) {
  say(startup());
  advance(60s);
  BOOST_TEST(open());
  BOOST_TEST((seat->use() == core::seat_use::idle));
  client.reset();
  look();
  BOOST_TEST(living() == 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_during_its_startup_leaves_nothing) {
  say(core::bytes_view(startup()).first(9));
  BOOST_TEST(living() == 1u);
  client.reset();
  look();
  BOOST_TEST(living() == 0u);
  advance(10s);
}

BOOST_AUTO_TEST_CASE(garbage_leaves_nothing) {
  say(core::bytes(64, 0xFF));
  BOOST_TEST(!open());
  BOOST_TEST(living() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::safekeeper
