#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "io/sockets.hpp"
#include "page_files/page_client.hpp"
#include "pg/wire/pagestream.hpp"

namespace strata::tests {

/// A page client's connection, at the other end: a page service whose every byte the test decides.
class page_session {
 public:
  explicit page_session(io::unique_fd socket) : socket_(std::move(socket)) {}

  /// Sends, and takes in what has come; false when the client has closed the connection.
  bool look();
  /// The query that opens the stream, once it is there.
  [[nodiscard]] const std::string& command() const { return command_; }
  /// Accepts the command.
  void greet();
  /// Range requests that have come and were not taken.
  std::vector<pg::wire::pagestream_request> requests;
  std::size_t requests_seen = 0;
  pg::wire::pagestream_request take();

  void send(core::bytes_view bytes);
  void answer(const pg::wire::pagestream_request& request) { send(response(request)); }
  void refuse(const pg::wire::pagestream_request& request, const core::error& why);
  /// The right answer as a whole message; its parts are at these offsets.
  static core::bytes response(const pg::wire::pagestream_request& request);
  static constexpr std::size_t id_offset = 6;
  static constexpr std::size_t count_offset = 51;
  static constexpr std::size_t checksum_offset = 55;
  static constexpr std::size_t pages_offset = 59;
  static core::bytes error_message(const std::string& sqlstate, const std::string& text);

 private:
  void parse();
  void flush();
  io::unique_fd socket_;
  core::bytes output_;
  core::bytes input_;
  bool started_ = false;
  std::string command_;
};

/// Byte of a page of the service of page_session.
std::uint8_t page_byte(std::uint32_t block, std::size_t offset);

/// A client, the loop of its owner, its time, and ports for its connections.
struct page_client_fixture {
  page_client_fixture();
  /// With the options as they are now.
  void restart_client() { client = *page_files::page_client::create(options); }

  struct reply {
    std::optional<core::error> failure;
    bool right = false;  ///< the pages that were asked for
  };
  /// Returns the index of the reply.
  std::size_t fetch(std::uint32_t first, std::uint32_t count);
  [[nodiscard]] std::size_t answered() const;
  [[nodiscard]] bool is_right(std::size_t index) const { return replies[index] && replies[index]->right; }
  /// Of a failure, else io_error.
  [[nodiscard]] std::optional<core::errc> failure(std::size_t index) const;
  [[nodiscard]] bool all_right() const;

  /// One turn of the owner's loop, and of the sessions.
  void turn();
  /// Turns until it holds. Fails the test after 20 s.
  void until(const std::function<bool()>& holds);
  /// Turns for a while in which nothing should happen.
  void settle();
  /// Moves the time from deadline to deadline.
  void advance(std::chrono::milliseconds by);

  /// The next connection of the client, with `requests` requests, greeted.
  std::shared_ptr<page_session> next_session(std::size_t requests = 1, bool greet = true);
  /// Closes it.
  void end(std::shared_ptr<page_session>& session);

  io::tcp_listener listener;
  core::manual_clock clock;
  std::uint16_t port;  ///< that the client is told
  int located = 0;
  std::vector<std::shared_ptr<page_session>> sessions;  ///< that still are connected
  std::vector<std::optional<reply>> replies;
  page_files::page_client_options options;
  std::unique_ptr<page_files::page_client> client;
  bool in_fetch = false;
};

}  // namespace strata::tests
