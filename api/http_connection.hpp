#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http.hpp"
#include "api/request_head.hpp"
#include "core/admission.hpp"
#include "core/clock.hpp"

namespace strata::api {

struct http_limits {
  std::size_t head_size_max = 64u << 10;
  std::size_t body_size_max = 1u << 20;
  std::chrono::milliseconds head_limit{10'000};  ///< from a request's first byte, or the connection's first moment
  std::chrono::milliseconds body_limit{30'000};  ///< from the end of the head
  std::chrono::milliseconds idle_limit{30'000};  ///< between two requests
  /// For taking an answer, or a part of one; and a second more for each 16 KiB.
  std::chrono::milliseconds write_limit{60'000};
};

/// Bytes of bodies that are in memory, over all connections.
struct body_budget {
  std::size_t used = 0;
  std::size_t max = 64u << 20;
};

/// A request as it came, with the body that its head announces.
struct raw_request {
  std::string bytes;
  std::string method;  ///< empty: it is no HTTP
  std::string path;    ///< decoded
  std::size_t head_size = 0;
  /// The connection ends with the answer: where the next request would begin can't be told, or the body was too large
  /// to be read.
  bool last = false;
  [[nodiscard]] std::string_view body() const { return std::string_view(bytes).substr(head_size); }
};

/// What became of a request, ready to be sent.
struct raw_response {
  std::string bytes;
  bool close = false;
  body_source stream = nullptr;  ///< set: its parts follow, each as a chunk
  /// Set: it is not ready, and comes from here. As `wait` in http.hpp.
  std::function<std::function<void()>(std::function<void(raw_response)>)> later = nullptr;
};

/// One client of the HTTP server, without its socket: what it may do next, until when, and what is to be sent to it. A
/// client is waited for here and nowhere else.
class http_connection {
 public:
  http_connection(const http_limits& limits, body_budget& bodies, core::monotonic_time now);
  ~http_connection() { release_body(); }
  http_connection(const http_connection&) = delete;
  http_connection& operator=(const http_connection&) = delete;

  enum class phase : std::uint8_t {
    reading,   ///< a request, or waiting for one
    serving,   ///< somebody makes an answer, or the next part of one
    sending,   ///< an answer or a part of one
    draining,  ///< all is sent; what still comes is not read, so that the client gets to read the answer
    closed,
  };
  [[nodiscard]] phase now_in() const { return phase_; }
  /// Whether to read from the socket.
  [[nodiscard]] bool wants_input() const { return phase_ == phase::reading || phase_ == phase::draining; }
  [[nodiscard]] std::string_view output() const { return std::string_view(output_).substr(sent_); }
  /// For admission of others.
  [[nodiscard]] core::seat_use use(core::monotonic_time now) const;
  [[nodiscard]] core::monotonic_time since() const { return since_; }

  // -- what happens; each may change the phase
  void take_in(std::string_view bytes, core::monotonic_time now);
  void input_ended();
  void break_off() { phase_ = phase::closed; }
  /// A whole request, once: it is being served then, until answer().
  std::optional<raw_request> take_request(core::monotonic_time now);
  void answer(raw_response made, core::monotonic_time now);
  /// True: the next part of the answer is to be asked for, from stream(), and handed to add_part().
  [[nodiscard]] bool wants_part() const { return phase_ == phase::serving && stream_ != nullptr; }
  [[nodiscard]] const std::shared_ptr<body_source>& stream() const { return stream_; }
  /// An error breaks the connection off.
  void add_part(const core::result<body_part>& part, core::monotonic_time now);
  void sent(std::size_t count, core::monotonic_time now);
  /// Ends the waits that have lasted too long.
  void look_at_clock(core::monotonic_time now);

 private:
  void enter(phase to, core::monotonic_time now) {
    phase_ = to;
    since_ = now;
  }
  void send(std::string bytes, core::monotonic_time now);
  void refuse(int status, std::string_view code, const std::string& message, const std::string& next,
              core::monotonic_time now);
  bool find_head_in_input(core::monotonic_time now);
  void release_body();

  const http_limits& limits_;
  body_budget& bodies_;
  phase phase_ = phase::reading;
  core::monotonic_time since_;
  core::monotonic_time deadline_;
  bool had_request_ = false;

  std::string input_;
  std::size_t scanned_ = 0;  ///< no empty line ends before here
  struct announced {
    std::size_t head_size = 0;
    std::size_t size = 0;  ///< of head and body
    bool last = false;
    std::string method;
    std::string path;
  };
  std::optional<announced> announced_;
  std::size_t reserved_ = 0;

  std::string output_;
  std::size_t sent_ = 0;
  bool close_ = false;
  std::shared_ptr<body_source> stream_;
};

/// A whole answer.
std::string answer_text(const reply& of, bool close = true, bool head_only = false);
/// The head of an answer whose body follows in chunks.
std::string stream_head_text(const reply& of, bool close);

}  // namespace strata::api
