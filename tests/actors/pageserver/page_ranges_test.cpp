#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <thread>

#include "actors/pageserver/pages/page_batch.hpp"
#include "actors/pageserver/pages/page_service.hpp"
#include "actors/runtime/outside.hpp"
#include "actors/runtime/system.hpp"
#include "page_files/page_client.hpp"
#include "pg/wire/pagestream.hpp"
#include "storage/key_space.hpp"
#include "storage/write_batch.hpp"
#include "tests/support/pagestream_client.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/timeline_home.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors;
namespace wire = pg::wire;

constexpr std::uint32_t blocks = 300;
constexpr pg::relation_fork table{pg::default_tablespace, 5, 16384, pg::fork::main};
constexpr pg::relation_fork other{pg::default_tablespace, 5, 16999, pg::fork::main};
const std::string tenant(32, 'a');
const std::string timeline(32, 'b');

core::bytes page_of(std::uint32_t block, std::uint32_t version) {
  core::bytes page(pg::page_size);
  for (std::size_t i = 0; i < page.size(); ++i)
    page[i] = static_cast<std::uint8_t>(block * 31 + version * 101 + i / 16);
  return page;
}

core::bytes size_value(std::uint32_t size) {
  core::bytes value;
  core::append_le(value, size);
  return value;
}

/// A relation whose pages have versions in the import's layer, in a layer that was flushed and in memory.
struct layered_relation : timeline_home {
  layered_relation() {
    demand(store->import_value(storage::relation_catalog_key(table), imported, size_value(blocks - 40)));
    for (std::uint32_t block = 0; block < blocks - 40; ++block)
      demand(store->import_value(storage::relation_page_key(table, block), imported, page_of(block, 0)));
    demand(store->finish_import(imported, imported));
    write(flushed, 3);
    store->freeze();
    if (const auto done = store->flush_oldest(); !done) throw std::runtime_error(core::to_string(done.error()));
    storage::write_batch larger;
    for (std::uint32_t block = blocks - 40; block < blocks; ++block)
      larger.put_image(storage::relation_page_key(table, block), extended, page_of(block, 0));
    larger.put_image(storage::relation_catalog_key(table), extended, size_value(blocks));
    larger.finish_record(extended - 8, extended);
    store->append(std::move(larger));
    write(newest, 7);
  }
  /// A new version of every page with this distance.
  void write(core::lsn at, std::uint32_t distance) const {
    storage::write_batch batch;
    for (std::uint32_t block = 0; block < blocks - 40; block += distance)
      batch.put_image(storage::relation_page_key(table, block), at, page_of(block, distance));
    batch.finish_record(at - 8, at);
    store->append(std::move(batch));
  }
  static void demand(const core::result<void>& outcome) {
    if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
  }

  static constexpr core::lsn imported{0x1000};
  static constexpr core::lsn flushed{0x2000};
  static constexpr core::lsn extended{0x3000};
  static constexpr core::lsn newest{0x4000};
};

messages::tenant_manager_actor spawn_tenants(caf::actor_system& system, const layered_relation& home) {
  // WAL that is waited for comes at once.
  const caf::actor arrival = system.spawn([&home](caf::event_based_actor*) -> caf::behavior {
    return {[&home](const messages::wait_lsn& awaited) {
      home.write(awaited.at, 1);
      return messages::lsn_reached{awaited.at};
    }};
  });
  const caf::actor made = system.spawn([&home, arrival](caf::event_based_actor*) -> caf::behavior {
    return {[&home, arrival](const messages::open_timeline&) {
      return messages::timeline_opened{
          home.store, caf::actor_cast<messages::timeline_actor>(caf::actor_cast<caf::strong_actor_ptr>(arrival))};
    }};
  });
  return caf::actor_cast<messages::tenant_manager_actor>(caf::actor_cast<caf::strong_actor_ptr>(made));
}

