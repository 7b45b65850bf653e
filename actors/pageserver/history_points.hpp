#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/pageserver/history_bounds.hpp"
#include "actors/pageserver/ingest/followed_source.hpp"
#include "actors/pageserver/quorum/flushed_positions.hpp"
#include "actors/pageserver/quorum/quorum_head.hpp"
#include "actors/pageserver/write_path.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "actors/runtime/reply.hpp"
#include "core/clock.hpp"
#include "messages/timeline.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// Resolves requested points of a timeline's history: a moment, an LSN, or the head; and tracks up to when the history
/// is known. Part of the timeline actor: everything it needs of that is an argument. A moment that is not known yet
/// waits for a report of the source or of a majority of the safekeepers, or for a later commit.
class history_points {
 public:
  using reply = runtime::reply<messages::point_resolved>;
  using reached = std::function<void(const core::result<messages::lsn_reached>&)>;
  struct context {
    std::function<core::result<messages::lsn_leased>(core::lsn)> lease;
    std::function<void(core::lsn, std::chrono::milliseconds, reached)> wait;  ///< until the timeline has the LSN
    std::function<void()> ask_receiver;                                       ///< for WAL and a report
    flushed_question ask_flushed;                                             ///< asks safekeepers
  };

  /// `source` and `clock` outlive it.
  history_points(std::shared_ptr<storage::timeline_store> store, const followed_source& source,
                 const core::clock& clock, runtime::io_jobs jobs, context of);

  /// For the last commit before the start of the process; one that arrived since takes precedence.
  void look_up_last_commit();
  void resolve(const messages::resolve_point& request, const reply& owed);
  void tick();
  void stop();

  // -- what is known
  [[nodiscard]] history_bounds known() const;
  /// All commits until then have arrived. The newest report counts: a clock may be set back.
  void source_reported(core::wall_time until);
  /// A batch was ingested. Its commits determine earlier moments.
  void batch_in(const commits_of_batch& commits);
  [[nodiscard]] std::optional<core::wall_time> last_commit() const { return last_commit_; }
  /// More WAL may have arrived.
  void progressed();

 private:
  static constexpr std::size_t waiting_max = 1024;

  struct question {
    core::wall_time time;
    core::monotonic_time deadline;
    reply owed;
  };

  void find(const question& asked);
  void wait(const question& asked);
  void refuse(const question& asked);
  template <class Predicate>
  std::vector<question> take(Predicate leaves);
  void resolve_lsn(core::lsn at, std::chrono::milliseconds timeout, const reply& owed);
  /// Leases the point and answers.
  void keep(core::lsn at, const reply& owed);

  /// For the bounds of the history.
  void request_reply();
  /// All WAL that may have been acknowledged when they were asked ends at or before `head`. The newest answer counts.
  void quorum_answered(const core::result<core::lsn>& head, core::wall_time asked);
  /// All WAL up to here was handed over.
  [[nodiscard]] core::lsn handed_over() const;

  std::shared_ptr<storage::timeline_store> store_;
  const followed_source& source_;
  const core::clock& clock_;
  runtime::io_jobs jobs_;
  context context_;
  quorum_head head_;
  std::vector<question> waiting_;
  std::optional<core::wall_time> word_;
  std::optional<core::wall_time> first_word_;  ///< of this process
  std::optional<core::wall_time> last_commit_;
  bool stopped_ = false;

  struct quorum_word {
    core::lsn head;
    core::wall_time until;
  };
  bool asking_quorum_ = false;
  std::string quorum_error_;  ///< why the safekeepers did not report
  std::optional<quorum_word> quorum_word_;
};

}  // namespace strata::actors::pageserver
