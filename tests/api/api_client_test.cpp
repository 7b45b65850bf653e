#include "api/api_client.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using api::api_client;
using namespace std::chrono_literals;

/// Accepts a connection for each answer, reads a request, sends the answer, and closes the connection or keeps it open.
class scripted_server {
 public:
  scripted_server(std::string answer, bool closes) : scripted_server(std::vector{std::move(answer)}, closes) {}
  scripted_server(std::vector<std::string> answers, bool closes) : answers_(std::move(answers)), closes_(closes) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    BOOST_REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    BOOST_REQUIRE(::listen(listener_, 1) == 0);
    BOOST_REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~scripted_server() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  scripted_server(const scripted_server&) = delete;
  scripted_server& operator=(const scripted_server&) = delete;
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] std::size_t requests() const { return requests_; }

 private:
  void serve() {
    for (const auto& answer : answers_) serve_one(answer);
  }
  void serve_one(const std::string& answer) {
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) return;
    std::string asked;
    char part[4096];
    for (ssize_t got = 1; got > 0 && asked.find("\r\n\r\n") == asked.npos;) {
      got = ::recv(client, part, sizeof part, 0);
      if (got > 0) asked.append(part, static_cast<std::size_t>(got));
    }
    ++requests_;
    ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    // Else until the client gives up.
    while (!closes_ && ::recv(client, part, sizeof part, 0) > 0) continue;
    ::close(client);
  }

  const std::vector<std::string> answers_;
  std::atomic<std::size_t> requests_ = 0;
  bool closes_;
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string address_;
  std::thread thread_;
};

const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

