#include "console/http_server.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "console/errors.hpp"
#include "console/http_front.hpp"
#include "console/route.hpp"
#include "console/timeline_sizes.hpp"
#include "core/check.hpp"
#include "core/log.hpp"

namespace strata::console {
namespace {

void put(const reply& from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  to.set_content(from.body, from.content_type);
}

reply not_understood(int status) {
  const bool large = status == 413;
  return refusal(status, "invalid_argument",
                 large ? "the request is larger than this server takes"
                       : "this is not an HTTP request that this server understands",
                 "GET /openapi.json describes every request");
}

/// A request that is here as a whole, and its answer: what the library takes for a connection.
class whole_request final : public httplib::Stream {
 public:
  explicit whole_request(const raw_request& of) : input_(of.bytes) {}

  [[nodiscard]] bool is_readable() const override { return !input_.empty(); }
  [[nodiscard]] bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t count = std::min(size, input_.size());
    std::memcpy(to, input_.data(), count);
    input_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, std::size_t size) override {
    output_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  [[nodiscard]] socket_t socket() const override { return 0; }

  /// The answer. The front has told the client already that it may go on.
  std::string take_output() {
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    if (output_.starts_with(go_on)) output_.erase(0, go_on.size());
    return std::move(output_);
  }

 private:
  std::string_view input_;
  std::string output_;
};

/// The library as a parser of requests and a writer of answers; its threads and sockets are not used, but for opening
/// the port.
class http_library final : public httplib::Server {
 public:
  using httplib::Server::process_request;
  [[nodiscard]] int listener() const { return svr_sock_; }
};

constexpr std::array<std::string_view, 6> methods_served{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

class server final : public http_server {
 public:
  server(const http_options& options, services of, route_table table)
      : options_(options), services_(std::move(of)), table_(table) {
    if (!services_.sizes) services_.sizes = std::make_shared<timeline_sizes>();
  }
  ~server() override { stop(); }

  core::result<void> start();
  [[nodiscard]] std::uint16_t port() const override { return port_; }
  void stop() override;

 private:
  void configure();
  raw_response process(const raw_request& asked);
  void serve(const httplib::Request& from, httplib::Response& to) const;
  [[nodiscard]] reply answer(const std::string& method, const httplib::Request& from) const;

  const http_options options_;
  services services_;
  const route_table table_;
  http_library http_;
  std::unique_ptr<http_front> front_;
  std::uint16_t port_ = 0;
  /// The answer that is being made on this thread, if its body is a stream.
  static thread_local std::optional<reply> streamed_;
};

thread_local std::optional<reply> server::streamed_;

void server::configure() {
  // The library's own choice, SO_REUSEPORT, would let two servers share a port without a word.
  http_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  http_.set_payload_max_length(options_.limits.body_size_max);
  http_.set_keep_alive_timeout(std::chrono::duration_cast<std::chrono::seconds>(options_.limits.idle_limit).count());
  http_.set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
    // Of neither does the library bound what it unpacks into memory.
    if (from.has_header("Transfer-Encoding")) {
      put(refusal(411, "invalid_argument", "the body's size is not announced", "send it whole, with Content-Length"),
          to);
      return httplib::Server::HandlerResponse::Handled;
    }
    if (from.has_header("Content-Encoding")) {
      put(refusal(415, "invalid_argument", "the body is compressed", "send it as it is"), to);
      return httplib::Server::HandlerResponse::Handled;
    }
    // The library would wait for the body of a PUT that announces none, and knows no body of some methods.
    const bool may_have_body = std::ranges::find(methods_served, from.method) != methods_served.end();
    if (may_have_body && from.has_header("Content-Length")) return httplib::Server::HandlerResponse::Unhandled;
    serve(from, to);
    return httplib::Server::HandlerResponse::Handled;
  });
  const auto handler = [this](const httplib::Request& from, httplib::Response& to) { serve(from, to); };
  http_.Get(".*", handler).Post(".*", handler).Put(".*", handler).Patch(".*", handler).Delete(".*", handler);
  http_.set_error_handler([](const httplib::Request&, httplib::Response& to) {
    if (to.body.empty()) put(not_understood(to.status), to);
  });
}

/// On a thread of a lane. What is no HTTP, or has a method of its own, does not get to the library.
raw_response server::process(const raw_request& asked) {
  if (asked.method.empty()) return {answer_text(not_understood(400)), true, nullptr};
  constexpr std::array<std::string_view, 4> never_served{"TRACE", "OPTIONS", "CONNECT", "PRI"};
  if (std::ranges::find(methods_served, asked.method) == methods_served.end() &&
      std::ranges::find(never_served, asked.method) == never_served.end()) {
    httplib::Request unknown;
    unknown.method = asked.method;
    unknown.path = asked.path;
    return {answer_text(answer(asked.method.substr(0, 40), unknown)), true, nullptr};
  }
  whole_request connection(asked);
  bool close = false;
  streamed_.reset();
  const bool goes_on = http_.process_request(connection, asked.last || front_->ending(), close, nullptr);
  raw_response made{connection.take_output(), close || !goes_on, nullptr};
  if (auto streamed = std::exchange(streamed_, std::nullopt)) {
    made.bytes = stream_head_text(*streamed, made.close);
    if (asked.method != "HEAD")
      made.stream = [path = asked.path, source = std::move(streamed->stream)]() -> core::result<body_part> {
        auto part = source();
        if (!part) core::log_error("http: " + path + ": broken off: " + core::to_string(part.error()));
        return part;
      };
  }
  return made;
}

core::result<void> server::start() {
  configure();
  errno = 0;
  int port = options_.port;
  if (port == 0)
    port = http_.bind_to_any_port(options_.listen_address);
  else if (!http_.bind_to_port(options_.listen_address, port))
    port = -1;
  if (port <= 0) {
    const std::string where = options_.listen_address + ":" + std::to_string(options_.port);
    if (errno == EADDRINUSE)
      return core::error{core::errc::conflict, "listen on " + where + ": another program has this port"};
    return core::from_errno("listen on " + where, errno);
  }
  port_ = static_cast<std::uint16_t>(port);
  // The library's queue holds five.
  ::listen(http_.listener(), SOMAXCONN);
  const int flags = ::fcntl(http_.listener(), F_GETFL);
  ::fcntl(http_.listener(), F_SETFL, flags | O_NONBLOCK);
  front_ = std::make_unique<http_front>(front_options{.listener = http_.listener(),
                                                      .connections_max = options_.connections_max,
                                                      .streams_max = options_.streams_max,
                                                      .limits = options_.limits,
                                                      .lanes = options_.lanes},
                                        [this](const raw_request& asked) { return process(asked); });
  front_->start();
  return {};
}

void server::stop() {
  if (front_) front_->stop();
}

reply server::answer(const std::string& method, const httplib::Request& from) const {
  const matched_route match = match_route(table_, method, from.path);
  if (match.found == nullptr && match.allowed.empty())
    return refusal(404, "not_found", "there is no " + from.path.substr(0, 200), "GET /openapi.json lists every path");
  if (match.found == nullptr) {
    std::string allowed;
    for (const auto each : match.allowed) allowed += (allowed.empty() ? "" : ", ") + std::string(each);
    reply refused = refusal(405, "invalid_argument", from.path + " takes " + allowed + ", not " + method,
                            "GET /openapi.json describes every request");
    refused.headers.emplace_back("Allow", allowed);
    return refused;
  }
  request asked{from.path, match.parameters, {}, from.body};
  for (const auto& [name, value] : from.params) asked.query.emplace(name, value);
  for (const query_parameter& parameter : match.found->query)
    if (parameter.required && asked.query_text(std::string(parameter.name)).empty())
      return error_reply({core::errc::invalid_argument, "the query parameter " + std::string(parameter.name) +
                                                            " is missing: " + std::string(parameter.meaning)});
  try {
    auto made = match.found->handler(services_, asked);
    if (made) return *std::move(made);
    if (http_status(made.error().code) >= 500)
      core::log_warning("http: " + method + " " + from.path + ": " + core::to_string(made.error()));
    return error_reply(made.error());
  } catch (const std::exception& e) {
    core::log_error("http: " + method + " " + from.path + ": " + e.what());
    return error_reply({core::errc::io_error, e.what()});
  }
}

void server::serve(const httplib::Request& from, httplib::Response& to) const {
  // HEAD is GET without the body, which the library leaves out by itself.
  reply made = answer(from.method == "HEAD" ? "GET" : from.method, from);
  put(made, to);
  if (made.stream) streamed_ = std::move(made);
}

}  // namespace

core::result<std::unique_ptr<http_server>> http_server::start(const http_options& options, services of,
                                                              route_table table) {
  core::check(of.system != nullptr, "an HTTP server needs the actor system");
  auto made = std::make_unique<server>(options, std::move(of), table);
  STRATA_TRY(made->start());
  return std::unique_ptr<http_server>(std::move(made));
}

}  // namespace strata::console
