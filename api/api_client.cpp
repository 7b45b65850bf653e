#include "api/api_client.hpp"

#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <thread>

#include "core/blocking.hpp"
#include "core/url.hpp"

namespace strata::api {
namespace {

using nlohmann::json;

constexpr std::size_t error_size_max = 1u << 20;
/// No answer is larger: a list of 100,000 timelines is half of it.
constexpr std::size_t answer_size_max = 256u << 20;
// The library hands bodies over in 4 KiB pieces: too small to write or unpack one by one.
constexpr std::size_t part_size = 256u << 10;
constexpr std::chrono::seconds longest_connect{5};
constexpr std::chrono::milliseconds first_busy_pause{20};
constexpr std::chrono::milliseconds longest_busy_pause{320};

httplib::Client connect(const std::string& address, std::chrono::seconds patience) {
  core::may_block("wait for a server's answer");
  httplib::Client client("http://" + address);
  client.set_connection_timeout(std::min(patience, longest_connect));
  client.set_read_timeout(patience);
  client.set_write_timeout(std::chrono::seconds(60));
  client.set_tcp_nodelay(true);
  return client;
}

/// Breaks a request off when its time is over, or its stop is requested. The library's own limit is for each read: a
/// server that sends a byte now and then would never reach it.
class interruption {
 public:
  enum class reason { none, time_over, stopped };

  /// `limit` 0: the time is not limited.
  interruption(httplib::Client& of, std::chrono::seconds limit, std::stop_token stop)
      : stop_(std::move(stop)), thread_([this, &of, limit] { watch(of, limit); }) {}
  ~interruption() {
    end();
    thread_.join();
  }
  interruption(const interruption&) = delete;
  interruption& operator=(const interruption&) = delete;
  /// The reason why the request was broken off before this call.
  reason end() {
    const std::lock_guard guard(mutex_);
    ended_ = true;
    changed_.notify_all();
    return reason_;
  }

 private:
  void watch(httplib::Client& of, std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    const auto ended = [this] { return ended_; };
    if (limit.count() > 0 ? changed_.wait_for(lock, stop_, limit, ended) : changed_.wait(lock, stop_, ended)) return;
    reason_ = stop_.stop_requested() ? reason::stopped : reason::time_over;
    // Again until the request has ended: it may have no socket yet.
    while (!ended_) {
      lock.unlock();
      of.stop();
      lock.lock();
      changed_.wait_for(lock, std::chrono::milliseconds(100), ended);
    }
  }

  std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool ended_ = false;            // guarded by mutex_
  reason reason_ = reason::none;  // guarded by mutex_
  std::thread thread_;
};

std::string target(const std::string& path, const api_client::query& with) {
  std::string made = path;
  for (const auto& [name, value] : with)
    made += (made.size() == path.size() ? '?' : '&') + core::url_encoded(name) + '=' + core::url_encoded(value);
  return made;
}

/// The library has one error for a connection that was closed and for one on which nothing arrived in time: the time
/// since the last byte tells them apart.
class silence {
 public:
  explicit silence(std::chrono::seconds patience) : patience_(patience) {}
  void heard() { since_ = std::chrono::steady_clock::now(); }
  [[nodiscard]] bool is_over() const { return std::chrono::steady_clock::now() - since_ >= patience_; }