struct range_port {
  range_port() { start(); }
  ~range_port() {
    stop();
    runtime::stop_and_wait(process.actors(), tenants);
  }
  void start() {
    auto listener = *io::listen_tcp("127.0.0.1", 0);
    port = listener.port;
    service = pageserver::spawn_page_service(
        process.actors(), {.label = {"", 0}, .listener = std::move(listener), .tenants = tenants, .backups = {}});
  }
  void stop() { runtime::stop_and_wait(process.actors(), service); }
  [[nodiscard]] pagestream_client stream(int version = 4) const { return {port, tenant, timeline, version}; }
  [[nodiscard]] double metric(const std::string& name) {
    const std::string all = process.env().metrics().render();
    const auto at = all.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::stod(all.substr(at + name.size() + 2));
  }

  layered_relation home;  // outlives the actors, which hold its store
  runtime::process_system process;
  messages::tenant_manager_actor tenants = spawn_tenants(process.actors(), home);
  net::tcp_service_actor service;
  std::uint16_t port = 0;
};

core::bytes one_by_one(pagestream_client& from, std::uint32_t first, std::uint32_t count, core::lsn at) {
  core::bytes all;
  for (const auto& reply : from.pages(table, first, count, at)) {
    BOOST_TEST_REQUIRE(reply.page.has_value(), reply.error);
    all.insert(all.end(), reply.page->begin(), reply.page->end());
  }
  return all;
}

template <class Function>
std::string refusal(const Function& function) {
  try {
    function();
  } catch (const pagestream_error& e) {
    return e.what();
  }
  return "no error";
}

BOOST_AUTO_TEST_SUITE(actors_pageserver_page_ranges)

BOOST_AUTO_TEST_CASE(a_range_is_its_pages_one_by_one_whatever_layers_they_are_in) {
  const range_port at;
  auto ranges = at.stream();
  auto singles = at.stream(3);
  for (const core::lsn lsn : {layered_relation::imported, layered_relation::flushed, layered_relation::newest})
    for (const auto& [first, count] : std::map<std::uint32_t, std::uint32_t>{{0, 1},
                                                                             {1, 2},
                                                                             {5, 8},
                                                                             {6, 9},
                                                                             {40, 31},
                                                                             {41, 32},
                                                                             {42, 33},
                                                                             {99, 127},
                                                                             {100, 128},
                                                                             {blocks - 40 - 128, 128},
                                                                             {blocks - 41, 1}})
      BOOST_TEST((ranges.range(table, first, count, lsn) == one_by_one(singles, first, count, lsn)),
                 first << " " << count << " at " << core::to_string(lsn));
  BOOST_TEST((ranges.range(table, blocks - 128, 128, core::lsn::max()) ==
              one_by_one(singles, blocks - 128, 128, core::lsn::max())));
  // Not all the same.
  BOOST_TEST(
      (ranges.range(table, 0, 8, layered_relation::imported) != ranges.range(table, 0, 8, layered_relation::newest)));
}

BOOST_AUTO_TEST_CASE(a_range_that_does_not_exist_as_a_whole_is_an_error_with_the_size) {
  const range_port at;
  auto stream = at.stream();
  const auto asked = [&](const pg::relation_fork& of, std::uint32_t first, std::uint32_t count, core::lsn lsn) {
    return refusal([&] { stream.range(of, first, count, lsn); });
  };
  const auto says = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  const core::lsn newest = layered_relation::newest;
  for (const auto& [first, count] :
       {std::pair(blocks - 1, 2u), {blocks, 1u}, {blocks + 1000, 128u}, {blocks - 127, 128u}}) {
    const std::string text = asked(table, first, count, newest);
    BOOST_TEST(says(text, "the relation has 300 blocks"), text);
    BOOST_TEST(says(text, "22003"), text);
  }
  BOOST_TEST(says(asked(table, blocks - 40, 1, layered_relation::imported), "the relation has 260 blocks"));
  BOOST_TEST(says(asked({table.tablespace, table.database, table.relation, pg::fork::vm}, 0, 1, newest),
                  "the relation has 0 blocks"));
  BOOST_TEST(says(asked(other, 0, 1, newest), "no such relation"));
  BOOST_TEST(says(asked(other, 0, 1, newest), "42704"));
  BOOST_TEST(says(asked(table, 0, 0, newest), "must be 1 to 128"));
  BOOST_TEST(says(asked(table, 0, 129, newest), "must be 1 to 128"));
  BOOST_TEST(says(asked(table, 0xFFFFFFF0, 128, newest), "no such block"));
  BOOST_TEST(says(asked(table, 0, 1, core::lsn(0x10)), "cannot be read"));
  // The connection has gone on, and the last range is whole.
  BOOST_TEST(stream.range(table, blocks - 128, 128, newest).size() == 128 * pg::page_size);
}

