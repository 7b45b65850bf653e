#include "api/http_server.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <sys/socket.h>

#include "api/errors.hpp"
#include "api/http_front.hpp"
#include "api/request_origin.hpp"
#include "api/route.hpp"
#include "api/timeline_sizes.hpp"
#include "core/check.hpp"
#include "core/log.hpp"

namespace strata::api {
namespace {

constexpr std::size_t method_size_max = 40;
constexpr std::size_t path_shown_max = 200;

reply not_understood(int status) {
  const bool large = status == 413;
  return refusal(
      status, "invalid_argument",
      large ? "the request is larger than the limit of this server" : "malformed or unsupported HTTP request",
      "GET /openapi.json describes every request");
}

/// The library opens the port; nothing else of its server is used: it bounds what it reads by limits of its own, which
/// are compiled into it, and takes a request where its answer is.
class port_opener final : public httplib::Server {
 public:
  [[nodiscard]] int listener() const { return svr_sock_; }
};

/// What a head shows to be no request that can be served; nullopt: none of that.
std::optional<reply> refused_by_head(const request_head& head, const http_limits& limits, bool on_loopback) {
  if (head.method.empty()) return not_understood(400);
  if (const auto foreign = foreign_origin(head, on_loopback))
    return refusal(403, "permission_denied", *foreign,
                   "send the address of this server as Host, and no Origin of another site");
  if (head.has_transfer_encoding)
    return refusal(411, "invalid_argument", "Content-Length is required",
                   "send the whole body, with its size in Content-Length");
  if (head.has_content_encoding)
    return refusal(415, "invalid_argument", "the body is compressed", "send it uncompressed");
  if (head.body_size > limits.body_size_max) return not_understood(413);
  if (head.body_unknown)
    return refusal(400, "invalid_argument", "Content-Length is not one number", "send the body's size in bytes, once");
  return std::nullopt;
}

/// The answer of a handler, or to what it failed at.
reply reply_of(core::result<reply> made, const std::string& what) {
  if (made) return *std::move(made);
  if (http_status(made.error().code) >= 500) core::log_warning("http: " + what + ": " + core::to_string(made.error()));
  return error_reply(made.error());
}

/// As it is sent. `what` is the request, for the log.
raw_response response_of(reply made, const std::string& what, bool close, bool head_only) {
  if (made.later)
    return {{}, close, nullptr, [later = std::move(made.later), what, close, head_only](auto give) {
              return later([give = std::move(give), what, close, head_only](core::result<reply> found) {
                give(response_of(reply_of(std::move(found), what), what, close, head_only));
              });
            }};
  if (!made.stream) return {answer_text(made, close, head_only), close};
  raw_response streamed{stream_head_text(made, close), close};
  if (!head_only)
    streamed.stream = [what, source = std::move(made.stream)]() -> core::result<body_part> {
      auto part = source();
      if (!part) core::log_error("http: " + what + ": broken off: " + core::to_string(part.error()));
      return part;
    };
  return streamed;
}

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
  raw_response process(const raw_request& asked);
  [[nodiscard]] reply answer(const std::string& method, request asked) const;

  const http_options options_;
  services services_;
  const route_table table_;
  port_opener port_opener_;
  std::unique_ptr<http_front> front_;
  std::uint16_t port_ = 0;
};

/// On a thread of a lane.
raw_response server::process(const raw_request& asked) {
  const request_head head = find_head(asked.bytes).value_or(request_head{});
  const bool close = asked.last || head.closes || front_->ending();
  const bool head_only = head.method == "HEAD";
  const std::string method(head_only ? "GET" : head.method.substr(0, method_size_max));
  const std::string what = method + " " + asked.path.substr(0, path_shown_max);
  if (auto refused = refused_by_head(head, options_.limits, is_loopback_name(options_.listen_address)))
    return response_of(*std::move(refused), what, true, head_only);
  return response_of(answer(method, {asked.path, {}, query_members(head.query), std::string(asked.body())}), what,
                     close, head_only);
}

core::result<void> server::start() {
  // The library's own choice, SO_REUSEPORT, would let two servers share a port without a word.
  port_opener_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  errno = 0;
  int port = options_.port;
  if (port == 0)
    port = port_opener_.bind_to_any_port(options_.listen_address);
  else if (!port_opener_.bind_to_port(options_.listen_address, port))
    port = -1;
  if (port <= 0) {
    const std::string where = options_.listen_address + ":" + std::to_string(options_.port);
    if (errno == EADDRINUSE)
      return core::error{core::errc::conflict, "listen on " + where + ": another program has this port"};
    return core::from_errno("listen on " + where, errno);
  }
  port_ = static_cast<std::uint16_t>(port);
  // The library's queue holds five.
  ::listen(port_opener_.listener(), SOMAXCONN);
  const int flags = ::fcntl(port_opener_.listener(), F_GETFL);
  ::fcntl(port_opener_.listener(), F_SETFL, flags | O_NONBLOCK);
  front_ = std::make_unique<http_front>(front_options{.listener = port_opener_.listener(),
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

reply server::answer(const std::string& method, request asked) const {
  matched_route match = match_route(table_, method, asked.path);
  const std::string shown = asked.path.substr(0, path_shown_max);
  if (match.found == nullptr && match.allowed.empty())
    return refusal(404, "not_found", "there is no " + shown, "GET /openapi.json lists every path");
  if (match.found == nullptr) {
    std::string allowed;
    for (const auto each : match.allowed) allowed += (allowed.empty() ? "" : ", ") + std::string(each);
    reply refused = refusal(405, "invalid_argument", shown + " takes " + allowed + ", not " + method,
                            "GET /openapi.json describes every request");
    refused.headers.emplace_back("Allow", allowed);
    return refused;
  }
  asked.path_parameters = std::move(match.parameters);
  for (const query_parameter& parameter : match.found->query)
    if (parameter.required && asked.query_text(std::string(parameter.name)).empty())
      return error_reply({core::errc::invalid_argument, "the query parameter " + std::string(parameter.name) +
                                                            " is missing: " + std::string(parameter.meaning)});
  try {
    return reply_of(match.found->handler(services_, asked), method + " " + shown);
  } catch (const std::exception& e) {
    core::log_error("http: " + method + " " + shown + ": " + e.what());
    return error_reply({core::errc::io_error, e.what()});
  }
}

}  // namespace

core::result<std::unique_ptr<http_server>> http_server::start(const http_options& options, services of,
                                                              route_table table) {
  core::check(of.system != nullptr, "an HTTP server needs the actor system");
  auto made = std::make_unique<server>(options, std::move(of), table);
  STRATA_TRY(made->start());
  return std::unique_ptr<http_server>(std::move(made));
}

}  // namespace strata::api
