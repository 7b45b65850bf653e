#include "console/http_server.hpp"

#include <arpa/inet.h>
#include <httplib.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/option_text.hpp"
#include "console/api_client.hpp"
#include "console/route.hpp"
#include "tests/console/peers.hpp"

namespace strata::console {
namespace {

using nlohmann::json;
using tests::peers;

struct served {
  served() : served(http_options{}) {}
  explicit served(const http_options& options) {
    auto started = http_server::start(options, others.services());
    BOOST_TEST_REQUIRE(started.has_value());
    server = *std::move(started);
  }
  [[nodiscard]] httplib::Result send(const std::string& method, const std::string& path,
                                     const std::string& body = "") const {
    httplib::Client client("127.0.0.1", server->port());
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    auto got = client.send(request);
    BOOST_TEST_REQUIRE(static_cast<bool>(got), method + " " + path);
    return got;
  }
  json ok(const std::string& method, const std::string& path, const std::string& body = "") const {
    const auto got = send(method, path, body);
    BOOST_TEST(got->status / 100 == 2, method + " " + path + ": " + got->body);
    return json::parse(got->body);
  }
  void refused(int status, const std::string& method, const std::string& path, const std::string& body = "") const {
    const auto got = send(method, path, body);
    BOOST_TEST(got->status == status, method + " " + path.substr(0, 80) + " " + body.substr(0, 80) + ": " + got->body);
    const json said = json::parse(got->body, nullptr, false);
    BOOST_TEST_REQUIRE(said.is_object());
    for (const char* member : {"code", "message", "next"}) BOOST_TEST(said["error"].contains(member), member);
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(server->port()); }

