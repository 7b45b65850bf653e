#include <httplib.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <thread>

#include "tests/safekeeper_process/safekeeper_fixture.hpp"

using namespace strata;
using namespace strata::tests;
using nlohmann::json;

namespace {

struct answer {
  int status = 0;
  std::string code;
  std::string message;
};

std::ostream& operator<<(std::ostream& to, const answer& of) {
  return to << of.status << " " << of.code << ": " << of.message;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

/// A safekeeper with a timeline that has WAL.
struct asked_badly {
  asked_badly() {
    keeper.start();
    wal.grow(20'000);
    test_proposer proposer(keeper.wal_port(), id);
    BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
    proposer.push(wal.start(), wal.from(wal.start()), wal.end());
    pid = keeper.api("GET", "/v1/status").at("pid");
    before = acceptor();
  }
  /// After all that it is the same process, and has what it had.
  void teardown() {
    BOOST_TEST(keeper.api("GET", "/v1/status").at("pid") == pid, keeper.log());
    BOOST_TEST(acceptor() == before);
    keeper.kill();
    keeper.start();
    BOOST_TEST(acceptor() == before, "after a restart");
  }

  [[nodiscard]] json acceptor() const {
    const json all = keeper.api("GET", id.path());
    return {all.at("mconf"), all.at("acceptor_state"), all.at("flush_lsn")};
  }

  answer ask(const std::string& method, const std::string& path, const std::string& body = {},
             const httplib::Headers& headers = {}) const {
    httplib::Client client("127.0.0.1", keeper.http_port());
    client.set_read_timeout(std::chrono::seconds(60));
    httplib::Request asked;
    asked.method = method;
    asked.path = path;
    asked.headers = headers;
    asked.body = body;
    if (!body.empty()) asked.set_header("Content-Type", "application/json");
    const auto got = client.send(asked);
    if (!got) throw std::runtime_error(method + " " + path.substr(0, 200) + ": " + httplib::to_string(got.error()));
    const json told = json::parse(got->body, nullptr, false);
    if (got->status < 400 || !told.is_object() || !told.contains("error")) return {got->status, "", got->body};
    return {got->status, told["error"].value("code", ""), told["error"].value("message", "")};
  }
  void refuses(const std::string& method, const std::string& path, const std::string& body, int status,
               const std::string& words) const {
    const answer got = ask(method, path, body);
    const bool as_expected = got.status == status && got.message.find(words) != std::string::npos;
    BOOST_TEST(as_expected, method << " " << path.substr(0, 100) << " " << body.substr(0, 100) << ": " << got
                                   << "; expected: " << status << " " << words);
  }
  /// Each of the operations of its description: method, path with its parameters' names.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> operations() const {
    std::vector<std::pair<std::string, std::string>> found;
    const json described = keeper.api("GET", "/openapi.json");
    for (const auto& [path, methods] : described.at("paths").items())
      for (const auto& [method, operation] : methods.items()) {
        std::string upper = method;
        std::ranges::transform(upper, upper.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
        found.emplace_back(upper, path);
      }
    return found;
  }
  [[nodiscard]] json configuration(std::uint32_t generation) const {
    return {{"generation", generation}, {"members", {{{"id", 1}, {"host", "127.0.0.1"}, {"port", keeper.wal_port()}}}}};
  }
  /// A body that would be taken for the operation, of a timeline that nobody has.
  [[nodiscard]] json good_body(const std::string& path) const {
    const wal_identity unknown;
    const json ids{{"tenant_id", core::to_string(unknown.tenant)}, {"timeline_id", core::to_string(unknown.timeline)}};
    json body = json::object();
    if (path == "/v1/tenant/timeline") {
      body = ids;
      body.update({{"mconf", configuration(1)}, {"start_lsn", "0/2000028"}, {"pg_version", 150020}});
    } else if (path == "/v1/pull_timeline") {
      body = ids;
      body["http_hosts"] = {"127.0.0.1:" + std::to_string(keeper.http_port())};
    } else if (path.ends_with("/membership") || path.ends_with("/exclude")) {
      body["mconf"] = configuration(9);
      if (path.ends_with("/exclude")) body["mconf"]["members"][0]["id"] = 7;
    }
    return body;
  }

  safekeeper_process keeper{1};
  wal_identity id;
  growing_wal wal;
  int pid = 0;
  json before;
};

/// Most memory that the process has had at once.
std::uint64_t memory_peak_bytes(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; file >> word;)
    if (word == "VmHWM:") {
      std::uint64_t kib = 0;
      file >> kib;
      return kib << 10;
    }
  throw std::runtime_error("no VmHWM of process " + std::to_string(pid));
}

/// An HTTP server that says what it is told to say.
class false_donor {
 public:
  false_donor(std::string timeline, std::string status) {
    const auto say = [](std::string text) {
      return [text = std::move(text)](const httplib::Request&, httplib::Response& to) {
        to.set_content(text, "application/json");
      };
    };
    server_.Get("/v1/status", say(std::move(status)));
    server_.Get("/v1/tenant/.*", say(std::move(timeline)));
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~false_donor() {
    wait_until("it listens", [this] { return server_.is_running(); });
    server_.stop();
    thread_.join();
  }
  false_donor(const false_donor&) = delete;
  false_donor& operator=(const false_donor&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(safekeeper_process_bad_request, asked_badly)

BOOST_AUTO_TEST_CASE(malformed_ids_are_refused_on_every_route_that_names_one) {
  int asked = 0;
  for (const auto& [method, path] : operations())
    for (const std::string& name : {std::string("tenant_id"), std::string("timeline_id")}) {
      if (path.find("{" + name + "}") == std::string::npos) continue;
      for (const std::string& bad : {std::string("x"), std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'g'),
                                     std::string("%00"), std::string("%F0%28"), std::string(4000, '1')}) {
        std::string at = replaced(path, "{" + name + "}", bad);
        at = replaced(at, "{tenant_id}", core::to_string(id.tenant));
        at = replaced(at, "{timeline_id}", core::to_string(id.timeline));
        if (path.ends_with("/digest")) at += "?from_lsn=0/1000028&until_lsn=0/1000030";
        refuses(method, at, method == "GET" ? "" : good_body(path).dump(), 400, name);
        ++asked;
      }
    }
  BOOST_TEST(asked > 100);
}

BOOST_AUTO_TEST_CASE(timelines_that_are_not_here_are_not_found_on_every_route) {
  const wal_identity unknown;
  for (const auto& [method, path] : operations()) {
    if (path.find("{timeline_id}") == std::string::npos) continue;
    std::string at = replaced(path, "{tenant_id}", core::to_string(unknown.tenant));
    at = replaced(at, "{timeline_id}", core::to_string(unknown.timeline));
    if (path.ends_with("/digest")) at += "?from_lsn=0/1000028&until_lsn=0/1000030";
    // Deletion, and exclusion, which deletes, are about what is not to be here.
    const bool is_deletion = method == "DELETE" || path.ends_with("/exclude");
    if (is_deletion)
      BOOST_TEST(ask(method, at, good_body(path).dump()).status == 200, method << " " << path);
    else
      refuses(method, at, method == "GET" ? "" : good_body(path).dump(), 404, "is not on this safekeeper");
  }
  // A tenant that is here with another timeline, and the other way round.
  wal_identity half = id;
  half.timeline = unknown.timeline;
  BOOST_TEST(ask("GET", half.path()).status == 404);
  half = unknown;
  half.timeline = id.timeline;
  BOOST_TEST(ask("GET", half.path()).status == 404);
  BOOST_TEST(ask("GET", "/v1/nothing").status == 404);
  BOOST_TEST(ask("PATCH", id.path()).status == 405);
  BOOST_TEST(ask("DELETE", "/v1/tenant/" + core::to_string(unknown.tenant)).status == 200);
}

BOOST_AUTO_TEST_CASE(bodies_of_the_wrong_form_are_refused_on_every_route_that_takes_one) {
  std::string deep;
  for (int i = 0; i < 50'000; ++i) deep += R"({"mconf":)";
  for (const auto& [method, path] : operations()) {
    if (method == "GET" || method == "DELETE" || path.ends_with("/checkpoint")) continue;
    std::string at = replaced(path, "{tenant_id}", core::to_string(id.tenant));
    at = replaced(at, "{timeline_id}", core::to_string(id.timeline));
    for (const std::string& body :
         {std::string("{"), std::string("nonsense"), std::string("[]"), std::string("5"), std::string("\"text\""), deep,
          std::string("{\"mconf\": \"\xFF\xFE\"}"), std::string("\0\0\0\0", 4)})
      refuses(method, at, body, 400, "body");
    const json good = good_body(path);
    json stranger = good;
    stranger["generaton"] = 1;
    refuses(method, at, stranger.dump(), 400, "generaton");
    // What must be there is missing, or null.
    for (const auto& [name, value] : good.items()) {
      if (name == "start_lsn" || name == "pg_version") continue;
      json without = good;
      without.erase(name);
      refuses(method, at, without.dump(), 400, name);
      without[name] = nullptr;
      refuses(method, at, without.dump(), 400, name);
    }
    for (const auto& [name, value] : good.items())
      for (const json& wrong :
           {json(true), json(-1), json(1.5), json(1e300), json::object(), json(json::array({json()})), json(""),
            json("nonsense"), json(std::string(100'000, '7'))}) {
        json body = good;
        body[name] = wrong;
        refuses(method, at, body.dump(), 400, "");
      }
  }
}

BOOST_AUTO_TEST_CASE(numbers_that_no_cluster_has_make_no_timeline) {
  const std::string path = "/v1/tenant/timeline";
  const std::size_t timelines = keeper.api("GET", path).size();
  const auto wrong = [&](const char* name, json value, const std::string& words) {
    json body = good_body(path);
    body[name] = std::move(value);
    refuses("POST", path, body.dump(), 400, words);
  };
  for (const std::uint64_t size : {1ULL, 3ULL, 8192ULL, (16ULL << 20) + 1, 2ULL << 30, 1ULL << 32})
    wrong("wal_seg_size", size, size >> 32 ? "too large" : "WAL segments");
  wrong("pg_version", 90'000, "not supported");
  wrong("pg_version", 1ULL << 32, "too large");
  wrong("start_lsn", "0/0", "start_lsn");
  wrong("start_lsn", "0/", "start_lsn");
  wrong("start_lsn", "1/2/3", "start_lsn");
  wrong("start_lsn", "123456789/0", "start_lsn");
  BOOST_TEST(keeper.api("GET", path).size() == timelines);

  // No segment ends behind it.
  wrong("start_lsn", "FFFFFFFF/FFFFFFF8", "no WAL begins at");
  wrong("start_lsn", "FFFFFFFF/FF000000", "no WAL begins at");
  wrong("start_lsn", "0/2000029", "no WAL begins at");
  BOOST_TEST(keeper.api("GET", path).size() == timelines);
  keeper.kill();
  keeper.start();
  pid = keeper.api("GET", "/v1/status").at("pid");
  BOOST_TEST(keeper.api("GET", path).size() == timelines, "after a restart");
}

BOOST_AUTO_TEST_CASE(configurations_that_can_not_be_are_refused_wherever_one_is_told) {
  const json member = configuration(9)["members"][0];
  const auto with = [&](const char* name, const json& value) {
    json changed = member;
    changed[name] = value;
    return json::array({changed});
  };
  std::vector<json> lists{json(5),
                          json::object(),
                          json("x"),
                          json::array(),
                          json::array({5}),
                          json::array({json::object()}),
                          json::array({member, member})};
  for (const json& id_of : {json(0), json(-1), json("1"), json(1.5), json()}) lists.push_back(with("id", id_of));
  for (const json& port : {json(0), json(-1), json(65536), json("5454"), json()}) lists.push_back(with("port", port));
  // As long as no name is, and as long as would be cut to something shorter where sizes have 16 bits.
  for (const json& host : {json(), json(5), json(""), json("two words"), json("line\n"), json(std::string("a\0b", 3)),
                           json("h\u00f6st"), json(std::string(256, 'h')), json(std::string(65'536 + 9, 'h'))})
    lists.push_back(with("host", host));
  json many = json::array();
  for (int i = 1; i <= 33; ++i) many.push_back({{"id", i}, {"host", "127.0.0.1"}, {"port", 5454}});
  lists.push_back(many);

  for (const char* path : {"/membership", "/exclude", ""}) {
    const bool creates = *path == 0;
    const std::string at = creates ? "/v1/tenant/timeline" : id.path() + path;
    const auto refused = [&](const json& mconf) {
      json body = creates ? good_body(at) : json::object();
      body["mconf"] = mconf;
      refuses(creates ? "POST" : "PUT", at, body.dump(), 400, "");
    };
    for (const json& list : lists) {
      refused({{"generation", 9}, {"members", list}});
      if (!list.is_null())
        refused({{"generation", 9}, {"members", configuration(9)["members"]}, {"new_members", list}});
    }
    for (const json& generation : {json(), json("9"), json(-1), json(1.5), json(1ULL << 32)})
      refused({{"generation", generation}, {"members", configuration(9)["members"]}});
  }
}

BOOST_AUTO_TEST_CASE(a_configuration_that_comes_late_deletes_nothing) {
  // Left out in generation 2, a member again in generation 3.
  keeper.api("PUT", id.path() + "/membership", {{"mconf", configuration(3)}});
  before = acceptor();
  json without = configuration(2);
  without["members"][0]["id"] = 7;
  refuses("PUT", id.path() + "/exclude", json{{"mconf", without}}.dump(), 409, "member in generation 3");
  without["generation"] = 3;
  refuses("PUT", id.path() + "/exclude", json{{"mconf", without}}.dump(), 409, "member in generation 3");
  refuses("PUT", id.path() + "/exclude", json{{"mconf", configuration(4)}}.dump(), 400, "is a member of this");
  // Older members are no news.
  BOOST_TEST(keeper.api("PUT", id.path() + "/membership", {{"mconf", without}})["mconf"]["generation"] == 3);
}

BOOST_AUTO_TEST_CASE(a_term_that_nobody_could_follow_is_refused) {
  const std::string path = id.path() + "/term_bump";
  for (const char* term :
       {"18446744073709551615", "18446744073709551616", "9223372036854775808", "-1", "1.5", "\"2\"", "[2]", "true"})
    refuses("POST", path, std::string("{\"term\": ") + term + "}", 400, "term");
  BOOST_TEST(keeper.api("POST", path, {{"term", 1}})["acceptor_state"]["term"] == 1);
}

BOOST_AUTO_TEST_CASE(parts_of_wal_that_are_none_have_no_digest) {
  const std::string path = id.path() + "/digest";
  refuses("GET", path, "", 400, "from_lsn is missing");
  refuses("GET", path + "?from_lsn=0/1000028", "", 400, "until_lsn is missing");
  refuses("GET", path + "?from_lsn=x&until_lsn=0/1000030", "", 400, "from_lsn");
  refuses("GET", path + "?from_lsn=0/1000028&until_lsn=0/0", "", 400, "until_lsn");
  refuses("GET", path + "?from_lsn=0/1000030&until_lsn=0/1000028", "", 422, "is not a part of WAL");
  refuses("GET", path + "?from_lsn=0/1000028&until_lsn=FFFFFFFF/FFFFFFFF", "", 422, "is not a part of WAL");
  refuses("GET", path + "?from_lsn=0/8&until_lsn=0/1000030", "", 422, "no longer on this safekeeper");
  BOOST_TEST(ask("GET", path + "?from_lsn=0/1000028&until_lsn=0/1000028").status == 200);
}

BOOST_AUTO_TEST_CASE(false_donors_give_nothing_and_a_good_one_beside_them_is_found) {
  const wal_identity wanted;
  safekeeper_process good(2);
  good.start();
  consensus::configuration members;
  members.generation = 1;
  members.members = {good.member()};
  {
    test_proposer proposer(good.wal_port(), wanted);
    BOOST_REQUIRE(proposer.lead(members, {1}, wal.start()));
    proposer.push(wal.start(), wal.from(wal.start()), {});
  }
  const json ids{{"tenant_id", core::to_string(wanted.tenant)}, {"timeline_id", core::to_string(wanted.timeline)}};
  const auto from = [&](const json& hosts) {
    json body = ids;
    body["http_hosts"] = hosts;
    return body.dump();
  };
  const std::string pull = "/v1/pull_timeline";
  for (const json& hosts :
       {json("127.0.0.1:1"), json::array(), json({5}), json({"nonsense"}), json({"127.0.0.1"}), json({"127.0.0.1:0"}),
        json({"127.0.0.1:99999"}), json({"127.0.0.1:99999999999999999999"}), json({std::string(900'000, 'h') + ":80"}),
        json({"two words:80"}), json(std::vector<std::string>(33, "127.0.0.1:1"))})
    refuses("POST", pull, from(hosts), 400, "");
  refuses("POST", pull, from({"127.0.0.1:1"}), 503, "no host has the timeline");
  refuses("POST", pull, from({"127.0.0.1:" + std::to_string(keeper.http_port())}), 503, "no host has the timeline");

  const json truth = good.api("GET", wanted.path());
  const json status = good.api("GET", "/v1/status");
  const auto changed = [&](const char* pointer, const json& value) {
    json lie = truth;
    lie[json::json_pointer(pointer)] = value;
    return lie.dump();
  };
  std::vector<std::pair<std::string, std::string>> lies{
      {"", status.dump()},
      {"nonsense", status.dump()},
      {"[]", status.dump()},
      {"{}", status.dump()},
      {truth.dump(), "5"},
      {truth.dump(), "{}"},
      {truth.dump(), R"({"wal_address": 5})"},
      {truth.dump(), R"({"wal_address": "nowhere"})"},
      {changed("/timeline_id", core::to_string(id.timeline)), status.dump()},
      {changed("/mconf", {{"generation", 0}, {"members", json::array()}}), status.dump()},
      {changed("/acceptor_state/term_history", {{{"term", 2}, {"lsn", "0/0"}}}), status.dump()},
      {changed("/acceptor_state/term_history/0/lsn", "0/1000030"), status.dump()},
      {changed("/acceptor_state/term_history/0/term", -1), status.dump()},
      {changed("/pg_info/wal_seg_size", 3), status.dump()},
      {changed("/pg_info/wal_seg_size", -1), status.dump()},
      {changed("/pg_info/pg_version", "15"), status.dump()},
      {changed("/local_start_lsn", "0/8"), status.dump()},
      {changed("/local_start_lsn", "FFFFFFFF/FFFFFFF0"), status.dump()},
      {changed("/wal_begin_lsn", "FFFFFFFF/FFFFFFF0"), status.dump()},
      {changed("/timeline_start_lsn", "5"), status.dump()}};
  const std::string path = wanted.path();
  for (const auto& [timeline, told] : lies) {
    const false_donor donor(timeline, told);
    const answer got = ask("POST", pull, from({donor.address()}));
    BOOST_TEST_MESSAGE(got.status << " " << got.code << " to " << timeline.substr(0, 60) << " " << told.substr(0, 30));
    BOOST_TEST((got.status == 200 || (got.status >= 400 && !got.message.empty())), got << " to " << timeline);
    // A lie that did not matter, an empty timeline that was begun with it, or none.
    if (ask("GET", path).status != 200) continue;
    const json its = keeper.api("GET", path);
    if (got.status == 200)
      BOOST_TEST(
          (its.at("flush_lsn") == truth.at("flush_lsn") && its.at("acceptor_state") == truth.at("acceptor_state")),
          its << " by " << timeline);
    else
      BOOST_TEST(its.at("flush_lsn") == its.at("local_start_lsn"), its << " by " << timeline);
    keeper.api("DELETE", path);
  }
  const false_donor useless("[]", "5");
  const json pulled =
      keeper.api("POST", pull, json::parse(from({useless.address(), "127.0.0.1:" + std::to_string(good.http_port())})));
  BOOST_TEST(pulled.at("flush_lsn") == truth.at("flush_lsn"));
}

BOOST_AUTO_TEST_CASE(huge_requests_are_refused_and_take_no_memory) {
  const std::uint64_t peak = memory_peak_bytes(pid);
  const std::string path = id.path() + "/membership";
  refuses("PUT", path, std::string((1u << 20) + 1, ' '), 413, "larger");
  BOOST_TEST(ask("GET", "/" + std::string(100'000, 'x')).status == 414);
  const std::string head = "PUT " + path + " HTTP/1.1\r\nHost: localhost\r\n";
  const auto first_line = [&](const std::string& request) {
    const raw_connection connection(keeper.http_port());
    connection.send(core::bytes(request.begin(), request.end()));
    std::string line;
    for (std::uint8_t each = 0; line.size() < 200 && connection.receive(&each, 1) && each != '\r';)
      line += static_cast<char>(each);
    return line;
  };
  // Neither is waited for: the refusal comes at once.
  BOOST_TEST(first_line(head + "Content-Length: 999999999999\r\n\r\n{") == "HTTP/1.1 413 Payload Too Large");
  BOOST_TEST(first_line(head + "Content-Length: -1\r\n\r\n").find("HTTP/1.1 4") == 0u);
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  BOOST_TEST(first_line(chunked + "5\r\n").find("HTTP/1.1 411") == 0u);
  const std::string chunk = "100000\r\n" + std::string(1u << 20, ' ') + "\r\n";
  std::string chunks = chunked;
  for (int i = 0; i < 64; ++i) chunks += chunk;
  try {
    first_line(chunks + "0\r\n\r\n");
  } catch (const std::system_error&) {  // it has closed the connection, as it may
  }
  const finished packed = run({.arguments = {"gzip", "-c"}, .input = std::string(64u << 20, ' ')});
  BOOST_TEST_REQUIRE(packed.exit_code == 0);
  BOOST_TEST(ask("PUT", path, packed.out, {{"Content-Encoding", "gzip"}}).status == 415);
  BOOST_TEST(ask("PUT", path, packed.out, {{"Content-Encoding", "br"}}).status == 415);
  BOOST_TEST(memory_peak_bytes(pid) < peak + (24u << 20));
}

BOOST_AUTO_TEST_SUITE_END()
