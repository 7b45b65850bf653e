#include "actors/pageserver/pages/page_service.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "actors/pageserver/pages/page_connection.hpp"
#include "actors/runtime/outside.hpp"
#include "actors/runtime/system.hpp"
#include "tests/support/pagestream_client.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/timeline_home.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors;

/// An archive of these many chunks of 1 MiB.
messages::backup_factory_actor spawn_archives(caf::actor_system& system, int chunks) {
  return system.spawn(
      [chunks](messages::backup_factory_actor::pointer self) -> messages::backup_factory_actor::behavior_type {
        return {[self, chunks](const messages::start_backup& asked) {
          const auto archive =
              self->spawn([left = std::make_shared<int>(chunks)]() -> messages::basebackup_actor::behavior_type {
                return {[left](const messages::next_chunk&) {
                  return messages::backup_chunk{std::make_shared<const core::bytes>((*left)-- > 0 ? 1u << 20 : 0u)};
                }};
              });
          return messages::backup_started{archive, asked.at};
        }};
      });
}

const std::string backup_command = "fullbackup " + std::string(32, 'a') + " " + std::string(32, 'b');

core::bytes message(char tag, const std::string& body) {
  core::bytes made{static_cast<std::uint8_t>(tag)};
  core::append_be(made, static_cast<std::uint32_t>(body.size() + 4));
  made.insert(made.end(), body.begin(), body.end());
  return made;
}
std::string with_nul(std::string text) { return text + '\0'; }
core::bytes parse(const std::string& query) {
  return message('P', with_nul("") + with_nul(query) + std::string(2, '\0'));
}
core::bytes bind() { return message('B', std::string(8, '\0')); }
core::bytes describe(char kind) { return message('D', kind + with_nul("")); }
core::bytes execute() { return message('E', std::string(5, '\0')); }
core::bytes sync() { return message('S', ""); }

/// Opens every timeline, as this store.
messages::tenant_manager_actor spawn_tenants(caf::actor_system& system,
                                             const std::shared_ptr<storage::timeline_store>& store) {
  const caf::actor made = system.spawn([store](caf::event_based_actor*) -> caf::behavior {
    return {[store](const messages::open_timeline&) { return messages::timeline_opened{store, {}}; }};
  });
  return caf::actor_cast<messages::tenant_manager_actor>(caf::actor_cast<caf::strong_actor_ptr>(made));
}

const std::string stream_command = "pagestream_v3 " + std::string(32, 'a') + " " + std::string(32, 'b');

/// "Does this relation exist?", of a stream of version 3; no WAL has to be waited for.
core::bytes exists_request() {
  core::bytes body{0};
  for (const std::uint64_t number : {1, 0x10, 0x10})
    core::append_be(body, number);  // its number, LSN, not changed since
  for (const std::uint32_t number : {1663, 5, 16384}) core::append_be(body, number);
  body.push_back(0);
  return message('d', {body.begin(), body.end()});
}

struct reply_reader {
  /// Tags of the messages up to and with ReadyForQuery, or until the connection ends; archives count as one 'd'.
  static std::string tags(const raw_connection& from) {
    std::string seen;
    for (;;) {
      std::uint8_t header[5];
      if (!from.receive(header, sizeof header)) return seen;
      core::bytes body(core::load_be<std::uint32_t>(header + 1) - 4);
      if (!from.receive(body.data(), body.size())) return seen;
      if (header[0] != 'd' || !seen.ends_with('d')) seen += static_cast<char>(header[0]);
      if (header[0] == 'Z') return seen;
    }
  }
};

struct page_port {
  explicit page_port(std::uint32_t connections_max = 8, int chunks = 3) {
    auto listener = *io::listen_tcp("127.0.0.1", 0);
    port = listener.port;
    archives = spawn_archives(process.actors(), chunks);
    tenants = spawn_tenants(process.actors(), home.store);
    service = pageserver::spawn_page_service(process.actors(), {.label = {"", 0},
                                                                .listener = std::move(listener),
                                                                .connections_max = connections_max,
                                                                .tenants = tenants,
                                                                .backups = archives});
  }
  ~page_port() {
    runtime::stop_and_wait(process.actors(), service);
    runtime::stop_and_wait(process.actors(), archives);
    runtime::stop_and_wait(process.actors(), tenants);
  }
  /// Starts up and opens a stream of pages.
  [[nodiscard]] std::unique_ptr<raw_connection> open_stream() const {
    auto client = std::make_unique<raw_connection>(port);
    BOOST_TEST(start(*client) == "RSSSSZ");
    client->send(query_message(stream_command));
    std::uint8_t opened[8];
    BOOST_TEST_REQUIRE(client->receive(opened, sizeof opened));
    BOOST_TEST(opened[0] == 'W');
    return client;
  }
  /// Tags of the answer to the start-up packet.
  static std::string start(const raw_connection& client) {
    client.send(startup_message());
    return reply_reader::tags(client);
  }
  [[nodiscard]] std::string ask(const core::bytes& messages) const {
    const raw_connection client(port);
    start(client);
    client.send(messages);
    return reply_reader::tags(client);
  }

