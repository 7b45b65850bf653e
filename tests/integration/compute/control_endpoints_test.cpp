#include <httplib.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <future>
#include <map>
#include <thread>

#include "config/time_text.hpp"
#include "core/clock.hpp"
#include "tests/integration/compute/branch_fixture.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using steady = std::chrono::steady_clock;
namespace fs = std::filesystem;

const fs::path root = STRATA_SOURCE;

/// Milliseconds between which something happened, or that something took.
struct bounds {
  double least = 0;
  double most = 0;
  [[nodiscard]] double width() const { return most - least; }
  /// 0: within them.
  [[nodiscard]] double distance(double to) const { return std::max({least - to, to - most, 0.0}); }
};

/// Watches a compute from outside: between which two requests its agent began each of its steps.
class stopwatch {
 public:
  explicit stopwatch(std::uint16_t port) : thread_([this, port] { watch(port); }) {}
  ~stopwatch() {
    ended_ = true;
    thread_.join();
  }
  /// Returns when Postgres runs.
  std::map<std::string, bounds> wait() {
    wait_until("the stopwatch sees it run", [this] { return done_.load(); });
    return seen_;
  }

 private:
  void watch(std::uint16_t port) {
    httplib::Client client("127.0.0.1", port);
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    const auto begun = steady::now();
    const auto now = [begun] { return std::chrono::duration<double, std::milli>(steady::now() - begun).count(); };
    std::string last;
    double last_sent = 0;
    while (!ended_ && !done_) {
      const double sent = now();
      const auto got = client.Get("/status");
      const json status = got ? json::parse(got->body, nullptr, false) : json();
      const std::string state = status.is_object() ? status.value("agent_state", "") : "";
      if (!state.empty() && state != last) seen_[state] = {last_sent, now()};
      last_sent = sent;
      if (!state.empty()) last = state;
      if (status.is_object() && status.value("status", "") == "running") done_ = true;
    }
  }
  std::map<std::string, bounds> seen_;  ///< the reader's, once done_ is set
  std::atomic<bool> done_ = false;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

struct with_endpoints : with_branch {
  [[nodiscard]] http_reply ask(const std::string& method, const std::string& path, const std::string& body = "",
                               const httplib::Headers& headers = {}) const {
    httplib::Client client("127.0.0.1", port);
    client.set_read_timeout(60);
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.headers = headers;
    const auto got = client.send(request);
    if (!got) return {};
    return {got->status, got->body, got->get_header_value("Content-Type")};
  }
  [[nodiscard]] json status() const { return ask("GET", "/status").json(); }
  [[nodiscard]] http_reply configure(const std::vector<std::string>& settings) const {
    return ask("POST", "/configure", json{{"settings", settings}}.dump());
  }
  /// The compute, started with its endpoints on `port`.
  json start_here(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--control-port", std::to_string(port)});
    return start(std::move(more));
  }
  void wait_for_status(const std::string& wanted) const {
    wait_until("its status is " + wanted, [&] { return status().at("status") == wanted; });
  }

