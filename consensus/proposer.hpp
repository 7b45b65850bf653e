#pragma once

#include <boost/container/small_vector.hpp>
#include <optional>
#include <vector>

#include "consensus/messages.hpp"
#include "core/result.hpp"

namespace strata::consensus {

struct proposer_options {
  core::tenant_id tenant;
  core::timeline_id timeline;
  cluster_identity cluster;
  configuration members;
  /// Where the timeline begins if no acceptor has any WAL of it.
  core::lsn timeline_start;
  /// Of a proposer that was elected before and wants to go on with the WAL it has: the last term in which it saw
  /// `committed` (before, it has nothing to go on with), and those it was elected in since: some acceptors may know of
  /// them, and nobody else has written in them. It wins only if nobody has written since. Empty: it begins anew.
  std::vector<term> resumes;
  core::lsn written;  ///< with `resumes`: where its WAL ends
  /// WAL sent to one acceptor and not acknowledged.
  std::uint64_t window_bytes = 16u << 20;
  auto operator<=>(const proposer_options&) const = default;
};

/// An acceptor answers once for all that one sync made durable. With one append for each answer a record of 1 GB would
/// take 8,000 syncs one after the other; this many are 4 MiB.
inline constexpr int appends_per_answer = 32;

// -- inputs -----------------------------------------------------------------------------------------------------------

/// A fresh connection to an acceptor: nothing that was sent by an earlier one will arrive any more.
struct acceptor_connected {
  node_id node;
  auto operator<=>(const acceptor_connected&) const = default;
};
struct acceptor_lost {
  node_id node;
  auto operator<=>(const acceptor_lost&) const = default;
};
struct acceptor_said {
  node_id node;
  acceptor_message message;
  auto operator<=>(const acceptor_said&) const = default;
};
/// The own WAL reaches to `end` now. Only after election_won.
struct wal_written {
  core::lsn end;
  auto operator<=>(const wal_written&) const = default;
};
/// Time to show that we live, and to campaign again if an election brought no winner.
struct heartbeat_due {
  auto operator<=>(const heartbeat_due&) const = default;
};
using proposer_input = std::variant<acceptor_connected, acceptor_lost, acceptor_said, wal_written, heartbeat_due>;

// -- effects ----------------------------------------------------------------------------------------------------------

/// The bytes of an append are the owner's to find: own WAL from election_won::start on, before it the donor's (read
/// with our term), or those of any acceptor that streams and has them. No append has bytes of both. Messages to one
/// acceptor go out in order.
struct send_to {
  node_id node;
  proposer_message message;
};
/// We are the only one whose WAL can be acknowledged, until superseded. Own WAL begins at `start`; `donor` has
/// everything before it.
struct election_won {
  term in;
  core::lsn start;
  node_id donor;
};
/// Everything before `to` survives.
struct committed {
  core::lsn to;
};
/// Final: the owner must see to it that nobody believes its Postgres any more. By a higher term, or because `resumes`
/// found WAL of somebody else (then `by` is that one's term).
struct superseded {
  term by;
};
/// An acceptor knows a newer configuration: start again with it (and with `resumes` if elected).
struct members_changed {
  configuration to;
};
/// The acceptor said what is invalid: close the connection and open a new one.
struct drop_connection {
  node_id node;
  const char* why = "";
};
using proposer_effect = std::variant<send_to, election_won, committed, superseded, members_changed, drop_connection>;
using proposer_effects = boost::container::small_vector<proposer_effect, 4>;

/// The one that writes: a pure machine (rules: docs/consensus.md).
///
///   collecting --quorum greeted--> campaigning --quorum voted--> leading --higher term--> superseded
///        ^                             |
///        `---- a higher term seen -----'   (then the next heartbeat_due begins again)
///
/// While it leads, an acceptor that connects is asked for its vote all the same, to learn its history; then it is told
/// the common point and fed from there. commit_lsn is the highest position that a quorum has flushed in this term: it
/// moves only once it reaches election_won::start.
///
/// A record may be longer than window_bytes, and flush_lsn moves only at its end: an answer that does not move it lets
/// appends_per_answer more out, so that who answers nothing is sent nothing beyond the window.
///
/// Invariants, checked after each step in every build: term and commit_lsn never descend; superseded is final;
/// commit_lsn is not above the own WAL; nothing is sent behind it.
class proposer {
 public:
  /// Precondition: check(options.members).
  explicit proposer(proposer_options options);

  proposer_effects step(const proposer_input& input);

  enum class phase : std::uint8_t { collecting, campaigning, leading, superseded };
  [[nodiscard]] phase now() const { return phase_; }
  [[nodiscard]] term in() const { return term_; }
  /// Valid while leading.
  [[nodiscard]] core::lsn start_lsn() const { return start_; }
  [[nodiscard]] core::lsn commit_lsn() const { return commit_; }
  [[nodiscard]] core::lsn truncate_lsn() const { return truncate_; }
  [[nodiscard]] core::lsn written() const { return written_; }
  [[nodiscard]] const term_history& history() const { return history_; }
  [[nodiscard]] const proposer_options& options() const { return options_; }

  /// One acceptor as the proposer sees it.
  struct peer {
    enum class state : std::uint8_t { away, greeting, greeted, voting, voted, streaming } now = state::away;
    node_id id;
    term in;
    bool vote_given = false;
    core::lsn flush_lsn;     ///< durable there, in a log that is a prefix of ours once it is streaming
    core::lsn acknowledged;  ///< flush_lsn as it was told in our term: what counts, and stays when the connection goes
    core::lsn commit_lsn;
    core::lsn sent;  ///< end of what was sent
    core::lsn truncate_lsn;
    term_history history;
    auto operator<=>(const peer&) const = default;
  };
  /// ids ascend
  [[nodiscard]] const std::vector<peer>& peers() const { return peers_; }
  /// The election is lost; the next heartbeat_due begins another.
  [[nodiscard]] bool campaigns_again() const { return campaigns_again_; }

  auto operator<=>(const proposer&) const = default;

 private:
  void on(const acceptor_connected& event, proposer_effects& out);
  void on(const acceptor_lost& event, proposer_effects& out);
  void on(const acceptor_said& event, proposer_effects& out);
  void on(const wal_written& event, proposer_effects& out);
  void on(const heartbeat_due& event, proposer_effects& out);
  void hear(peer& from, const greeting_reply& message, proposer_effects& out);
  void hear(peer& from, const vote_reply& message, proposer_effects& out);
  void hear(peer& from, const append_reply& message, proposer_effects& out);

  void campaign(proposer_effects& out);
  void ask_for_vote(peer& of, proposer_effects& out) const;
  void win(proposer_effects& out);
  void begin_streaming(peer& to, proposer_effects& out);
  /// Sends what fits the window, and `extra` appends more; with `always` at least a sign of life.
  void feed(peer& to, bool always, int extra, proposer_effects& out) const;
  void advance_commit(proposer_effects& out);
  void advance_truncate();
  void supersede(term by, proposer_effects& out);
  [[nodiscard]] peer* find(node_id id);
  [[nodiscard]] bool has_quorum_of_greeted() const;
  void check_invariants() const;

  proposer_options options_;
  phase phase_ = phase::collecting;
  bool campaigns_again_ = false;
  term term_;
  term_history history_;
  core::lsn start_;
  core::lsn written_;
  core::lsn commit_;
  core::lsn truncate_;
  std::vector<peer> peers_;
};

}  // namespace strata::consensus
