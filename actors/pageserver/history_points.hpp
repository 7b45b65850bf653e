#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/pageserver/history_bounds.hpp"
#include "actors/pageserver/quorum/quorum_head.hpp"
#include "actors/runtime/reply.hpp"
#include "core/clock.hpp"
#include "messages/timeline.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// Who asks for the state at a moment of a timeline, or for the head of a branch with safekeepers, and what is known of
/// how far its history goes. Part of the timeline actor: everything it needs of that is a function. A moment whose
/// state is not known waits for a word, that of the source or of a majority of the safekeepers, or for a later commit.
class history_points {
 public:
  using reply = runtime::reply<messages::point_resolved>;
  using found = std::function<void(const core::result<storage::lsn_at_time>&)>;
  struct context {
    std::function<void(core::wall_time, found)> find;   ///< asks the store, on another thread
    std::function<void(core::lsn, const reply&)> keep;  ///< leases the point and answers
    std::function<history_bounds()> known;              ///< now
    std::function<void()> ask_for_word;                 ///< of how far the history goes
    std::function<std::string()> state;                 ///< of the receiver, for messages
    std::function<core::monotonic_time()> now;
    std::function<core::lsn()> last_record;
    std::function<core::lsn()> handed_over;  ///< all WAL up to here is in
    std::function<core::lsn()> committed;    ///< as far as safekeepers have told
  };
  struct question {
    core::wall_time time;
    core::monotonic_time deadline;
    reply owed;
  };

  explicit history_points(context around);

  void find(const question& asked);
  /// Of a branch with safekeepers.
  void find_head(std::chrono::milliseconds patience, const reply& owed) { head_.find(patience, owed); }
  void tick();
  void stop();

  // -- what is known
  /// Everything that was committed by then is in. The latest word counts: a clock may be set back.
  void word_came(core::wall_time until);
  /// A commit of that time is in: it shows where earlier moments were.
  void committed(core::wall_time time);
  [[nodiscard]] std::optional<core::wall_time> word() const { return word_; }
  [[nodiscard]] std::optional<core::wall_time> first_word() const { return first_word_; }

  // -- the word of safekeepers
  /// False: they are asked already.
  bool begin_asking_quorum();
  /// All that may have been acknowledged when they were asked ends at or before `head`. The newest answer counts.
  void quorum_answered(const core::result<core::lsn>& head, core::wall_time asked);
  /// All WAL up to `position` is in.
  void handed_over(core::lsn position);

 private:
  static constexpr std::size_t waiting_max = 1024;

  void wait(const question& asked);
  void refuse(const question& asked);
  template <class Predicate>
  std::vector<question> take(Predicate leaves);

  context around_;
  quorum_head head_;
  std::vector<question> waiting_;
  std::optional<core::wall_time> word_;
  std::optional<core::wall_time> first_word_;  ///< of this process
  bool stopped_ = false;

  struct quorum_word {
    core::lsn head;
    core::wall_time until;
  };
  bool asking_quorum_ = false;
  std::string quorum_error_;  ///< why the safekeepers gave no word
  std::optional<quorum_word> quorum_word_;
};

}  // namespace strata::actors::pageserver