  std::uint16_t port = free_port();
};

/// Compares the endpoints' own times with those of a stopwatch outside. True: that was not held up by a busy machine.
bool compare(std::map<std::string, bounds> seen, const json& steps) {
  // A step too short to be seen began between the same two requests as the next one.
  const std::array names{"waiting_for_quorum", "waiting_for_pageserver", "restoring", "starting", "running"};
  for (std::size_t i = names.size() - 1; i-- > 0;) seen.emplace(names[i], seen.at(names[i + 1]));
  const auto time = [&](const char* name) { return steps.at(name).get<double>(); };
  bool is_sharp = true;
  const auto check = [&](std::size_t from, std::size_t to, double told) {
    const bounds& a = seen.at(names[from]);
    const bounds& b = seen.at(names[to]);
    const bounds took{b.least - a.most, b.most - a.least};
    BOOST_TEST(took.distance(told) <= 5.0,
               names[from] << ": " << told << " ms, seen from outside: " << took.least << " to " << took.most << " ms");
    is_sharp = is_sharp && took.width() <= 5.0;
  };
  check(0, 1, time("sync_safekeepers_ms"));
  check(1, 2, time("pageserver_ms"));
  check(2, 3, time("basebackup_ms"));
  check(3, 4, time("config_ms") + time("start_postgres_ms"));
  check(0, 4, time("total_startup_ms"));
  return is_sharp;
}

double sum_of(const std::string& metrics, const std::string& step) {
  const std::string name = "strata_compute_startup_seconds_sum{step=\"" + step + "\"} ";
  const auto at = metrics.find(name);
  return at == std::string::npos ? -1 : std::stod(metrics.substr(at + name.size()));
}

BOOST_FIXTURE_TEST_SUITE(integration_compute_control_endpoints, with_endpoints)

BOOST_AUTO_TEST_CASE(a_stopwatch_a_generated_client_and_an_end_agree_with_the_endpoints) {
  // Once more while the machine is so busy that the stopwatch says little.
  bool is_sharp = false;
  for (int attempt = 0; attempt < 4 && !is_sharp; ++attempt) {
    if (attempt > 0) strata.ask({"compute", "stop", "dev"});
    stopwatch outside(port);
    const json compute = start_here();
    BOOST_TEST(compute.at("control_port") == port);
    const json steps = ask("GET", "/metrics.json").json();
    const std::string metrics = ask("GET", "/metrics").body;
    is_sharp = compare(outside.wait(), steps);
    for (const char* step : {"sync_safekeepers", "pageserver", "basebackup", "config", "start_postgres"})
      BOOST_TEST(std::abs(sum_of(metrics, step) * 1000 - steps.at(step + std::string("_ms")).get<double>()) < 0.01);
    BOOST_TEST(std::abs(sum_of(metrics, "total") * 1000 - steps.at("total_startup_ms").get<double>()) < 0.01);
    BOOST_TEST(steps.at("basebackup_bytes").get<std::uint64_t>() > 0u);
  }
  BOOST_TEST_MESSAGE("the stopwatch was " << (is_sharp ? "exact to 5 ms" : "held up by a busy machine"));

  const json compute = now();
  execute(compute, "insert into rows values (1, 'kept')");
  const auto before = core::system_clock().now();
  wait_until("a client has been active", [&] { return !status().at("last_active").is_null(); });
  const auto active = config::parse_iso_time(status().at("last_active").get<std::string>(), config::default_zone::utc);
  BOOST_TEST_REQUIRE(active);
  BOOST_TEST((*active > before - 10s && *active < core::system_clock().now() + 1s));

  const temp_dir client;
  const fs::path document = client.path() / "openapi.json";
  std::ofstream(document) << ask("GET", "/openapi.json").body;
  const auto made = run(
      {.arguments = {(root / "scripts/openapi-client").string(), document.string(), (client.path() / "made").string()}},
      3min);
  BOOST_TEST_REQUIRE(made.exit_code == 0, made.out + made.err);
  const auto life = run({.arguments = {"node", (root / "tests/openapi_client/driver.cjs").string(),
                                       (client.path() / "made").string(), "http://127.0.0.1:" + std::to_string(port)}});
  BOOST_TEST_REQUIRE(life.exit_code == 0, life.out + life.err);
  const json seen = json::parse(life.out);
  BOOST_TEST(lsn_from(seen.at("before").at("durable_lsn")) < lsn_from(seen.at("after").at("durable_lsn")));
  BOOST_TEST(lsn_from(seen.at("after").at("durable_lsn")) <= lsn_from(seen.at("ended").at("durable_lsn")));
  // Its end is shown for a moment more, and holds up nobody.
  BOOST_TEST(status().at("status") == "terminated");
  const json again = start();
  BOOST_TEST(again.at("control_port") == port);
  sql_session session(again.at("uri"));
  BOOST_TEST(session.value("select filler from rows where id = 1") == "kept");
  BOOST_TEST(session.value("show work_mem") == "7MB");
  BOOST_TEST(session.value("show max_connections") == "41");
  BOOST_TEST(session.value("select count(*) from pg_class where relname like 'strata%'") == "0");

  BOOST_TEST(ask("POST", "/terminate?mode=immediate").status == 200);
  BOOST_TEST(now().at("state") == "stopped");
}

BOOST_AUTO_TEST_CASE(what_a_state_or_its_settings_do_not_allow_is_refused_and_a_failure_is_shown) {
  const json compute = start_here({"--set", "work_mem = 6MB"});
  for (const auto& [code, method, path, body] : std::initializer_list<std::array<std::string, 4>>{
           {"404", "GET", "/nowhere", ""},
           {"405", "GET", "/terminate", ""},
           {"413", "POST", "/configure", std::string(2u << 20, ' ')},
           {"400", "POST", "/configure", "{\"settings\": ["},
           {"400", "POST", "/configure", "[]"},
           {"400", "POST", "/configure", ""},
           {"400", "POST", "/configure", R"({"settings": "work_mem = 1MB"})"},
           {"400", "POST", "/configure", R"({"settings": [], "restart": true})"},
           {"400", "POST", "/configure", R"({"settings": ["hba_file = '/tmp/x'"]})"},
           {"400", "POST", "/configure", R"({"settings": ["work_mem = 1MB\nfsync = off"]})"},
           {"400", "POST", "/configure", R"({"settings": ["shared_preload_libraries = 'pg_cron'"]})"},
           {"400", "POST", "/configure", R"({"settings": ["no_such_setting = 1"]})"},
           {"400", "POST", "/configure", R"({"settings": ["max_connections = 'many'"]})"},
           {"400", "POST", "/terminate?mode=slowly", ""}}) {
    const auto got = ask(method, path, body);
    BOOST_TEST(std::to_string(got.status) == code, method + " " + path + " " + body.substr(0, 80) + ": " + got.body);
  }
  for (const httplib::Headers& each :
       {httplib::Headers{{"Host", "evil.example"}}, httplib::Headers{{"Origin", "http://evil.example"}},
        httplib::Headers{{"Sec-Fetch-Site", "cross-site"}}})
    BOOST_TEST(ask("POST", "/terminate", "", each).status == 403);

  // It passes every check, and Postgres does not start with it.
  const auto refused = configure({"work_mem = 1MB", "max_connections = 50", "shared_preload_libraries = 'no_library'"});
  BOOST_TEST(refused.status == 400, refused.body);
  BOOST_TEST(refused.body.find("no_library") != std::string::npos, refused.body);
  BOOST_TEST(value(compute, "show work_mem") == "6MB");
  BOOST_TEST(status().at("status") == "running");
  BOOST_TEST(status().at("settings") == json({"work_mem = 6MB"}));
  // What Strata forces is told, and nothing waits for a restart that would not help.
  const auto overridden = configure({"work_mem = 6MB", "fsync = on"});
  BOOST_TEST(overridden.json().at("overridden").at(0).at("by") == "fsync=off", overridden.body);
  BOOST_TEST(overridden.json().at("restarted") == false);

  // Postgres, and then the quorum, do not answer.
  const pid_t postmaster = postmaster_of(now());
  ::kill(postmaster, SIGSTOP);
  const auto no_postgres = ask("POST", "/check_writability");
  ::kill(postmaster, SIGCONT);
  BOOST_TEST(no_postgres.status == 503, no_postgres.body);
  BOOST_TEST(no_postgres.json().at("error").at("component") == "postgres");
  signal_safekeepers({1, 2}, SIGSTOP);
  const auto no_quorum = ask("POST", "/check_writability?limit_ms=300");
  BOOST_TEST(no_quorum.status == 503, no_quorum.body);
  BOOST_TEST(no_quorum.json().at("error").at("component") == "quorum");
  // The same commit is waited for.
  BOOST_TEST(ask("POST", "/check_writability?limit_ms=300").status == 503);
  BOOST_TEST(value(compute, "select count(*) from pg_stat_activity where application_name = 'strata_control'") == "1");

  // An end that waits for acknowledgements takes nothing else but one that does not.
  auto fast = std::async(std::launch::async, [&] { return ask("POST", "/terminate"); });
  wait_for_status("termination_pending_fast");
  for (const char* path : {"/terminate", "/configure", "/check_writability"}) {
    const auto got = ask("POST", path, path == std::string("/configure") ? R"({"settings": []})" : "");
    BOOST_TEST(got.status == 412, got.body);
    BOOST_TEST(got.json().at("error").at("state") == "termination_pending_fast");
  }
  const auto immediate = ask("POST", "/terminate?mode=immediate");
  BOOST_TEST(immediate.status == 200, immediate.body);
  BOOST_TEST(fast.get().status == 200);
  signal_safekeepers({1, 2}, SIGCONT);

  // A start that fails shows why on a port that was known before, though its command is done.
  const auto failed = strata.cli({"compute", "start", "dev", "--set", "shared_preload_libraries = 'no_library'"});
  BOOST_TEST(failed.exit_code != 0);
  const json last = status();
  BOOST_TEST(last.at("status") == "failed", last.dump());
  BOOST_TEST(last.at("error").get<std::string>().find("no_library") != std::string::npos, last.dump());
  port = free_port();  // the other one shows the failure for a moment more
  const json reader =
      strata.ask({"compute", "start", "main", "--name", "reader", "--control-port", std::to_string(port)});
  BOOST_TEST(status().at("mode") == reader.at("mode"));
  const auto of_reader = ask("POST", "/check_writability");
  BOOST_TEST(of_reader.status == 412, of_reader.body);
  BOOST_TEST(configure({"work_mem = 9MB"}).status == 200);
  BOOST_TEST(value(reader, "show work_mem") == "9MB");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