  timeline_home home;  // outlives the actors, which hold its store
  runtime::process_system process;
  messages::backup_factory_actor archives;
  messages::tenant_manager_actor tenants;
  net::tcp_service_actor service;
  std::uint16_t port = 0;
};

core::bytes all_of(const std::vector<core::bytes>& parts) {
  core::bytes all;
  for (const auto& part : parts) core::append(all, part);
  return all;
}

/// A connection on one end of a pair of sockets.
struct lone_connection {
  explicit lone_connection(pageserver::page_connection_options options, int chunks = 3) {
    int ends[2];
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
    client = io::unique_fd(ends[0]);
    const timeval limit{20, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    archives = spawn_archives(process.actors(), chunks);
    options.label = {"", 0};
    options.socket = io::unique_fd(ends[1]);
    options.seat = seat;
    options.backups = archives;
    pageserver::spawn_page_connection(process.actors(), std::move(options));
  }
  ~lone_connection() { runtime::stop_and_wait(process.actors(), archives); }
  void send(const core::bytes& bytes) const {
    BOOST_TEST_REQUIRE(std::cmp_equal(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size()));
  }
  /// Bytes until the end, `pause` before each MiB. nullopt: no end came.
  [[nodiscard]] std::optional<std::size_t> read_to_end(std::chrono::milliseconds pause = 0ms) const {
    std::size_t count = 0;
    core::bytes buffer(1u << 20);
    for (;;) {
      const ssize_t got = ::recv(client.get(), buffer.data(), buffer.size(), 0);
      if (got == 0) return count;
      if (got < 0) return std::nullopt;
      count += static_cast<std::size_t>(got);
      // The slow client.
      if (got > 0 && pause > 0ms) std::this_thread::sleep_for(pause);
    }
  }

  runtime::process_system process;
  std::shared_ptr<net::connection_seat> seat = std::make_shared<net::connection_seat>(core::system_clock().monotonic());
  messages::backup_factory_actor archives;
  io::unique_fd client;
};

BOOST_AUTO_TEST_SUITE(actors_pageserver_page_service)

BOOST_AUTO_TEST_CASE(clients_that_are_silent_trickle_or_have_nothing_under_way_make_room) {
  const core::bytes startup = startup_message();
  for (const std::size_t begun : {std::size_t{0}, std::size_t{1}, startup.size() - 1, startup.size()}) {
    const page_port at(8);
    std::vector<std::unique_ptr<raw_connection>> crowd;
    for (int i = 0; i < 30; ++i) {
      crowd.push_back(std::make_unique<raw_connection>(at.port));
      crowd.back()->send(core::bytes_view(startup).first(begun));
      if (begun == startup.size()) BOOST_TEST(reply_reader::tags(*crowd.back()) == "RSSSSZ");
    }
    for (int i = 0; i < 3; ++i) {
      const raw_connection newcomer(at.port);
      BOOST_TEST(page_port::start(newcomer) == "RSSSSZ", begun);
    }
  }
}

/// Asks once, and reads the answer. False: the connection has been ended.
bool is_answered(const raw_connection& stream) {
  try {
    stream.send(exists_request());
    std::uint8_t header[5];
    if (!stream.receive(header, sizeof header)) return false;
    core::bytes body(core::load_be<std::uint32_t>(header + 1) - 4);
    return stream.receive(body.data(), body.size());
  } catch (const std::runtime_error&) {  // reset
    return false;
  }
}

BOOST_AUTO_TEST_CASE(streams_without_a_request_make_room_and_one_that_is_merely_quiet_is_the_last_to_go) {
  const page_port at(8);
  const auto used = at.open_stream();
  BOOST_TEST(is_answered(*used));
  std::vector<std::unique_ptr<raw_connection>> crowd;
  for (int i = 0; i < 30; ++i) crowd.push_back(at.open_stream());
  // Used once by now, all of them that are left: the one that was quiet for longest goes, and that is not the first.
  BOOST_TEST(is_answered(*used));
  std::vector<std::unique_ptr<raw_connection>> left;
  for (auto& each : crowd)
    if (is_answered(*each)) left.push_back(std::move(each));
  BOOST_TEST(left.size() == 7u);
  BOOST_TEST(is_answered(*used));
  const auto newcomer = at.open_stream();
  BOOST_TEST(is_answered(*newcomer));
  BOOST_TEST(is_answered(*used));
  BOOST_TEST(!is_answered(*left.front()));
}

BOOST_AUTO_TEST_CASE(clients_that_are_served_keep_their_place_and_one_too_many_is_told_why) {
  const page_port at(2, 100);
  std::vector<std::unique_ptr<raw_connection>> served;
  for (int i = 0; i < 2; ++i) {
    served.push_back(std::make_unique<raw_connection>(at.port));
    page_port::start(*served.back());
    served.back()->send(query_message(backup_command));
    std::uint8_t first = 0;
    BOOST_TEST(served.back()->receive(&first, 1));
    BOOST_TEST(first == 'H');
  }
  const raw_connection newcomer(at.port);
  const core::bytes said = newcomer.receive_all();
  const std::string text(said.begin(), said.end());
  BOOST_TEST(text.find("53300") != std::string::npos, text);
  BOOST_TEST(text.find("limited to 2") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_start_up_in_time_is_closed) {
  const core::bytes startup = startup_message();
  for (const std::size_t begun : {std::size_t{0}, std::size_t{4}, startup.size() - 1}) {
    const lone_connection one({.startup_limit = 50ms});
    one.send({startup.begin(), startup.begin() + static_cast<std::ptrdiff_t>(begun)});
    BOOST_TEST((one.read_to_end() == 0u), begun);
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_has_started_up_may_take_its_time) {
  const lone_connection one({.startup_limit = 20ms});
  one.send(startup_message());
  // The slow client: silent for longer than the limit, which no longer applies to it.
  std::this_thread::sleep_for(60ms);
  one.send(all_of({query_message("set x to 1"), message('X', "")}));
  BOOST_TEST(one.read_to_end().value_or(0) > 100u);
}

BOOST_AUTO_TEST_CASE(an_archive_that_is_not_taken_ends_its_connection_and_one_that_is_taken_slowly_does_not) {
  const auto backup = all_of({startup_message(), query_message(backup_command), message('X', "")});
  {
    const lone_connection stuck({.backup_progress_limit = 50ms}, 20);
    stuck.send(backup);
    for (int i = 0; i < 1000 && stuck.seat->use() != core::seat_use::busy; ++i) std::this_thread::sleep_for(1ms);
    BOOST_TEST(stuck.seat->use() == core::seat_use::busy);
    // Its actor goes, which closes the socket: seen without reading what is in the buffers.
    pollfd end{stuck.client.get(), POLLRDHUP, 0};
    BOOST_TEST(::poll(&end, 1, 20'000) == 1);
    BOOST_TEST(stuck.read_to_end().value_or(0) < 20u << 20);
  }
  const lone_connection slow({.backup_progress_limit = 200ms}, 4);
  slow.send(backup);
  BOOST_TEST(slow.read_to_end(2ms).value_or(0) > 4u << 20);
}

BOOST_AUTO_TEST_CASE(commands_may_come_as_unnamed_statements) {
  const page_port at;
  BOOST_TEST(at.ask(all_of({parse("set x to 1"), describe('S'), bind(), describe('P'), execute(), sync()})) ==
             "1tn2nCZ");
  BOOST_TEST(at.ask(all_of({parse(backup_command), bind(), describe('P'), execute(), sync()})) == "12nHdcCZ");
  BOOST_TEST(at.ask(all_of({parse("lease lsn " + std::string(32, 'a') + " " + std::string(32, 'b') + " 0/10"),
                            describe('S'), sync()})) == "1tTZ");
  // Executed once for each Bind, as often as one likes.
  BOOST_TEST(at.ask(all_of({parse("set a"), bind(), execute(), bind(), execute(), sync()})) == "12C2CZ");
}

BOOST_AUTO_TEST_CASE(an_error_is_told_once_and_the_rest_is_skipped_until_sync) {
  const page_port at;
  const raw_connection client(at.port);
  page_port::start(client);
  const auto says = [&](const std::vector<core::bytes>& messages, const std::string& answers) {
    client.send(all_of(messages));
    BOOST_TEST(reply_reader::tags(client) == answers);
  };
  says({parse("select 1"), describe('S'), bind(), execute(), sync()}, "EZ");
  says({bind(), execute(), sync()}, "EZ");
  says({parse("set x"), execute(), bind(), sync()}, "1EZ");
  says({message('P', with_nul("named") + with_nul("set x") + std::string(2, '\0')), sync()}, "EZ");
  says({message('P', "no end"), sync()}, "EZ");
  says({message('D', "X" + with_nul("")), sync()}, "EZ");
  says({message('C', "S" + with_nul("")), sync()}, "3Z");
  says({parse("select 1"), query_message("set x"), sync()}, "EZ");
  says({message('F', "1234")}, "EZ");
  says({query_message("set x")}, "CZ");
  says({sync()}, "Z");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
