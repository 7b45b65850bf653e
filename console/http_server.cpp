#include "console/http_server.hpp"

#include <httplib.h>

#include <atomic>
#include <future>
#include <thread>

#include "console/errors.hpp"
#include "console/route.hpp"
#include "console/worker_threads.hpp"
#include "core/check.hpp"
#include "core/log.hpp"

namespace strata::console {
namespace {

void put(const reply& from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  to.set_content(from.body, from.content_type);
}

class server final : public http_server {
 public:
  server(const http_options& options, services of, route_table table)
      : options_(options), services_(std::move(of)), table_(table) {}
  ~server() override { stop(); }

  core::result<void> start();
  [[nodiscard]] std::uint16_t port() const override { return port_; }
  void stop() override;

 private:
  void configure();
  void serve(const httplib::Request& from, httplib::Response& to) const;
  [[nodiscard]] reply answer(const std::string& method, const httplib::Request& from) const;
  void stream(const reply& from, std::string_view what, httplib::Response& to) const;

  const http_options options_;
  const services services_;
  const route_table table_;
  httplib::Server http_;
  std::promise<void> listening_;
  std::atomic<bool> ending_ = false;
  std::uint16_t port_ = 0;
  std::thread listener_;
};

void server::configure() {
  http_.new_task_queue = [this]() -> httplib::TaskQueue* {
    auto* threads = new worker_threads(options_.connections_max, options_.waiting_max);
    // Called once, when the server has begun to listen: only from here on can it be stopped.
    listening_.set_value();
    return threads;
  };
  // The library's own choice, SO_REUSEPORT, would let two servers share a port without a word.
  http_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  http_.set_tcp_nodelay(true);
  http_.set_payload_max_length(options_.body_size_max);
  http_.set_keep_alive_max_count(1000);
  http_.set_keep_alive_timeout(options_.idle_limit.count());
  http_.set_read_timeout(options_.read_limit);
  http_.set_write_timeout(options_.write_limit);
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
    // The library would wait for the body of a PUT that announces none, until the client goes away.
    if (from.has_header("Content-Length")) return httplib::Server::HandlerResponse::Unhandled;
    serve(from, to);
    return httplib::Server::HandlerResponse::Handled;
  });
  const auto handler = [this](const httplib::Request& from, httplib::Response& to) { serve(from, to); };
  http_.Get(".*", handler).Post(".*", handler).Put(".*", handler).Patch(".*", handler).Delete(".*", handler);
  http_.set_error_handler([](const httplib::Request&, httplib::Response& to) {
    if (!to.body.empty()) return;
    const bool large = to.status == 413;
    put(refusal(to.status, "invalid_argument",
                large ? "the request is larger than this server takes"
                      : "this is not an HTTP request that this server understands",
                "GET /openapi.json describes every request"),
        to);
  });
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
  listener_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "mgmt-accept");
    http_.listen_after_bind();
  });
  listening_.get_future().wait();
  return {};
}

void server::stop() {
  if (!listener_.joinable()) return;
  ending_ = true;
  http_.stop();
  listener_.join();
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
  const reply made = answer(from.method == "HEAD" ? "GET" : from.method, from);
  put(made, to);
  if (ending_) to.set_header("Connection", "close");
  if (made.stream) stream(made, from.path, to);
}

void server::stream(const reply& from, std::string_view what, httplib::Response& to) const {
  const auto provide = [this, source = from.stream, path = std::string(what)](std::size_t, httplib::DataSink& sink) {
    if (ending_) return false;
    const auto part = source();
    if (!part) {
      core::log_error("http: " + path + ": broken off: " + core::to_string(part.error()));
      return false;
    }
    if (!*part || (*part)->empty()) {
      sink.done();
      return true;
    }
    return sink.write(reinterpret_cast<const char*>((*part)->data()), (*part)->size());
  };
  to.body.clear();
  to.set_chunked_content_provider(from.content_type, provide);
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