std::string refusal(const std::string& code) {
  const std::string body = "{\"error\": {\"code\": \"" + code + "\", \"message\": \"not now\"}}";
  return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

core::result<void> download(const api_client& from) {
  return from.download("/x", {}, [](core::bytes_view) { return core::result<void>(); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(api_api_client)

BOOST_AUTO_TEST_CASE(a_server_that_does_not_answer_in_time_is_named_with_the_limit) {
  {
    const scripted_server hung("", false);
    const auto answer = api_client(hung.address(), 1s, "safekeeper 3").get("/v1/status");
    BOOST_REQUIRE(!answer);
    BOOST_TEST(answer.error().detail == "safekeeper 3 at " + hung.address() + " did not answer within 1 s");
    // A read has changed nothing: it may be repeated.
    BOOST_TEST((answer.error().code == core::errc::timeout));
  }
  {
    const scripted_server hung("", false);
    const auto answer = api_client(hung.address(), 1s).post("/v1/x", nlohmann::json::object());
    BOOST_REQUIRE(!answer);
    BOOST_TEST(answer.error().detail == "the server at " + hung.address() + " did not answer within 1 s");
    BOOST_TEST((answer.error().code == core::errc::outcome_unknown));
  }
  // Half an answer is none.
  const scripted_server slow(head + "{", false);
  const auto answer = api_client(slow.address(), 1s).get("/v1/status");
  BOOST_REQUIRE(!answer);
  BOOST_TEST(answer.error().detail.ends_with("did not answer within 1 s"), answer.error().detail);
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_the_connection_is_not_one_that_does_not_answer) {
  for (const std::string& said : {std::string(), head + "{"}) {
    const scripted_server gone(said, true);
    const auto answer = api_client(gone.address(), 30s, "safekeeper 3").get("/v1/status");
    BOOST_REQUIRE(!answer);
    BOOST_TEST(answer.error().detail ==
               "safekeeper 3 at " + gone.address() + " closed the connection before it answered");
    BOOST_TEST((answer.error().code == core::errc::outcome_unknown));
  }
}

BOOST_AUTO_TEST_CASE(a_download_that_stands_still_is_not_one_that_was_ended) {
  {
    const scripted_server hung("", false);
    const auto done = download(api_client(hung.address(), 1s));
    BOOST_REQUIRE(!done);
    BOOST_TEST(done.error().detail == "the server at " + hung.address() + " did not answer within 1 s");
    BOOST_TEST((done.error().code == core::errc::timeout));
  }
  {
    const scripted_server hung(head + "12345", false);
    const auto done = download(api_client(hung.address(), 1s));
    BOOST_REQUIRE(!done);
    BOOST_TEST(done.error().detail == "the server at " + hung.address() + " sent nothing more for 1 s");
  }
  const scripted_server gone(head + "12345", true);
  const auto done = download(api_client(gone.address(), 30s));
  BOOST_REQUIRE(!done);
  BOOST_TEST(done.error().detail == "the server at " + gone.address() + " ended the transfer early; see its log");
}

BOOST_AUTO_TEST_CASE(a_stop_ends_a_call_that_waits) {
  const auto stopped_after = [](std::chrono::milliseconds pause, const auto& call) {
    std::stop_source stop;
    const std::jthread later([&stop, pause] {
      std::this_thread::sleep_for(pause);
      stop.request_stop();
    });
    return call(stop.get_token());
  };
  // Before the call and while it waits: for an answer, for the rest of one, or for a server that is busy.
  for (const auto pause : {0ms, 50ms})
    for (const std::string& said : {std::string(), head + "123"}) {
      const scripted_server hung(said, false);
      const auto answer = stopped_after(pause, [&](std::stop_token stop) {
        return api_client(hung.address(), 600s).end_with(std::move(stop)).post("/v1/x", nlohmann::json::object());
      });
      BOOST_TEST((answer.error().code == core::errc::unavailable));
      BOOST_TEST(answer.error().detail.ends_with("was given up, because this process ends"), answer.error().detail);
      const scripted_server other(said, false);
      const auto done = stopped_after(pause, [&](std::stop_token stop) {
        return download(api_client(other.address(), 600s).end_with(std::move(stop)));
      });
      BOOST_TEST((done.error().code == core::errc::unavailable));
    }
  const scripted_server busy(std::vector<std::string>(20, refusal("busy")), true);
  const auto answer = stopped_after(50ms, [&](std::stop_token stop) {
    return api_client(busy.address(), 600s).repeat_while_busy(600s).end_with(std::move(stop)).get("/v1/x");
  });
  BOOST_TEST((answer.error().code == core::errc::unavailable));
}

BOOST_AUTO_TEST_CASE(an_answer_in_time_is_the_answer) {
  const scripted_server good(head + "{\"pid\": 12", false);
  const auto cut = api_client(good.address(), 1s, "safekeeper 3").get("/v1/status");
  BOOST_REQUIRE(!cut);
  BOOST_TEST(cut.error().detail == "the answer of safekeeper 3 at " + good.address() + " is not JSON");
  const scripted_server other(head + "{\"pid\": 1}", false);
  BOOST_TEST(api_client(other.address(), 1s).get("/v1/status").value().at("pid") == 1);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_busy_is_asked_again_within_the_limit) {
  const std::string busy = refusal("busy");
  {
    const scripted_server server({busy, busy, head + "{\"pid\": 1}"}, true);
    auto client = api_client(server.address(), 30s).repeat_while_busy(30s);
    BOOST_TEST(client.post("/v1/x", nlohmann::json::object()).value().at("pid") == 1);
    BOOST_TEST(server.requests() == 3u);
  }
  {
    // What it said before the archive is not a part of the archive.
    const scripted_server server({busy, head + "0123456789"}, true);
    std::string got;
    const auto take = [&](core::bytes_view part) {
      got.append(part.begin(), part.end());
      return core::result<void>();
    };
    BOOST_TEST(api_client(server.address(), 30s).repeat_while_busy(30s).download("/x", {}, take).has_value());
    BOOST_TEST(got == "0123456789");
  }
  {
    const scripted_server server({busy}, true);
    BOOST_TEST((api_client(server.address(), 30s).get("/v1/x").error().code == core::errc::busy));
    BOOST_TEST(server.requests() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(another_refusal_is_not_asked_for_again) {
  const scripted_server server({refusal("unavailable")}, true);
  const auto answer = api_client(server.address(), 30s).repeat_while_busy(30s).get("/v1/x");
  BOOST_TEST((answer.error().code == core::errc::unavailable));
  BOOST_TEST(server.requests() == 1u);
}

BOOST_AUTO_TEST_CASE(a_download_whose_receiver_is_busy_is_not_repeated) {
  const scripted_server server({head + "0123456789"}, true);
  const auto done = api_client(server.address(), 30s)
                        .repeat_while_busy(30s)
                        .download("/x", {}, [](core::bytes_view) -> core::result<void> {
                          return core::error{core::errc::busy, "the receiver is busy"};
                        });
  BOOST_TEST((done.error().code == core::errc::busy));
  BOOST_TEST(server.requests() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
