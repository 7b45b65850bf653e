#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/fair_share.hpp"
#include "api/http_connection.hpp"
#include "api/worker_lanes.hpp"

namespace strata::api {

struct front_options {
  int listener = -1;  ///< taken over
  std::size_t connections_max = 512;
  std::size_t streams_max = 64;
  http_limits limits;
  lane_sizes lanes = default_lane_sizes();
};

/// The sockets of the HTTP server: one thread accepts, reads and writes for all clients, and hands whole requests to
/// the lanes. So a client that is slow costs its own connection, and a thread is held by work only: an answer that has
/// to be waited for is sent when it comes, and a client that hangs up until then ends the wait. When all connections
/// are taken, one without a request under way makes room (core/admission.hpp).
class http_front {
 public:
  /// Called on the lanes' threads.
  using answerer = std::function<raw_response(const raw_request&)>;
  http_front(front_options options, answerer answer);
  ~http_front();
  http_front(const http_front&) = delete;
  http_front& operator=(const http_front&) = delete;

  void start();
  /// Breaks streams off, and returns when all requests that are here are answered, and the answers taken or 5 s over.
  void stop();
  [[nodiscard]] bool ending() const { return ending_; }

 private:
  struct client;
  struct news {
    std::uint64_t number = 0;
    raw_response answer;
    std::optional<core::result<body_part>> part;
  };
  struct mailbox;

  void run();
  void accept_all();
  void welcome(int fd, std::string peer);
  bool make_room(const std::string& newcomer);
  void hear(client& from);
  void advance(client& of);
  void hand_over(client& of, raw_request request);
  void ask_for_part(client& of);
  void begin_wait(client& of, raw_response pending);
  /// Gives back what a client has taken, but for its connection.
  void release(client& of);
  void release_wait(client& of);
  void release_stream(client& of);
  void flush(client& to);
  void watch(client& of);
  void handle_news();
  void close_ended();
  /// Whether all is done once it is stopped.
  bool wind_up(core::monotonic_time now);

  const front_options options_;
  const answerer answer_;
  worker_lanes lanes_;
  int listener_ = -1;
  int epoll_ = -1;
  /// Shared with those that are waited for: they may answer when nobody is here any more.
  std::shared_ptr<mailbox> mailbox_;
  body_budget bodies_;
  std::map<std::uint64_t, std::unique_ptr<client>> clients_;
  std::uint64_t numbered_;
  fair_share streams_;
  /// Requests whose answer is waited for. They hold nothing but a connection, and of these no more than half.
  fair_share waits_;
  bool accepting_ = true;
  core::monotonic_time accept_again_{};
  core::monotonic_time ended_at_{};

  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace strata::api
