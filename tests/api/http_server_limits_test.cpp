#include <httplib.h>

#include <boost/test/unit_test.hpp>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "api/api_client.hpp"
#include "tests/api/served.hpp"
#include "tests/support/printing.hpp"

namespace strata::api {
namespace {

using nlohmann::json;
using tests::peers;
using tests::raw_client;
using tests::served;

BOOST_AUTO_TEST_SUITE(api_http_server_limits)

constexpr std::string_view half_a_head = "GET /v1/status HTTP/1.1\r\nHost:";

bool answers(const served& by, const std::string& path) {
  httplib::Client client("127.0.0.1", by.server->port());
  client.set_read_timeout(20);
  const auto got = client.Get(path);
  return got && got->status == 200;
}

std::vector<std::unique_ptr<raw_client>> crowd(const served& at, std::size_t count, const std::string& says) {
  std::vector<std::unique_ptr<raw_client>> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(std::make_unique<raw_client>(at.server->port()));
    if (!says.empty()) made.back()->send(says);
  }
  return made;
}

BOOST_AUTO_TEST_CASE(clients_that_trickle_a_head_or_are_silent_shut_out_nobody) {
  for (const std::string& says : {std::string(), std::string(half_a_head),
                                  std::string("PUT / HTTP/1.1\r\nContent-"
                                              "Length: 9\r\n\r\n")}) {
    const served by;
    // More than connections.
    const auto slow = crowd(by, 600, says);
    for (const char* path : {"/livez", "/v1/status", "/metrics", "/v1/tenant", "/readyz"})
      BOOST_TEST(answers(by, path), path << " after \"" << says << '"');
  }
}

BOOST_AUTO_TEST_CASE(a_head_that_does_not_come_is_answered_with_408) {
  http_options options;
  options.limits.head_limit = std::chrono::milliseconds(100);
  const served by(options);
  const raw_client slow(by.server->port());
  slow.send(std::string(half_a_head));
  BOOST_TEST(slow.first_line() == "HTTP/1.1 408 Request Timeout");
}

BOOST_AUTO_TEST_CASE(idle_clients_make_room) {
  http_options options;
  options.connections_max = 2;
  const served few(options);
  httplib::Client kept("127.0.0.1", few.server->port());
  kept.set_keep_alive(true);
  BOOST_TEST(kept.Get("/livez")->status == 200);
  for (int i = 0; i < 12; ++i) BOOST_TEST(answers(few, "/livez"));
}

std::string export_request(const served& of) {
  return "GET " + of.others.timeline_path() + "/export HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

BOOST_AUTO_TEST_CASE(exports_that_are_not_read_hold_up_neither_others_nor_requests) {
  http_options options;
  options.streams_max = 256;  // 64 of a tenant
  served by(options);
  by.others.state().archive.assign(16, core::bytes(1u << 20, 1));
  const auto slow = crowd(by, 40, export_request(by));
  for (const auto& each : slow) BOOST_TEST(each->first_line() == "HTTP/1.1 200 OK");
  for (const char* path : {"/livez", "/v1/status", "/v1/tenant"}) BOOST_TEST(answers(by, path), path);
  std::size_t got = 0;
  const auto done =
      api_client(by.address()).download(by.others.timeline_path() + "/export", {}, [&](core::bytes_view part) {
        got += part.size();
        return core::result<void>();
      });
  BOOST_TEST_REQUIRE(done.has_value(), (done.has_value() ? "" : done.error().detail));
  BOOST_TEST(got == 16u << 20);
  // What nobody took was not made: a part or two in memory, and what the kernel holds.
  BOOST_TEST(by.others.state().parts_asked < 41u * 16u);
}

BOOST_AUTO_TEST_CASE(one_export_too_many_is_told_when_to_come_again) {
  http_options options;
  options.streams_max = 12;  // 3 of a tenant
  served by(options);
  by.others.state().archive.assign(16, core::bytes(1u << 20, 1));
  {
    const auto slow = crowd(by, 3, export_request(by));
    for (const auto& each : slow) BOOST_TEST(each->first_line() == "HTTP/1.1 200 OK");
    const auto refused = by.send("GET", by.others.timeline_path() + "/export");
    BOOST_TEST(refused->status == 503);
    BOOST_TEST(refused->get_header_value("Retry-After") == "1");
    BOOST_TEST(json::parse(refused->body)["error"]["code"] == "busy");
  }
  // Their clients have gone: there is room again.
  int status = 503;
  for (int i = 0; i < 200 && status == 503; ++i) status = by.send("GET", by.others.timeline_path() + "/export")->status;
  BOOST_TEST(status == 200);
}

BOOST_AUTO_TEST_CASE(changes_that_hang_hold_up_no_reads) {
  http_options options;
  options.lanes[static_cast<std::size_t>(lane::changes)] = {1, 1};
  peers others;
  api::services of = others.services();
  std::promise<void> opened;
  const auto gate = opened.get_future().share();
  of.safekeepers = [gate] {
    gate.wait();
    return std::vector<consensus::member>{{{1}, "127.0.0.1", 5454}};
  };
  auto started = http_server::start(options, of);
  BOOST_TEST_REQUIRE(started);
  const std::uint16_t port = (*started)->port();
  const std::string change = "POST " + others.timeline_path() + "/safekeepers HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::vector<std::unique_ptr<raw_client>> hanging;
  for (int i = 0; i < 2; ++i) {
    hanging.push_back(std::make_unique<raw_client>(port));
    hanging.back()->send(change);
  }
  httplib::Client client("127.0.0.1", port);
  std::string third;
  for (int i = 0; i < 200 && third.empty(); ++i) {
    const raw_client one_more(port);
    one_more.send(change);
    third = one_more.first_line();
  }
  BOOST_TEST(third == "HTTP/1.1 503 Service Unavailable");
  for (const auto& path : {std::string("/livez"), std::string("/v1/status"), others.timeline_path()}) {
    const auto got = client.Get(path);
    BOOST_TEST_REQUIRE(static_cast<bool>(got), path);
    BOOST_TEST(got->status == 200, path);
  }
  opened.set_value();
  for (const auto& each : hanging) BOOST_TEST(each->first_line() == "HTTP/1.1 200 OK");
}

/// Tells a wait for the state at a time from one that is answered at once.
std::string point_request(const served& of) {
  const std::string body = R"({"timestamp": "2026-11-22T14:00:00Z", "wait_ms": 8000})";
  return "POST " + of.others.timeline_path() +
         "/point HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool become_waiting(served& at, std::size_t count) {
  for (int i = 0; i < 5000 && at.others.state().points_waiting < count; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return at.others.state().points_waiting == count;
}

/// Of one tenant, with as many connections as there are by default.
constexpr std::size_t waits_max = 64;

BOOST_AUTO_TEST_CASE(waits_for_a_stalled_source_hold_no_thread_and_no_more_than_their_share) {
  served by;
  by.others.state().source_is_stalled = true;
  const auto waiting = crowd(by, waits_max, point_request(by));
  BOOST_TEST_REQUIRE(become_waiting(by, waits_max));
  // Each one more is told at once, and who needs no wait is answered.
  for (const auto& each : crowd(by, 36, point_request(by)))
    BOOST_TEST(each->first_line() == "HTTP/1.1 503 Service Unavailable");
  const std::string id = core::to_string(by.others.state().main.id);
  by.others.state().point = {.at = core::lsn(0x1500), .kept_until = {}, .known_until = {}, .why = {}};
  by.ok("POST", by.others.timeline_path() + "/point", R"({"wait_ms": 2000})");
  by.ok("POST", by.others.tenant_path() + "/timeline", R"({"ancestor_timeline_id": ")" + id + "\"}");
  by.ok("POST", "/v1/source", R"({"name": "shop", "conninfo": "host=x"})");
  by.ok("GET", by.others.timeline_path());
  by.ok("PUT", by.others.timeline_path() + "/checkpoint");
  by.ok("PUT", by.others.timeline_path() + "/do_gc");  // which ends the waits
  for (const auto& each : waiting) BOOST_TEST(each->first_line() == "HTTP/1.1 200 OK");
}

BOOST_AUTO_TEST_CASE(a_connection_goes_on_after_a_wait) {
  served by;
  by.others.state().source_is_stalled = true;
  const raw_client client(by.server->port());
  client.send(point_request(by) + "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  BOOST_TEST_REQUIRE(become_waiting(by, 1));
  by.ok("PUT", by.others.timeline_path() + "/do_gc");
  std::string all;
  for (std::string line = client.first_line(); !line.empty(); line = client.first_line()) all += line;
  // Nothing is known: a refusal with the words of the timeline, then the next answer.
  BOOST_TEST(all.starts_with("HTTP/1.1 503 Service Unavailable"), all);
  BOOST_TEST(all.find("Connection: keep-alive") != std::string::npos, all);
  BOOST_TEST(all.find("is not known yet") != std::string::npos, all);
  BOOST_TEST(all.find("HTTP/1.1 200 OK") != std::string::npos, all);
}

BOOST_AUTO_TEST_CASE(a_client_that_hangs_up_ends_its_wait) {
  served by;
  by.others.state().source_is_stalled = true;
  {
    const auto gone = crowd(by, waits_max, point_request(by));
    BOOST_TEST_REQUIRE(become_waiting(by, waits_max));
  }
  // Each place is free a moment after its client has gone.
  std::vector<std::unique_ptr<raw_client>> next;
  for (int tries = 0; next.size() < waits_max && tries < 5000; ++tries) {
    const std::size_t before = by.others.state().points_waiting;
    auto one = std::make_unique<raw_client>(by.server->port());
    one->send(point_request(by));
    while (by.others.state().points_waiting == before && !one->has_answer(std::chrono::milliseconds(1))) {
    }
    if (by.others.state().points_waiting > before) next.push_back(std::move(one));
  }
  BOOST_TEST(next.size() == waits_max);
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_waits_for_nobody_who_waits) {
  served by;
  by.others.state().source_is_stalled = true;
  const auto waiting = crowd(by, 3, point_request(by));
  BOOST_TEST_REQUIRE(become_waiting(by, 3));
  by.server->stop();
  for (const auto& each : waiting) BOOST_TEST(each->first_line() == "HTTP/1.1 503 Service Unavailable");
}

BOOST_AUTO_TEST_CASE(exports_of_one_tenant_get_a_quarter_of_the_places_however_they_are_spelled) {
  http_options options;
  options.streams_max = 8;
  served by(options);
  by.others.state().archive.assign(16, core::bytes(1u << 20, 1));
  const auto slow = crowd(by, 2, "GET " + by.others.timeline_path() + "/expor%74 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  for (const auto& each : slow) BOOST_TEST(each->first_line() == "HTTP/1.1 200 OK");
  by.refused(503, "GET", by.others.timeline_path() + "/export");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::api