BOOST_AUTO_TEST_CASE(older_versions_do_not_have_ranges) {
  const range_port at;
  for (const int version : {2, 3}) {
    auto stream = at.stream(version);
    const std::string text = refusal([&] { stream.range(table, 0, 1, layered_relation::newest); });
    BOOST_TEST(text.find("unknown request type 5") != std::string::npos, text);
    BOOST_TEST(stream.size(table, layered_relation::newest) == blocks);
  }
}

/// A connection that sends many requests before it reads.
struct pipelined_stream {
  explicit pipelined_stream(std::uint16_t port) : connection(port) {
    connection.send(startup_message());
    connection.send(query_message("pagestream_v4 " + tenant + " " + timeline));
    while (next_frame().first != 'W') continue;
  }
  [[nodiscard]] std::pair<char, core::bytes> next_frame() const {
    std::uint8_t header[5];
    BOOST_TEST_REQUIRE(connection.receive(header, sizeof header));
    core::bytes body(core::load_be<std::uint32_t>(header + 1) - 4);
    BOOST_TEST_REQUIRE(connection.receive(body.data(), body.size()));
    return {static_cast<char>(header[0]), std::move(body)};
  }
  void ask(wire::request_kind kind, std::uint32_t block = 0, std::uint32_t count = 0) {
    const wire::pagestream_request request{.kind = kind,
                                           .id = ++last_id,
                                           .request_lsn = layered_relation::newest,
                                           .not_modified_since = layered_relation::imported,
                                           .relation = table,
                                           .block = block,
                                           .count = count};
    wire::append_request(output, wire::pagestream_version::v4, request);
    asked.push_back(request);
  }
  void flush() { connection.send(std::exchange(output, {})); }

  raw_connection connection;
  core::bytes output;
  std::uint64_t last_id = 0;
  std::vector<wire::pagestream_request> asked;
};

