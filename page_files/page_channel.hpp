#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "page_files/page_client.hpp"
#include "page_files/page_stream.hpp"

namespace strata::page_files {

/// Ranges in the order in which they were asked for, and the connection over which they are answered. A part of the
/// page client.
class page_channel {
 public:
  struct limits {
    std::uint32_t pages_max = 0;    ///< of a range
    std::size_t in_flight_max = 0;  ///< ranges
  };
  /// Where the connection is watched, and under which number.
  struct poll_entry {
    int poller = -1;
    std::uint32_t number = 0;
  };
  /// The options outlive it.
  page_channel(const page_client_options& options, limits most, poll_entry poll)
      : options_(options), limits_(most), poll_(poll) {}

  void add(const page_range& range, page_source::receiver then, core::monotonic_time now);
  void on_ready(std::uint32_t events, core::monotonic_time now);
  [[nodiscard]] std::optional<core::monotonic_time> next_deadline() const;
  void on_time(core::monotonic_time now);
  [[nodiscard]] std::optional<page_service_wait> wait(core::monotonic_time now) const;

 private:
  struct pending {
    pg::wire::pagestream_request request;
    core::monotonic_time deadline;
    bool was_damaged = false;    ///< an answer to it was
    page_source::receiver then;  ///< none: it has got its timeout, but the answer is still to come
  };
  [[nodiscard]] bool idle() const { return head_ == queue_.size(); }
  [[nodiscard]] std::size_t queued() const { return queue_.size() - head_; }
  [[nodiscard]] pending& front() { return queue_[head_]; }
  pending take_front();
  /// The first that has not got its timeout, or none.
  [[nodiscard]] const pending* first_waiting() const;
  void drop_done();

  // Of these none calls a receiver.
  void settle(core::monotonic_time now);
  void connect(core::monotonic_time now);
  core::result<void> try_connect();
  void send(core::monotonic_time now);
  void watch(bool output);
  void lose(std::string why, core::monotonic_time now);

  // These call receivers.
  void receive(core::monotonic_time now);
  bool deliver(core::monotonic_time now);
  bool take_answer(core::bytes_view payload, core::monotonic_time now);
  void lose_damaged(core::error why, core::monotonic_time now);
  void finish_front(core::result<core::bytes_view> outcome);
  void expire(core::monotonic_time now);

  [[nodiscard]] std::string service_name() const;

  const page_client_options& options_;
  limits limits_;
  poll_entry poll_;

  /// From head_ on: the first in_flight_ are requested on this connection, the others wait. In order of their
  /// deadlines.
  std::vector<pending> queue_;
  std::size_t head_ = 0;
  std::size_t in_flight_ = 0;
  std::uint64_t last_id_ = 0;
  bool delivering_ = false;  ///< a receiver may have a view of the stream: it must stay

  io::unique_fd fd_;
  std::unique_ptr<page_stream> stream_;
  bool connecting_ = false;
  bool watches_output_ = false;
  core::monotonic_time open_by_;       ///< the stream must be open, while there is one
  core::monotonic_time progress_;      ///< of requests in flight: sent, or one answered
  core::monotonic_time silent_since_;  ///< while ranges are queued: no answer

  core::backoff backoff_{{.first = std::chrono::milliseconds(20), .longest = std::chrono::milliseconds(1000)}};
  std::optional<core::monotonic_time> retry_at_;
  std::optional<core::address> address_;
  std::string reason_;  ///< why the last connection was lost, until there is an answer
};

}  // namespace strata::page_files