  peers others;
  std::unique_ptr<http_server> server;
};

/// Bytes as they are, without a library that knows better.
class raw_client {
 public:
  explicit raw_client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_TEST_REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const timeval limit{5, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~raw_client() { ::close(socket_); }
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  void send(const std::string& bytes) const {
    BOOST_TEST_REQUIRE(std::cmp_equal(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size()));
  }
  [[nodiscard]] std::string first_line() const {
    std::string line;
    for (char c = 0; ::recv(socket_, &c, 1, 0) == 1 && c != '\r';) line += c;
    return line;
  }

 private:
  int socket_;
};

/// Whether a value is what its schema promises: type, required members, nothing undescribed.
bool matches(const json& value, const json& schema, const json& all) {
  if (schema.contains("$ref")) {
    const std::string name = schema["$ref"].get<std::string>();
    return matches(value, all.at(name.substr(name.rfind('/') + 1)), all);
  }
  if (!schema.contains("type")) return true;
  const std::string type = schema["type"];
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") {
    for (const json& each : value)
      if (!matches(each, schema["items"], all)) return false;
    return value.is_array();
  }
  for (const json& member : schema.value("required", json::array()))
    if (!value.contains(member.get<std::string>())) return false;
  if (!schema.contains("properties")) return value.is_object();
  for (const auto& [name, member] : value.items())
    if (!schema["properties"].contains(name) || !matches(member, schema["properties"][name], all)) return false;
  return value.is_object();
}

BOOST_FIXTURE_TEST_SUITE(console_http_server, served)

BOOST_AUTO_TEST_CASE(answers_are_what_the_description_says) {
  const std::string tenant = others.tenant_path();
  const std::string timeline = others.timeline_path();
  const std::string id = core::to_string(others.state().tenant.id);
  const json schemas_of = json::parse(schemas());
  others.state().point = {.at = core::lsn(0x1500), .kept_until = {}, .known_until = core::wall_time{}, .why = {}};
  struct call {
    const char* method;
    std::string path;
    std::string body;
  };
  for (const auto& [method, path, body] : {
           call{"GET", "/v1/status", ""},
           {"GET", "/livez", ""},
           {"GET", "/readyz", ""},
           {"GET", "/v1/actors", ""},
           {"GET", "/v1/pools", ""},
           {"GET", "/v1/tenant", ""},
           {"GET", tenant, ""},
           {"DELETE", tenant, ""},
           {"GET", tenant + "/config", ""},
           {"PUT", "/v1/tenant/config", R"({"tenant_id": ")" + id + R"("})"},
           {"PATCH", "/v1/tenant/config", R"({"tenant_id": ")" + id + R"(", "gc_horizon": "1 MB"})"},
           {"POST", "/v1/source", R"({"name": "shop", "conninfo": "host=x"})"},
           {"GET", tenant + "/timeline", ""},
           {"POST", tenant + "/timeline",
            R"({"ancestor_timeline_id": ")" + core::to_string(others.state().main.id) + R"("})"},
           {"GET", timeline, ""},
           {"DELETE", timeline, ""},
           {"POST", timeline + "/lsn_lease", R"({"lsn": "0/3B21F08"})"},
           {"POST", timeline + "/point", R"({"timestamp": "2026-11-22T14:00:00Z", "wait_ms": 10})"},
           {"PUT", timeline + "/checkpoint", ""},
           {"PUT", timeline + "/compact", "{}"},
           {"PUT", timeline + "/do_gc", "null"},
           {"POST", timeline + "/safekeepers", ""},
           {"GET", timeline + "/safekeepers", ""},
           {"PUT", timeline + "/safekeepers",
            R"({"generation": 2, "members": [{"id": 1, "host": "127.0.0.1", "port": 5454}],
                "new_members": [{"id": 2, "host": "127.0.0.1", "port": 5455}]})"},
       }) {
    const auto match = match_route(routes(), method, path);
    BOOST_TEST_REQUIRE((match.found != nullptr), path);
    const auto got = send(method, path, body);
    BOOST_TEST(got->status == match.found->success, method << " " << path << ": " << got->body);
    BOOST_TEST(got->get_header_value("Content-Type") == "application/json");
    BOOST_TEST(matches(json::parse(got->body), schemas_of.at(std::string(match.found->response_schema)), schemas_of),
               method << " " << path << ": " << got->body);
  }
}

BOOST_AUTO_TEST_CASE(the_description_and_metrics_are_served) {
  BOOST_TEST(ok("GET", "/openapi.json")["openapi"] == "3.0.3");
  const auto metrics = send("GET", "/metrics");
  BOOST_TEST(metrics->body == "strata_up 1\n");
  BOOST_TEST(metrics->get_header_value("Content-Type").starts_with("text/plain"));
}

BOOST_AUTO_TEST_CASE(a_source_is_handed_on_as_it_was_given) {
  ok("POST", "/v1/source", R"({"name": "shop", "conninfo": "postgresql://u:p@h/db", "slot": "mine"})");
  const auto& asked = others.state().source_asked;
  BOOST_TEST_REQUIRE(asked.has_value());
  BOOST_TEST(asked->name == "shop");
  BOOST_TEST(asked->conninfo == "postgresql://u:p@h/db");
  BOOST_TEST(asked->slot == "mine");
}

BOOST_AUTO_TEST_CASE(a_branch_is_asked_for_with_name_id_and_lsn) {
  const std::string ancestor = core::to_string(others.state().main.id);
  const std::string id(32, 'a');
  const json made = ok("POST", others.tenant_path() + "/timeline",
                       json{{"ancestor_timeline_id", ancestor},
                            {"ancestor_start_lsn", "0/1500"},
                            {"name", "dev"},
                            {"new_timeline_id", id},
                            {"pg_version", 15}}
                           .dump());
  BOOST_TEST(made["timeline_id"] == id);
  BOOST_TEST(made["ancestor_lsn"] == "0/1500");
  const auto& asked = others.state().branch_asked;
  BOOST_TEST_REQUIRE(asked.has_value());
  BOOST_TEST(asked->name == "dev");
  BOOST_TEST(core::to_string(asked->ancestor) == ancestor);
  BOOST_TEST(asked->at->value == 0x1500u);
}

BOOST_AUTO_TEST_CASE(a_branch_without_a_name_gets_one_from_its_id) {
  const std::string ancestor = core::to_string(others.state().main.id);
  const json made = ok("POST", others.tenant_path() + "/timeline", json{{"ancestor_timeline_id", ancestor}}.dump());
  const std::string id = made["timeline_id"];
  BOOST_TEST(made["name"] == "branch-" + id.substr(0, 12));
  BOOST_TEST(!others.state().branch_asked->at.has_value());
}

BOOST_AUTO_TEST_CASE(patch_keeps_other_options_and_put_does_not) {
  const std::string id = core::to_string(others.state().tenant.id);
  const auto change = [&](const char* method, json options) {
    options["tenant_id"] = id;
    return ok(method, "/v1/tenant/config", options.dump())["tenant_specific_overrides"];
  };
  BOOST_TEST(change("PATCH", {{"gc_horizon", "1 MB"}}) == (json{{"gc_horizon", 1 << 20}}));
  BOOST_TEST(change("PATCH", {{"pitr_interval", "1 d"}}) == (json{{"gc_horizon", 1 << 20}, {"pitr_interval", "1d"}}));
  BOOST_TEST(change("PATCH", {{"gc_horizon", nullptr}}) == (json{{"pitr_interval", "1d"}}));
  BOOST_TEST(change("PUT", {{"compaction_threshold", 3}}) == (json{{"compaction_threshold", 3}}));
  BOOST_TEST(others.state().options.compaction_threshold == 3u);
  BOOST_TEST(change("PUT", json::object()) == json::object());
}

BOOST_AUTO_TEST_CASE(a_point_is_asked_for_by_time_by_lsn_or_not_at_all) {
  others.state().point.at = core::lsn(0x1500);
  const std::string path = others.timeline_path() + "/point";
  BOOST_TEST(ok("POST", path, R"({"timestamp": "1970-01-01T00:00:05Z", "wait_ms": 700})")["lsn"] == "0/1500");
  BOOST_TEST((std::get<core::wall_time>(others.state().point_asked->at) == core::wall_time(std::chrono::seconds(5))));
  BOOST_TEST(others.state().point_asked->timeout.count() == 700);
  ok("POST", path, R"({"lsn": "0/1500"})");
  BOOST_TEST((std::get<core::lsn>(others.state().point_asked->at) == core::lsn(0x1500)));
  ok("POST", path, "{}");
  BOOST_TEST((std::holds_alternative<std::monostate>(others.state().point_asked->at)));
  refused(400, "POST", path, R"({"lsn": "0/1500", "timestamp": "1970-01-01T00:00:05Z"})");
  refused(400, "POST", path, R"({"timestamp": "1970-01-01T00:00:05Z", "wait_ms": 10001})");
  refused(400, "POST", path, R"({"timestamp": "soon"})");
}

BOOST_AUTO_TEST_CASE(a_state_that_is_not_known_is_refused_with_what_is_known) {
  others.state().point = {
      .at = {}, .kept_until = {}, .known_until = core::wall_time(std::chrono::seconds(4)), .why = "the source is lost"};
  const std::string path = others.timeline_path() + "/point";
  const auto got = send("POST", path, R"({"timestamp": "1970-01-01T00:00:05Z"})");
  BOOST_TEST(got->status == 503);
  const json error = json::parse(got->body)["error"];
  BOOST_TEST(error["code"] == "unavailable");
  BOOST_TEST(error["known_until"] == "1970-01-01T00:00:04.000000Z");
  BOOST_TEST(error["message"].get<std::string>().find("the source is lost") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_source_did_not_tell_is_absent) {
  auto& main = others.state().main;
  main.source = messages::source_status{.now = messages::source_status::phase::waiting_to_retry};
  main.lag = {};
  const json lost = ok("GET", others.timeline_path())["source"];
  BOOST_TEST(!lost.contains("lag_bytes"));
  BOOST_TEST(!lost.contains("last_word_ms"));
  main.lag = {.bytes = 0, .since_word = std::chrono::milliseconds(1200)};
  const json follows = ok("GET", others.timeline_path())["source"];
  BOOST_TEST(follows["lag_bytes"] == 0);
  BOOST_TEST(follows["last_word_ms"] == 1200);
}

BOOST_AUTO_TEST_CASE(garbage_collection_takes_a_horizon) {
  ok("PUT", others.timeline_path() + "/do_gc", R"({"gc_horizon": 4096})");
  BOOST_TEST(**others.state().horizon_asked == 4096u);
  ok("PUT", others.timeline_path() + "/do_gc");
  BOOST_TEST(!others.state().horizon_asked->has_value());
}

BOOST_AUTO_TEST_CASE(garbage_is_refused_with_a_reason) {
  const std::string tenant = others.tenant_path();
  const std::string timeline = others.timeline_path();
  const std::string other(32, 'f');
  refused(404, "GET", "/nothing/here");
  refused(404, "GET", "/" + std::string(4000, 'x'));
  refused(405, "POST", "/v1/status");
  refused(400, "GET", "/v1/tenant/zz");
  refused(400, "GET", "/v1/tenant/" + std::string(33, '1'));
  refused(404, "GET", "/v1/tenant/" + other);
  refused(404, "GET", tenant + "/timeline/" + other);
  refused(400, "GET", tenant + "/timeline/%00%ff");
  for (const char* body : {"{", "[]", "17", "\"x\"", "\xff\xfe", "{}", R"({"name": 5, "conninfo": "x"})",
                           R"({"name": "", "conninfo": "x"})", R"({"name": "../x", "conninfo": "x"})",
                           R"({"name": "a"})", R"({"name": "a", "conninfo": "x", "slt": "s"})"})
    refused(400, "POST", "/v1/source", body);
  refused(400, "POST", "/v1/source", std::string(5000, '['));
  refused(400, "POST", tenant + "/timeline", R"({"name": "x"})");
  refused(400, "POST", tenant + "/timeline", R"({"ancestor_timeline_id": "x"})");
  refused(400, "POST", timeline + "/lsn_lease", R"({"lsn": "0/0"})");
  refused(400, "POST", timeline + "/lsn_lease", R"({"lsn": "12"})");
  refused(400, "POST", timeline + "/lsn_lease", "{}");
  refused(400, "PUT", timeline + "/do_gc", R"({"gc_horizon": -1})");
  refused(400, "GET", timeline + "/get_lsn_by_timestamp");
  refused(400, "GET", timeline + "/get_lsn_by_timestamp?timestamp=yesterday");
  refused(400, "GET", timeline + "/get_timestamp_of_lsn?lsn=zz");
  refused(400, "GET", timeline + "/export?lsn=zz");
  refused(400, "PATCH", "/v1/tenant/config",
          R"({"tenant_id": ")" + core::to_string(others.state().tenant.id) + R"(", "gc_horizn": 1})");
  refused(400, "PATCH", "/v1/tenant/config", R"({"gc_horizon": 1})");
  refused(413, "POST", "/v1/source", std::string((1u << 20) + 1, 'x'));
  BOOST_TEST(ok("GET", "/livez")["status"] == "ok");
}

BOOST_AUTO_TEST_CASE(an_unknown_member_comes_back_with_a_suggestion) {
  const auto got = send("POST", "/v1/source", R"({"name": "a", "conninfo": "x", "slott": "s"})");
  BOOST_TEST(got->body.find("did you mean \\\"slot\\\"?") != std::string::npos, got->body);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_http_are_refused_and_others_are_served_on) {
  const raw_client client(server->port());
  client.send("\x16\x03\x01\x02\r\n\r\n" + std::string(300, '\x7f'));
  BOOST_TEST(ok("GET", "/livez")["status"] == "ok");
}

BOOST_AUTO_TEST_CASE(a_request_that_announces_no_body_has_none) {
  for (const std::string& line :
       {"PUT " + others.timeline_path() + "/checkpoint", "DELETE " + others.timeline_path()}) {
    const raw_client client(server->port());
    client.send(line + " HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(client.first_line() == "HTTP/1.1 200 OK", line);
  }
}

BOOST_AUTO_TEST_CASE(what_an_actor_refuses_keeps_its_code_and_words) {
  const std::string branch = json{{"ancestor_timeline_id", core::to_string(others.state().main.id)}}.dump();
  others.state().refuse_all = core::error{core::errc::out_of_range, "0/10 is before 0/1500"};
  const auto outside = send("POST", others.tenant_path() + "/timeline", branch);
  BOOST_TEST(outside->status == 422);
  BOOST_TEST(json::parse(outside->body)["error"]["message"] == "0/10 is before 0/1500");
  BOOST_TEST(json::parse(outside->body)["error"]["code"] == "out_of_range");
  others.state().refuse_all = core::error{core::errc::conflict, "dev hangs on it"};
  refused(409, "DELETE", others.timeline_path());
  others.state().refuse_all = core::error{core::errc::permission_denied, "wrong password"};
  refused(403, "POST", "/v1/source", R"({"name": "shop", "conninfo": "host=x"})");
}

BOOST_AUTO_TEST_CASE(an_export_arrives_whole_in_the_parts_it_was_made_of) {
  core::bytes expected;
  for (std::uint8_t i = 0; i < 20; ++i) {
    others.state().archive.emplace_back(100000, i);
    core::append(expected, others.state().archive.back());
  }
  core::bytes got;
  const api_client client(address());
  const auto done =
      client.download(others.timeline_path() + "/export", {{"lsn", "0/1500"}}, [&](core::bytes_view part) {
        core::append(got, part);
        return core::result<void>();
      });
  BOOST_TEST_REQUIRE(done.has_value(), (done.has_value() ? "" : done.error().detail));
  BOOST_TEST((got == expected));
  BOOST_TEST(others.state().backup_asked->at.value == 0x1500u);
}

BOOST_AUTO_TEST_CASE(an_export_that_fails_at_once_is_an_error_and_not_a_file) {
  others.state().archive_failure = core::error{core::errc::corrupt, "layer 17 is damaged"};
  const api_client client(address());
  const auto done =
      client.download(others.timeline_path() + "/export", {}, [](core::bytes_view) { return core::result<void>(); });
  BOOST_TEST_REQUIRE(!done.has_value());
  BOOST_TEST((done.error().code == core::errc::corrupt));
  BOOST_TEST(done.error().detail == "layer 17 is damaged");
}

BOOST_AUTO_TEST_CASE(an_export_that_fails_in_the_middle_is_noticed) {
  others.state().archive.assign(3, core::bytes(500000, 1));
  others.state().archive_failure = core::error{core::errc::corrupt, "layer 17 is damaged"};
  std::size_t got = 0;
  const api_client client(address());
  const auto done = client.download(others.timeline_path() + "/export", {}, [&](core::bytes_view part) {
    got += part.size();
    return core::result<void>();
  });
  BOOST_TEST_REQUIRE(!done.has_value());
  BOOST_TEST((done.error().code == core::errc::io_error));
  BOOST_TEST(got > 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_gives_up_ends_the_export) {
  others.state().archive.assign(1000, core::bytes(1u << 20, 1));
  const api_client client(address());
  const auto done = client.download(others.timeline_path() + "/export", {}, [](core::bytes_view) {
    return core::result<void>(core::error{core::errc::disk_full, "no room"});
  });
  BOOST_TEST_REQUIRE(!done.has_value());
  BOOST_TEST((done.error().code == core::errc::disk_full));
  server->stop();
  // Pulled part by part: what the client did not take was not asked for.
  BOOST_TEST(others.state().parts_asked < 100u);
}

BOOST_AUTO_TEST_CASE(the_client_tells_errors_as_the_server_had_them) {
  const api_client client(address());
  const auto missing = client.get("/v1/tenant/" + std::string(32, 'f'));
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error().code == core::errc::not_found));
  BOOST_TEST(missing.error().detail == "tenant is not here");
  const api_client nobody("127.0.0.1:1");
  const auto unreachable = nobody.get("/v1/status");
  BOOST_TEST_REQUIRE(!unreachable.has_value());
  BOOST_TEST((unreachable.error().code == core::errc::unavailable));
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_a_conflict) {
  http_options options;
  options.port = server->port();
  const auto second = http_server::start(options, others.services());
  BOOST_TEST_REQUIRE(!second.has_value());
  BOOST_TEST((second.error().code == core::errc::conflict), second.error().detail);
}

BOOST_AUTO_TEST_CASE(a_stopped_server_answers_nobody_and_can_be_stopped_again) {
  const std::uint16_t port = server->port();
  server->stop();
  server->stop();
  httplib::Client client("127.0.0.1", port);
  BOOST_TEST(!static_cast<bool>(client.Get("/livez")));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(console_http_server_limits)

BOOST_AUTO_TEST_CASE(more_clients_than_threads_wait_and_are_all_served) {
  http_options options;
  options.connections_max = 2;
  options.waiting_max = 1;
  const served few(options);
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 12; ++i)
    clients.emplace_back([&] {
      httplib::Client client("127.0.0.1", few.server->port());
      client.set_read_timeout(30);
      if (const auto got = client.Get("/livez"); got && got->status == 200) ++answered;
    });
  for (auto& each : clients) each.join();
  BOOST_TEST(answered == 12);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::console