BOOST_AUTO_TEST_CASE(responses_keep_the_order_of_pages_ranges_and_others) {
  const range_port at;
  auto singles = at.stream(3);
  pipelined_stream stream(at.port);
  using enum wire::request_kind;
  for (std::uint32_t round = 0; round < 40; ++round) {
    stream.ask(page, round);
    stream.ask(page, round + 1);
    stream.ask(range, round, 1 + round % 40);
    stream.ask(range, round * 2, 30);
    stream.ask(exists);
    stream.ask(range, round, round % 3 == 0 ? 129 : 128);
    stream.ask(page, round + 7);
    stream.ask(size);
    stream.ask(range, blocks - 5, 9);
    stream.ask(range, round + 3, 5);
    stream.ask(page, round + 9);
  }
  std::thread sender([&] { stream.flush(); });
  const core::bytes all = one_by_one(singles, 0, 200, layered_relation::newest);
  std::size_t wrong = 0;
  for (const auto& request : stream.asked) {
    const auto [tag, body] = stream.next_frame();
    bool right = tag == 'd' && body.size() > 9 && core::load_be<std::uint64_t>(body.data() + 1) == request.id;
    switch (request.kind) {
      case page:
      case range: {
        const bool refused = request.kind == range && (request.count > 128 || request.block + request.count > blocks);
        right = right && body[0] == (refused ? 103 : request.kind == range ? 106 : 102);
        const std::size_t size = wire::pages_of(request) * pg::page_size;
        if (right && !refused)
          right = body.size() > size &&
                  std::equal(body.end() - static_cast<std::ptrdiff_t>(size), body.end(),
                             all.begin() + static_cast<std::ptrdiff_t>(request.block * pg::page_size));
        if (right && !refused && request.kind == range) right = wire::parse_range_response(body, request).has_value();
        break;
      }
      default: right = right && body[0] == (request.kind == exists ? 100 : 101);
    }
    wrong += right ? 0 : 1;
  }
  sender.join();
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_CASE(a_range_waits_for_its_lsn_and_counts_as_its_pages) {
  range_port at;
  auto stream = at.stream();
  const core::lsn later = layered_relation::newest + 0x1000;
  const double before = at.metric("strata_pages_served_total");
  const core::bytes pages = stream.range(table, 10, 100, later);
  BOOST_TEST(at.home.store->last_record_lsn() == later);
  BOOST_TEST((pages == one_by_one(stream, 10, 100, later)));
  BOOST_TEST(at.metric("strata_pages_served_total") == before + 200);
}

BOOST_AUTO_TEST_CASE(a_batch_has_32_pages_or_one_range) {
  const auto request = [](std::uint32_t count) {
    return wire::pagestream_request{.kind = count == 0 ? wire::request_kind::page : wire::request_kind::range,
                                    .count = count};
  };
  pageserver::page_batch batch(nullptr, wire::pagestream_version::v4);
  BOOST_TEST(batch.has_room_for(request(128)));
  batch.add(request(20));
  BOOST_TEST(batch.has_room_for(request(12)));
  BOOST_TEST(!batch.has_room_for(request(13)));
  BOOST_TEST(!batch.full());
  batch.add(request(11));
  BOOST_TEST(!batch.full());
  batch.add(request(0));
  BOOST_TEST(batch.full());
  BOOST_TEST(batch.pages() == 32u);
  pageserver::page_batch large(nullptr, wire::pagestream_version::v4);
  large.add(request(128));
  BOOST_TEST(large.full());
  BOOST_TEST(!large.has_room_for(request(0)));
}

/// Runs the loop of a client's owner.
template <class Condition>
bool run_until(page_files::page_client& client, const Condition& holds) {
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    pollfd ready{client.poll_fd(), POLLIN, 0};
    ::poll(&ready, 1, 5);
    client.on_ready();
    client.on_time(core::system_clock().monotonic());
  }
  return true;
}

BOOST_AUTO_TEST_CASE(the_page_client_reads_a_relation_while_the_service_moves_to_another_port) {
  range_port at;
  const core::bytes all = [&] {
    auto singles = at.stream(3);
    return one_by_one(singles, 0, blocks, layered_relation::newest);
  }();
  auto client = *page_files::page_client::create({.tenant = *core::parse_id<core::tenant_id>(tenant),
                                                  .timeline = *core::parse_id<core::timeline_id>(timeline),
                                                  .at = layered_relation::newest,
                                                  .locate = [&] {
                                                    return core::address{"127.0.0.1", at.port};
                                                  }});
  std::size_t answered = 0;
  std::size_t wrong = 0;
  const auto fetch = [&](std::uint32_t first, std::uint32_t count) {
    client->fetch({table, first, count}, [&, first, count](core::result<core::bytes_view> pages) {
      ++answered;
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * pg::page_size);
      if (!pages ||
          !std::equal(pages->begin(), pages->end(), begin, begin + static_cast<std::ptrdiff_t>(count * pg::page_size)))
        ++wrong;
    });
  };
  std::size_t asked = 0;
  for (int round = 0; round < 6; ++round) {
    for (std::uint32_t count : {1u, 2u, 8u, 9u, 100u, 128u})
      for (std::uint32_t first = 0; first + count <= blocks; first += count, ++asked) fetch(first, count);
    // Everything is under way when the service ends.
    BOOST_TEST(run_until(*client, [&] { return answered > asked / 2; }));
    const auto old_port = at.port;
    at.stop();
    at.start();
    BOOST_TEST(old_port != at.port);
    BOOST_TEST(run_until(*client, [&] { return answered == asked; }));
  }
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(!client->state());

  std::optional<core::error> refused;
  client->fetch({table, blocks - 1, 2}, [&](core::result<core::bytes_view> pages) { refused = pages.error(); });
  BOOST_TEST(run_until(*client, [&] { return refused.has_value(); }));
  BOOST_TEST((refused->code == core::errc::out_of_range));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
