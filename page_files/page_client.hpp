#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/address.hpp"
#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "page_files/page_source.hpp"

namespace strata::page_files {

class page_channel;

struct page_client_options {
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn at;  ///< of all pages. A pageserver that is behind makes a request wait
  /// Where the page service is now: called for each attempt to connect, for a restarted pageserver has other ports.
  std::function<core::result<core::address>()> locate;
  /// A range that was not answered so long after fetch() fails with errc::timeout.
  std::chrono::milliseconds answer_limit{60'000};
  /// An attempt to connect that has no page stream by then is given up.
  std::chrono::milliseconds connect_limit{5'000};
  const core::clock* clock = &core::system_clock();
};

/// Reads of which none is answered.
struct page_service_wait {
  core::monotonic_time since;
  std::string text;  ///< "waiting for the page service at 127.0.0.1:5454: connection refused"
};

/// The pages of a timeline as of one LSN, from a page service over TCP. Never waits: its owner's loop calls it when
/// poll_fd() is readable and when next_deadline() has come.
///
/// A lost connection is replaced (at first after 20 ms, at last every second) and its unanswered ranges are requested
/// again. A damaged answer (wrong range, count or checksum) ends the connection, and its range is requested once more,
/// then errc::corrupt. An error of the server about a range goes to the receiver, unless it may go away by itself
/// (busy, stopping, WAL that has not arrived): then it is like a lost connection.
///
/// Receivers may call fetch(), and must not destroy the client. Memory: one response per connection, 1.1 MiB together,
/// and the ranges that wait. Their number is bounded by the caller alone.
class page_client final : public page_source {
 public:
  /// Ranges up to this size have a connection of their own: a page that a query waits for must not stand behind the
  /// megabytes of a scan. More connections than these two would only divide the server's work.
  static constexpr std::uint32_t small_pages_max = 8;

  /// Connects when it is asked for pages. errc::io_error when the process has no descriptors left.
  static core::result<std::unique_ptr<page_client>> create(page_client_options options);
  ~page_client() override;

  /// Precondition: 1 to page_range::count_max pages.
  void fetch(const page_range& range, receiver then) override;

  /// Readable when on_ready() has work; may be watched by poll, or by epoll level-triggered.
  [[nodiscard]] int poll_fd() const { return poller_.get(); }
  void on_ready();
  /// When on_time() has work, without a call of on_ready().
  [[nodiscard]] std::optional<core::monotonic_time> next_deadline() const;
  void on_time(core::monotonic_time now);

  /// Set while ranges wait and no connection answers them: there is none, or it was silent for a second.
  [[nodiscard]] std::optional<page_service_wait> state() const;

 private:
  page_client(page_client_options options, io::unique_fd poller);

  page_client_options options_;
  io::unique_fd poller_;
  std::array<std::unique_ptr<page_channel>, 2> channels_;  ///< of small and of large ranges
};

}  // namespace strata::page_files
