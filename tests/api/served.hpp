#pragma once

#include <arpa/inet.h>
#include <httplib.h>
#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "api/http_server.hpp"
#include "tests/api/peers.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {

using api::http_options;
using api::http_server;
using nlohmann::json;

/// A server of the API in front of actors that a test plays, and what it answers.
struct served {
  served() : served(http_options{}) {}
  explicit served(const http_options& options) {
    auto started = http_server::start(options, others.services());
    BOOST_TEST_REQUIRE(started);
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
  /// Something has come, or the end, or does so within `patience`.
  [[nodiscard]] bool has_answer(std::chrono::milliseconds patience) const {
    pollfd end{socket_, POLLIN, 0};
    return ::poll(&end, 1, static_cast<int>(patience.count())) > 0;
  }
  [[nodiscard]] std::string first_line() const {
    std::string line;
    for (char c = 0; ::recv(socket_, &c, 1, 0) == 1 && c != '\r';) line += c;
    return line;
  }
  /// Of the answer whose first line was read; empty when there is none of this name.
  [[nodiscard]] std::string header(const std::string& name) const {
    const std::string start = "\n" + name + ": ";
    for (std::string line = first_line(); line.size() > 1; line = first_line())
      if (line.starts_with(start)) return line.substr(start.size());
    return "";
  }

 private:
  int socket_;
};

}  // namespace strata::tests