 private:
  std::chrono::seconds patience_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

// `server`: its name and address.

core::error no_answer(const std::string& server, std::chrono::seconds patience, bool only_reads) {
  return {only_reads ? core::errc::timeout : core::errc::outcome_unknown,
          server + " did not answer within " + std::to_string(patience.count()) + " s"};
}

core::error given_up(const std::string& server) {
  return {core::errc::unavailable, "the request to " + server + " was given up, because this process ends"};
}

core::error connection_error(const std::string& server, httplib::Error failure) {
  if (failure == httplib::Error::Connection || failure == httplib::Error::ConnectionTimeout)
    return {core::errc::unavailable, server + " can't be reached"};
  if (failure == httplib::Error::Read)
    return {core::errc::outcome_unknown, server + " closed the connection before it answered"};
  return {core::errc::unavailable, "request to " + server + ": " + httplib::to_string(failure)};
}

core::errc code_of(std::string_view text) {
  for (int code = 0; code <= static_cast<int>(core::errc::io_error); ++code)
    if (core::to_string(static_cast<core::errc>(code)) == text) return static_cast<core::errc>(code);
  return core::errc::io_error;
}

core::error refusal_of(int status, const std::string& body) {
  const json parsed = json::parse(body, nullptr, false);
  if (parsed.is_object() && parsed.contains("error") && parsed["error"].is_object()) {
    const json& e = parsed["error"];
    const auto text = [&e](const char* name) {
      const auto found = e.find(name);
      return found != e.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const std::string message = text("message");
    return {code_of(text("code")), message.empty() ? "no reason given" : message};
  }
  return {core::errc::io_error, "HTTP status " + std::to_string(status)};
}

}  // namespace

template <class Call>
auto api_client::repeated(const Call& call, const bool& has_effect) const -> decltype(call()) {
  const auto deadline = std::chrono::steady_clock::now() + busy_limit_;
  // Those that are refused together must not come back together.
  std::minstd_rand random(std::random_device{}());
  for (auto pause = first_busy_pause;; pause = std::min(2 * pause, longest_busy_pause)) {
    auto outcome = call();
    const auto wait = pause / 2 + std::chrono::milliseconds(random() % static_cast<unsigned>(pause.count()));
    const bool goes_on = !outcome && !has_effect && outcome.error().code == core::errc::busy &&
                         std::chrono::steady_clock::now() + wait < deadline;
    if (!goes_on) return outcome;
    std::mutex alone;
    std::unique_lock lock(alone);
    if (std::condition_variable_any().wait_for(lock, stop_, wait, [this] { return stop_.stop_requested(); }))
      return given_up(server());
  }
}

core::result<std::string> api_client::send(const char* method, const std::string& path, const std::string& body) const {
  return repeated([&] { return send_once(method, path, body); });
}

core::result<void> api_client::download(const std::string& path, const query& with, const body_sink& sink) const {
  bool begun = false;
  const auto once = [&](core::bytes_view part) {
    begun = true;
    return sink(part);
  };
  return repeated([&] { return download_once(path, with, once); }, begun);
}

core::result<std::string> api_client::send_once(const char* method, const std::string& path,
                                                const std::string& body) const {
  httplib::Request asked;
  asked.method = method;
  asked.path = path;
  if (!body.empty()) {
    asked.body = body;
    asked.set_header("Content-Type", "application/json");
  }
  std::string answer;
  asked.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    if (size > answer_size_max - answer.size()) return false;
    answer.append(data, size);
    return true;
  };
  // The limit ends it first.
  httplib::Client client = connect(address_, patience_ + std::chrono::seconds(5));
  interruption limit(client, patience_, stop_);
  const httplib::Result got = client.send(asked);
  const auto why = limit.end();
  if (!got && why == interruption::reason::stopped) return given_up(server());
  if (!got && why == interruption::reason::time_over) return no_answer(server(), patience_, asked.method == "GET");
  if (!got && got.error() == httplib::Error::Canceled)
    return core::error{core::errc::io_error, "the answer of " + server() + " is too large"};
  if (!got) return connection_error(server(), got.error());
  if (got->status < 200 || got->status > 299) return refusal_of(got->status, answer);
  return answer;
}

core::result<json> api_client::send_json(const char* method, const std::string& path, const std::string& body) const {
  STRATA_ASSIGN(const std::string text, send(method, path, body));
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return core::error{core::errc::io_error, "the answer of " + server() + " is not JSON"};
  return parsed;
}

core::result<json> api_client::get(const std::string& path, const query& with) const {
  return send_json("GET", target(path, with), "");
}
core::result<json> api_client::post(const std::string& path, const json& body) const {
  return send_json("POST", path, body.dump());
}
core::result<json> api_client::put(const std::string& path, const json& body) const {
  return send_json("PUT", path, body.dump());
}
core::result<json> api_client::patch(const std::string& path, const json& body) const {
  return send_json("PATCH", path, body.dump());
}
core::result<json> api_client::remove(const std::string& path, const query& with) const {
  return send_json("DELETE", target(path, with), "");
}

core::result<void> api_client::download_once(const std::string& path, const query& with, const body_sink& sink) const {
  int status = 0;
  std::string refused;
  core::bytes part;
  std::optional<core::error> sink_failure;
  const auto hand_over = [&] {
    auto taken = part.empty() ? core::result<void>() : sink(part);
    part.clear();
    if (!taken) sink_failure = std::move(taken).error();
    return !sink_failure;
  };
  silence waited(patience_);
  const auto on_head = [&](const httplib::Response& head) {
    waited.heard();
    status = head.status;
    return true;
  };
  const auto on_body = [&](const char* data, std::size_t size) {
    waited.heard();
    if (status != 200) {
      refused.append(data, std::min(size, error_size_max - std::min(refused.size(), error_size_max)));
      return true;
    }
    core::append(part, {reinterpret_cast<const std::uint8_t*>(data), size});
    if (part.size() < part_size) return true;
    const bool goes_on = hand_over();
    waited.heard();  // the time that the sink took is not the server's
    return goes_on;
  };
  httplib::Client client = connect(address_, patience_);
  std::optional<interruption> stop;
  if (stop_.stop_possible()) stop.emplace(client, std::chrono::seconds(0), stop_);
  const httplib::Result got = client.Get(target(path, with), on_head, on_body);
  const bool stopped = stop && stop->end() == interruption::reason::stopped;
  if (sink_failure) return *std::move(sink_failure);
  if (!got && stopped) return given_up(server());
  if (!got && status == 200)
    return core::error{core::errc::io_error, waited.is_over() ? server() + " sent nothing more for " +
                                                                    std::to_string(patience_.count()) + " s"
                                                              : server() + " ended the transfer early; see its log"};
  if (!got && got.error() == httplib::Error::Read && waited.is_over()) return no_answer(server(), patience_, true);
  if (!got) return connection_error(server(), got.error());
  if (status != 200) return refusal_of(status, refused);
  if (!hand_over()) return *std::move(sink_failure);
  return {};
}

}  // namespace strata::api
