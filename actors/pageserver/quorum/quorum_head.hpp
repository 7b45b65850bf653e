#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/runtime/reply.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// Requests for the head of a branch with safekeepers. The WAL that has arrived is not the head: acknowledged commits
/// may still be in flight. A request is answered when everything has arrived that a quorum may have acknowledged
/// when the request came; only safekeepers that were asked after that can report it. All requests that came before a
/// round of questions share it. Part of history_points, which asks.
class quorum_head {
 public:
  using reply = runtime::reply<messages::point_resolved>;
  struct context {
    std::function<void(const reply&)> keep;  ///< leases the last record and answers
    std::function<core::lsn()> handed_over;  ///< all WAL up to here was handed over
    std::function<core::lsn()> committed;    ///< by the receiver's last report; 0: none
    std::function<std::string()> state;      ///< of the receiver, for messages
    std::function<core::monotonic_time()> now;
    std::function<void()> ask;  ///< starts a round of questions, unless one is in progress
  };

  explicit quorum_head(context around) : around_(std::move(around)) {}

  void find(std::chrono::milliseconds patience, const reply& owed);
  [[nodiscard]] bool awaited() const { return !waiting_.empty(); }

  // -- the rounds: one at a time
  void round_begins() { ++rounds_; }
  /// All WAL that may have been acknowledged when the round began ends at or before `head`.
  void round_ended(const core::result<core::lsn>& head);

  void handed_over(core::lsn position);
  void tick();
  void stop();

 private:
  static constexpr std::size_t waiting_max = 1024;
  /// A request without patience still waits this long for the safekeepers' answer.
  static constexpr std::chrono::milliseconds round_limit{2000};

  struct request {
    std::uint64_t after = 0;  ///< the first round that counts is the next one
    core::monotonic_time answer_limit;
    core::monotonic_time deadline;
    reply owed;
    bool told = false;                ///< a round that counts has ended
    std::optional<core::lsn> needed;  ///< the lowest head of such rounds
  };

  [[nodiscard]] bool overdue(const request& of) const;
  [[nodiscard]] std::string why_not(const request& of) const;
  void settle();

  context around_;
  std::vector<request> waiting_;
  std::uint64_t rounds_ = 0;
  std::string round_error_;  ///< why the last round had no result
  bool stopped_ = false;
};

}  // namespace strata::actors::pageserver
