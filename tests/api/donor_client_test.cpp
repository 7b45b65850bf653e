#include "api/donor_client.hpp"

#include <httplib.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/api_client.hpp"
#include "api/safekeeper_json.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;

/// The HTTP API of another safekeeper, with the answers of a test.
struct donor {
  donor() {
    info.state.tenant = of.tenant;
    info.state.timeline = of.timeline;
    info.state.members = {1, {{{1}, "h", 7001}}, std::nullopt};
    info.state.in = {2};
    info.state.history = consensus::term_history({{{2}, core::lsn(0x1000)}});
    info.wal_begin = core::lsn(0x1000);
    info.flush_lsn = core::lsn(0x2000);
    info.condition = "active";
    timeline = api::to_json(info).dump();
    server.Get("/v1/tenant/" + core::to_string(of.tenant) + "/timeline/" + core::to_string(of.timeline),
               [this](const httplib::Request&, httplib::Response& to) {
                 if (refuses) to.status = 400;
                 to.set_content(timeline, "application/json");
               });
    server.Get("/v1/status",
               [this](const httplib::Request&, httplib::Response& to) { to.set_content(status, "application/json"); });
    port = server.bind_to_any_port("127.0.0.1");
    thread = std::thread([this] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
  }
  ~donor() {
    server.stop();
    thread.join();
  }
  donor(const donor&) = delete;
  donor& operator=(const donor&) = delete;

  [[nodiscard]] core::result<messages::wal_donor> ask() const {
    return api::ask_donor("127.0.0.1:" + std::to_string(port), of);
  }
  void is_refused() const {
    const auto answer = ask();
    BOOST_TEST(!answer, timeline.substr(0, 60) << " " << status);
    if (!answer) BOOST_TEST(!answer.error().detail.empty());
  }

  core::timeline_key of{core::make_id<core::tenant_id>(), core::make_id<core::timeline_id>()};
  messages::wal_timeline_info info;
  std::string timeline;
  bool refuses = false;
  std::string status = R"({"wal_address": "127.0.0.1:7001"})";
  httplib::Server server;
  int port = 0;
  std::thread thread;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(api_donor_client, donor)

BOOST_AUTO_TEST_CASE(a_copy_comes_with_the_address_of_its_wal) {
  const auto found = ask();
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST((found->state.timeline == of.timeline));
  BOOST_TEST((found->state.history == info.state.history));
  BOOST_TEST((found->wal_begin == info.wal_begin));
  BOOST_TEST((found->flush_lsn == info.flush_lsn));
  BOOST_TEST(found->wal_address == "127.0.0.1:7001");
}

BOOST_AUTO_TEST_CASE(answers_that_are_no_safekeepers_are_refused) {
  const std::string good = timeline;
  for (const char* bad : {"", "nonsense", "[]", "{}", "5", "null"}) {
    timeline = bad;
    is_refused();
  }
  timeline = good;
  for (const char* bad : {"", "nonsense", "[]", "{}", "5", R"({"wal_address": 5})"}) {
    status = bad;
    is_refused();
  }
}

BOOST_AUTO_TEST_CASE(an_error_of_another_form_is_an_error) {
  timeline = R"({"error": {"code": 5, "message": []}})";
  refuses = true;
  is_refused();
}

BOOST_AUTO_TEST_CASE(a_host_that_sends_a_byte_now_and_then_has_no_more_time_than_a_silent_one) {
  std::atomic<bool> over = false;
  server.Get("/v1/drip", [&](const httplib::Request&, httplib::Response& to) {
    to.set_content_provider(1u << 20, "application/json", [&](std::size_t, std::size_t, httplib::DataSink& sink) {
      // The slow host: much less than the client's limit between two bytes, and more in all.
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return !over && sink.write(" ", 1);
    });
  });
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = api::api_client("127.0.0.1:" + std::to_string(port), std::chrono::seconds(1)).get("/v1/drip");
  over = true;
  BOOST_TEST_REQUIRE(!answer);
  BOOST_TEST((answer.error().code == core::errc::timeout), core::to_string(answer.error()));
  BOOST_TEST((std::chrono::steady_clock::now() - begun < std::chrono::seconds(10)));
}

BOOST_AUTO_TEST_CASE(an_answer_without_end_does_not_fill_the_memory) {
  const std::string part(1u << 20, ' ');
  std::size_t sent = 0;
  server.Get("/v1/flood", [&](const httplib::Request&, httplib::Response& to) {
    to.set_chunked_content_provider("application/json", [&](std::size_t, httplib::DataSink& sink) {
      if (sent >= std::size_t{1} << 30) return false;
      sent += part.size();
      return sink.write(part.data(), part.size());
    });
  });
  const auto answer = api::api_client("127.0.0.1:" + std::to_string(port), std::chrono::seconds(60)).get("/v1/flood");
  BOOST_TEST_REQUIRE(!answer);
  BOOST_TEST((answer.error().code == core::errc::io_error), core::to_string(answer.error()));
  BOOST_TEST(sent < std::size_t{1} << 30);
}

BOOST_AUTO_TEST_CASE(a_host_without_the_timeline_or_without_a_server_is_no_donor) {
  const auto missing =
      api::ask_donor("127.0.0.1:" + std::to_string(port), {of.tenant, core::make_id<core::timeline_id>()});
  BOOST_TEST(!missing);
  const auto nobody = api::ask_donor("127.0.0.1:1", of);
  BOOST_TEST_REQUIRE(!nobody);
  BOOST_TEST((nobody.error().code == core::errc::unavailable));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
