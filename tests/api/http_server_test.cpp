#include "api/http_server.hpp"

#include <httplib.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <regex>

#include "api/api_client.hpp"
#include "api/route.hpp"
#include "config/option_text.hpp"
#include "tests/api/served.hpp"
#include "tests/support/printing.hpp"

namespace strata::api {
namespace {

using nlohmann::json;
using tests::raw_client;
using tests::served;

/// Whether a value is what its schema promises: type, required members, nothing undescribed.
bool matches(const json& value, const json& schema, const json& all) {
  if (schema.contains("$ref")) {
    const std::string name = schema["$ref"].get<std::string>();
    return matches(value, all.at(name.substr(name.rfind('/') + 1)), all);
  }
  if (!schema.contains("type")) return true;
  const std::string type = schema["type"];
  if (type == "string")
    return value.is_string() &&
           (!schema.contains("pattern") ||
            std::regex_match(value.get<std::string>(), std::regex(schema["pattern"].get<std::string>())));
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

BOOST_FIXTURE_TEST_SUITE(api_http_server, served)

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
           {"GET", "/v1/cluster", ""},
           {"GET", "/v1/tenant", ""},
           {"GET", tenant, ""},
           {"DELETE", tenant, ""},
           {"GET", tenant + "/config", ""},
           {"PUT", "/v1/tenant/config", R"({"tenant_id": ")" + id + R"("})"},
           {"PATCH", "/v1/tenant/config", R"({"tenant_id": ")" + id + R"(", "gc_horizon": "1 MB"})"},
           {"POST", "/v1/source", R"({"name": "shop", "conninfo": "host=x"})"},
           {"POST", "/v1/tenant", R"({"name": "shop", "path": "/srv/data"})"},
           {"POST", timeline + "/promote_source", R"({"force": true})"},
           {"GET", tenant + "/timeline", ""},
           {"POST", tenant + "/timeline",
            R"({"ancestor_timeline_id": ")" + core::to_string(others.state().main.id) + R"("})"},
           {"GET", timeline, ""},
           {"GET", timeline + "/layer", ""},
           {"GET", timeline + "/keyspace", ""},
           {"GET", timeline + "/keyspace?at_lsn=0/3B21F08", ""},
           {"PATCH", timeline, R"({"deletion_protected": true, "expires_at": null})"},
           {"POST", timeline + "/reset", R"({"ancestor_start_lsn": "0/3B21F08", "keep_as": "before"})"},
           {"DELETE", timeline, ""},
           {"POST", timeline + "/lsn_lease", R"({"lsn": "0/3B21F08"})"},
           {"POST", timeline + "/source_connection", R"({"key": "0123456789abcdef0123456789abcdef"})"},
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
    const auto match = match_route(routes(), method, path.substr(0, path.find('?')));
    BOOST_TEST_REQUIRE((match.found != nullptr), path);
    const auto got = send(method, path, body);
    BOOST_TEST(got->status == match.found->success, method << " " << path << ": " << got->body);
    BOOST_TEST(got->get_header_value("Content-Type") == "application/json");
    BOOST_TEST(matches(json::parse(got->body), schemas_of.at(std::string(match.found->response_schema)), schemas_of),
               method << " " << path << ": " << got->body);
  }
}

BOOST_AUTO_TEST_CASE(the_password_of_a_source_needs_the_key_of_the_server) {
  const std::string path = others.timeline_path() + "/source_connection";
  BOOST_TEST(ok("POST", path, R"({"key": "0123456789abcdef0123456789abcdef"})")["conninfo"] ==
             "host=x password=secret");
  for (const char* key :
       {"0123456789abcdef0123456789abcdee", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0"})
    refused(403, "POST", path, json{{"key", key}}.dump());
  for (const char* body : {"{}", R"({"key": ""})"}) refused(400, "POST", path, body);
}

BOOST_AUTO_TEST_CASE(the_description_and_metrics_are_served) {
  BOOST_TEST(ok("GET", "/openapi.json")["openapi"] == "3.0.3");
  const auto metrics = send("GET", "/metrics");
  BOOST_TEST(metrics->body == "strata_up 1\n");
  BOOST_TEST(metrics->get_header_value("Content-Type").starts_with("text/plain"));
}

BOOST_AUTO_TEST_CASE(clients_of_the_pageserver_api_find_what_they_read) {
  const json tenants = ok("GET", "/v1/tenant");
  BOOST_TEST(tenants[0]["attachment_status"] == (json{{"slug", "attached"}}));
  const json tenant = ok("GET", others.tenant_path());
  BOOST_TEST(tenant["timelines"] == json::array({core::to_string(others.state().main.id)}));
  BOOST_TEST(tenant["attachment_status"]["slug"] == "attached");

  const json timeline = ok("GET", others.timeline_path());
  BOOST_TEST(timeline["remote_consistent_lsn"] == timeline["disk_consistent_lsn"]);
  BOOST_TEST(timeline["remote_consistent_lsn_visible"] == timeline["disk_consistent_lsn"]);
  BOOST_TEST(timeline["initdb_lsn"] == "0/3B21F08");
  BOOST_TEST(timeline["current_logical_size"] == 3 * 8192);
  BOOST_TEST(timeline["current_logical_size_is_accurate"] == true);
  BOOST_TEST(timeline["directory_entries_counts"] == (json{1, 0, 1, 0, 1, 0, 0}));
  BOOST_TEST(timeline["pitr_history_size"] == 0);
  BOOST_TEST(timeline["within_ancestor_pitr"] == false);
  BOOST_TEST(timeline["walreceiver_status"] == "connecting");

  const json keyspace = ok("GET", others.timeline_path() + "/keyspace");
  BOOST_TEST(keyspace["at_lsn"] == "0/3B21F08");
  const json pages =
      json::array({json::array({"000000067F00000005000040000000000000", "000000067F00000005000040000000000003"}),
                   json::array({"010000000000000000000000000000000000", "010000000000000000000000000000000001"})});
  BOOST_TEST(keyspace["keys"] == pages);
  BOOST_TEST(keyspace["sparse_keys"].size() == 8u);
  refused(422, "GET", others.timeline_path() + "/keyspace?at_lsn=0/10");
  refused(422, "GET", others.timeline_path() + "/keyspace?at_lsn=1/0");
  refused(400, "GET", others.timeline_path() + "/keyspace?at_lsn=0/0");

  const json layers = ok("GET", others.timeline_path() + "/layer");
  BOOST_TEST(layers["in_memory_layers"].size() == 1u);
  BOOST_TEST(layers["in_memory_layers"][0]["kind"] == "Open");
  BOOST_TEST(layers["in_memory_layers"][0]["lsn_start"] == "0/3B21F09");
  BOOST_TEST(others.store().freeze() == false);

  const auto missing = send("GET", "/v1/tenant/" + std::string(32, 'f'));
  const json said = json::parse(missing->body);
  BOOST_TEST(said["msg"] == said["error"]["message"]);
}

BOOST_AUTO_TEST_CASE(a_tenant_that_is_not_active_is_not_attached) {
  using enum messages::tenant_state;
  auto& tenant = others.state().tenant;
  for (const auto& [state, slug] : {std::pair{attaching, "maybe"},
                                    {stopping, "maybe"},
                                    {deleting, "maybe"},
                                    {active, "attached"},
                                    {broken, "failed"}}) {
    tenant.state = state;
    tenant.reason = state == broken ? "no metadata" : "";
    BOOST_TEST(ok("GET", others.tenant_path())["attachment_status"]["slug"] == slug, to_string(state));
  }
  BOOST_TEST(ok("GET", others.tenant_path())["attachment_status"]["data"]["reason"] == "no metadata");
}

BOOST_AUTO_TEST_CASE(a_source_is_handed_on_as_it_was_given) {
  ok("POST", "/v1/source", R"({"name": "shop", "conninfo": "postgresql://u:p@h/db", "slot": "mine"})");
  const auto& asked = others.state().source_asked;
  BOOST_TEST_REQUIRE(asked);
  BOOST_TEST(asked->name == "shop");
  BOOST_TEST(asked->conninfo == "postgresql://u:p@h/db");
  BOOST_TEST(asked->slot == "mine");
}

BOOST_AUTO_TEST_CASE(a_tenant_is_created_from_files_and_a_source_promoted) {
  const json made = ok("POST", "/v1/tenant", R"({"name": "shop", "path": "/srv/data", "system_id": "new"})");
  BOOST_TEST(made["pg_version"] == 15);
  const auto& asked = others.state().tenant_asked;
  BOOST_TEST_REQUIRE(asked);
  BOOST_TEST((asked->name == "shop" && asked->path == "/srv/data" && asked->new_system_id));
  ok("POST", "/v1/tenant", R"({"name": "shop", "path": "/srv/data"})");
  BOOST_TEST(!asked->new_system_id);
  refused(503, "POST", others.timeline_path() + "/promote_source", "{}");
  const json promoted = ok("POST", others.timeline_path() + "/promote_source", R"({"force": true})");
  BOOST_TEST(promoted["left_at_source"] == "all of it");
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
  BOOST_TEST_REQUIRE(asked);
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

BOOST_AUTO_TEST_CASE(a_branch_is_changed_and_reset_as_asked) {
  const std::string timeline = others.timeline_path();
  const json changed = ok("PATCH", timeline, R"({"deletion_protected": true, "expires_at": "2030-01-02T03:04:05Z"})");
  BOOST_TEST(changed["deletion_protected"] == true);
  BOOST_TEST(changed["expires_at"].get<std::string>().starts_with("2030-01-02T03:04:05"));
  BOOST_TEST(!ok("PATCH", timeline, "{}").contains("expires_at"));
  ok("POST", timeline + "/reset", R"({"ancestor_start_lsn": "0/1500", "keep_as": "before"})");
  BOOST_TEST_REQUIRE(others.state().reset_asked);
  BOOST_TEST(others.state().reset_asked->at->value == 0x1500u);
  BOOST_TEST(*others.state().reset_asked->keep_as == "before");
  ok("POST", timeline + "/reset", "");
  BOOST_TEST((!others.state().reset_asked->at && !others.state().reset_asked->keep_as));
  for (const char* wrong : {R"({"deletion_protected": "yes"})", R"({"expires_at": 5})", R"({"expires_at": "soon"})",
                            R"({"protected": true})"})
    refused(400, "PATCH", timeline, wrong);
  refused(400, "POST", timeline + "/reset", R"({"ancestor_start_lsn": "0/0"})");
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
  BOOST_TEST(!lost.contains("last_message_ms"));
  main.lag = {.bytes = 0, .since_message = std::chrono::milliseconds(1200)};
  const json follows = ok("GET", others.timeline_path())["source"];
  BOOST_TEST(follows["lag_bytes"] == 0);
  BOOST_TEST(follows["last_message_ms"] == 1200);
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
  for (const char* body :
       {"{}", R"({"name": "a"})", R"({"name": "a", "path": "data"})", R"({"name": "a/b", "path": "/data"})",
        R"({"name": "a", "path": "/data", "system_id": "old"})", R"({"name": "a", "path": "/data", "pth": 1})"})
    refused(400, "POST", "/v1/tenant", body);
  refused(400, "POST", timeline + "/promote_source", R"({"force": "yes"})");
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

BOOST_AUTO_TEST_CASE(a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has) {
  for (const std::string method : {"TRACE", "OPTIONS", "CONNECT", "PROPFIND", "DELETE", "get"})
    for (const std::string rest : {"\r\n", "Content-Length: 0\r\n\r\n", "Content-Length: 2\r\n\r\n{}"}) {
      const raw_client client(server->port());
      client.send(method + " /v1/status HTTP/1.1\r\nHost: localhost\r\n" + rest);
      BOOST_TEST(client.first_line() == "HTTP/1.1 405 Method Not Allowed", method + " " + rest);
      BOOST_TEST(client.header("Allow") == "GET", method + " " + rest);
    }
  for (const std::string method : {"TRACE", "OPTIONS", "PROPFIND"}) {
    const raw_client client(server->port());
    client.send(method + " /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n");
    BOOST_TEST(client.first_line() == "HTTP/1.1 404 Not Found", method);
  }
}

BOOST_AUTO_TEST_CASE(a_head_may_be_as_long_as_is_said_and_its_parts_as_well) {
  BOOST_TEST(send("GET", "/livez?" + std::string(9000, 'a'))->status == 200);
  refused(404, "GET", "/" + std::string(60'000, 'x'));
  refused(414, "GET", "/" + std::string(70'000, 'x'));
  const auto first_line = [this](const std::string& request) {
    const raw_client client(server->port());
    client.send(request);
    return client.first_line();
  };
  BOOST_TEST(first_line("GET /livez HTTP/1.1\r\nX: " + std::string(60'000, 'x') + "\r\n\r\n") == "HTTP/1.1 200 OK");
  BOOST_TEST(first_line("GET /livez HTTP/1.1\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n") ==
             "HTTP/1.1 431 Request Header Fields Too Large");
  // What curl -d sends.
  const std::string body = R"({"name": "shop", "conninfo": "host=x )" + std::string(9000, ' ') + "\"}";
  BOOST_TEST(
      first_line("POST /v1/source HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body) == "HTTP/1.1 201 Created");
}

BOOST_AUTO_TEST_CASE(a_client_is_told_whether_more_may_follow) {
  const auto connection = [this](const std::string& version, const std::string& headers) {
    const raw_client client(server->port());
    client.send("GET /livez HTTP/" + version + "\r\n" + headers + "\r\n");
    BOOST_TEST(client.first_line() == "HTTP/1.1 200 OK");
    return client.header("Connection");
  };
  BOOST_TEST(connection("1.1", "") == "keep-alive");
  BOOST_TEST(connection("1.1", "Connection: close\r\n") == "close");
  BOOST_TEST(connection("1.0", "") == "close");
  BOOST_TEST(connection("1.0", "Connection: keep-alive\r\n") == "keep-alive");
}

BOOST_AUTO_TEST_CASE(head_has_no_body) {
  const raw_client client(server->port());
  client.send("HEAD /livez HTTP/1.1\r\n\r\nGET /livez HTTP/1.1\r\nConnection: close\r\n\r\n");
  std::string got;
  for (std::string line = client.first_line(); !line.empty(); line = client.first_line()) got += line + "|";
  BOOST_TEST(got.find("Content-Length: 16|\nConnection: keep-alive|\n|\nHTTP/1.1 200 OK") != std::string::npos, got);
}

BOOST_AUTO_TEST_CASE(a_body_that_is_not_json_is_told_in_words_of_ours) {
  const auto said = [this](const std::string& body) {
    return json::parse(send("POST", "/v1/source", body)->body)["error"]["message"].get<std::string>();
  };
  BOOST_TEST(said("{") == "the body is not JSON (line 1, column 2)");
  BOOST_TEST(said("{\n \"name\": x}") == "the body is not JSON (line 2, column 10)");
  BOOST_TEST(said(R"({"name": 1e999})") == "the body has a number that is too large");
  BOOST_TEST(said(std::string(5000, '[')) == "the body is nested too deeply");
}

BOOST_AUTO_TEST_CASE(a_body_may_be_announced_and_waited_for) {
  const raw_client client(server->port());
  client.send("POST /v1/source HTTP/1.1\r\nHost: localhost\r\nContent-Length: 36\r\nExpect: 100-continue\r\n\r\n");
  BOOST_TEST(client.first_line() == "HTTP/1.1 100 Continue");
  client.send(R"({"name": "shop", "conninfo": "host"})");
  BOOST_TEST(client.first_line() == "\n");
  BOOST_TEST(client.first_line().substr(1) == "HTTP/1.1 201 Created");
}

BOOST_AUTO_TEST_CASE(requests_may_follow_each_other_without_waiting_for_answers) {
  const raw_client client(server->port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
  client.send(all + "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  std::string got;
  for (std::string line = client.first_line(); !line.empty(); line = client.first_line()) got += line;
  std::size_t count = 0;
  for (auto at = got.find("HTTP/1.1 200 OK"); at != std::string::npos; at = got.find("HTTP/1.1 200 OK", at + 1))
    ++count;
  BOOST_TEST(count == 51u);
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
    client.send(line + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
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
  BOOST_TEST((others.state().backup_asked->kind == messages::backup_kind::full));
}

BOOST_AUTO_TEST_CASE(an_export_holds_relations_or_lists_them_as_it_is_asked) {
  others.state().archive.emplace_back(1000, 1);
  const std::string path = others.timeline_path() + "/export?lsn=0/1500";
  BOOST_TEST(send("GET", path + "&relations=listed")->status == 200);
  BOOST_TEST((others.state().backup_asked->kind == messages::backup_kind::listed));
  BOOST_TEST((others.state().backup_asked->at.value == 0x1500u));
  BOOST_TEST(send("GET", path + "&relations=contained")->status == 200);
  BOOST_TEST((others.state().backup_asked->kind == messages::backup_kind::full));
  others.state().backup_asked.reset();
  for (const std::string other : {"full", "Listed", "listed,contained"})
    refused(400, "GET", path + "&relations=" + other);
  BOOST_TEST(!others.state().backup_asked);
}

BOOST_AUTO_TEST_CASE(an_export_that_fails_at_once_is_an_error_and_not_a_file) {
  others.state().archive_failure = core::error{core::errc::corrupt, "layer 17 is damaged"};
  const api_client client(address());
  const auto done =
      client.download(others.timeline_path() + "/export", {}, [](core::bytes_view) { return core::result<void>(); });
  BOOST_TEST_REQUIRE(!done.has_value());
  BOOST_TEST(done.error().code == core::errc::corrupt);
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
  BOOST_TEST(done.error().code == core::errc::io_error);
  BOOST_TEST(got > 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_gives_up_ends_the_export) {
  others.state().archive.assign(1000, core::bytes(1u << 20, 1));
  const api_client client(address());
  const auto done = client.download(others.timeline_path() + "/export", {}, [](core::bytes_view) {
    return core::result<void>(core::error{core::errc::disk_full, "no room"});
  });
  BOOST_TEST_REQUIRE(!done.has_value());
  BOOST_TEST(done.error().code == core::errc::disk_full);
  server->stop();
  // Pulled part by part: what the client did not take was not asked for.
  BOOST_TEST(others.state().parts_asked < 100u);
}

BOOST_AUTO_TEST_CASE(the_client_tells_errors_as_the_server_had_them) {
  const api_client client(address());
  const auto missing = client.get("/v1/tenant/" + std::string(32, 'f'));
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST(missing.error().code == core::errc::not_found);
  BOOST_TEST(missing.error().detail == "tenant is not here");
  const api_client nobody("127.0.0.1:1");
  const auto unreachable = nobody.get("/v1/status");
  BOOST_TEST_REQUIRE(!unreachable.has_value());
  BOOST_TEST(unreachable.error().code == core::errc::unavailable);
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

}  // namespace
}  // namespace strata::api
