#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "messages/safekeeper.hpp"

namespace strata::actors::safekeeper {

/// Asks the safekeeper whose HTTP API is at `host` (HOST:PORT) for its copy of a timeline. Blocks, for a bounded time.
using ask_donor = std::function<core::result<messages::wal_donor>(const std::string& host, const core::timeline_key&)>;

struct donor_answer {
  std::string host;
  core::result<messages::wal_donor> copy;
};
/// The donor with the most of the newest WAL: the highest term of the last record counts first, then flush_lsn. Of
/// equal ones the first. errc::unavailable, with the error of each host, if none has the timeline; errc::corrupt if the
/// best one answered with another timeline.
core::result<messages::wal_donor> best_donor(const core::timeline_key& of, const std::vector<donor_answer>& answers);

/// Searches for donors. One host is asked at a time, over all searches, and each search in turn: hosts that do not
/// answer hold one thread, whatever their number, and delay other searches by one question. Part of an actor: all calls
/// and callbacks on its thread.
class donor_search {
 public:
  using outcome = std::function<void(core::result<messages::wal_donor>)>;
  using question = std::function<core::result<messages::wal_donor>()>;
  /// Runs a question on a thread that may block, then calls back here.
  using offload = std::function<void(std::string what, question, outcome)>;

  /// Without `ask` every search ends with errc::unsupported.
  donor_search(ask_donor ask, offload run) : ask_(std::move(ask)), run_(std::move(run)) {}

  void find(messages::pull_wal_timeline wanted, outcome then);

 private:
  struct search {
    messages::pull_wal_timeline wanted;
    outcome then;
    std::vector<donor_answer> answers{};
  };
  void ask_next();
  void answered(core::result<messages::wal_donor> copy);

  ask_donor ask_;
  offload run_;
  std::deque<search> searches_;  ///< the host of the first one is being asked
  bool asking_ = false;
};

}  // namespace strata::actors::safekeeper
