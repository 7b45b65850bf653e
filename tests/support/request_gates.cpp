#include "tests/support/request_gates.hpp"

#include <httplib.h>

#include <condition_variable>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace strata::tests {
namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

}  // namespace

struct request_gates::impl {
  struct gate {
    httplib::Server server;
    std::thread thread;
  };

  std::mutex mutex;
  std::condition_variable opened;
  std::size_t count = 0;
  std::size_t held_number = none;
  side where = side::before;
  bool holding = false;
  std::uint64_t opened_times = 0;
  std::vector<std::pair<std::string, std::string>> rewrites;
  std::vector<std::unique_ptr<gate>> gates;

  std::size_t next_number() {
    const std::lock_guard lock(mutex);
    return count++;
  }
  /// Whether it was held.
  bool pass(std::size_t number, side here) {
    std::unique_lock lock(mutex);
    if (number != held_number || here != where) return false;
    holding = true;
    opened.wait(lock, [this, before = opened_times] { return opened_times != before; });
    return true;
  }

  std::string rewritten(std::string text) {
    const std::lock_guard lock(mutex);
    for (const auto& [from, to] : rewrites)
      for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
  }

  void relay(std::uint16_t target, const httplib::Request& from, httplib::Response& to) {
    const std::size_t number = next_number();
    to.status = 502;
    if (pass(number, side::before)) return;
    httplib::Request asked;
    asked.method = from.method;
    asked.path = from.target;
    asked.body = from.body;
    if (!from.body.empty()) asked.set_header("Content-Type", "application/json");
    httplib::Client client("127.0.0.1", target);
    client.set_read_timeout(std::chrono::minutes(1));
    const auto got = client.send(asked);
    pass(number, side::after);
    if (!got) return;
    to.status = got->status;
    to.set_content(rewritten(got->body), "application/json");
  }
};

request_gates::request_gates() : impl_(std::make_unique<impl>()) {}

request_gates::~request_gates() {
  open();
  for (const auto& each : impl_->gates) each->server.stop();
  for (const auto& each : impl_->gates) each->thread.join();
}

std::uint16_t request_gates::stand_before(std::uint16_t target) {
  auto made = std::make_unique<impl::gate>();
  auto& server = made->server;
  const auto handler = [this, target](const httplib::Request& from, httplib::Response& to) {
    impl_->relay(target, from, to);
  };
  // The library would wait for the body of a request that announces none.
  server.set_pre_routing_handler([handler](const httplib::Request& from, httplib::Response& to) {
    if (from.has_header("Content-Length")) return httplib::Server::HandlerResponse::Unhandled;
    handler(from, to);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Post(".*", handler).Put(".*", handler).Delete(".*", handler);
  server.set_keep_alive_max_count(1);
  const int port = server.bind_to_any_port("127.0.0.1");
  if (port <= 0) throw std::runtime_error("can't listen for a gate");
  made->thread = std::thread([&server] { server.listen_after_bind(); });
  impl_->gates.push_back(std::move(made));
  return static_cast<std::uint16_t>(port);
}

void request_gates::hold(std::size_t number, side where) {
  const std::lock_guard lock(impl_->mutex);
  impl_->count = 0;
  impl_->held_number = number;
  impl_->where = where;
}

bool request_gates::holds() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->holding;
}

void request_gates::open() {
  const std::lock_guard lock(impl_->mutex);
  impl_->held_number = none;
  impl_->holding = false;
  ++impl_->opened_times;
  impl_->opened.notify_all();
}

void request_gates::rewrite(std::string from, std::string to) {
  const std::lock_guard lock(impl_->mutex);
  impl_->rewrites.emplace_back(std::move(from), std::move(to));
}

}  // namespace strata::tests
