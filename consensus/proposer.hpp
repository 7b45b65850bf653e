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
  /// Of a proposer that was elected before and continues with its WAL: the last term in which it saw `committed`
  /// (without one it can't continue), and later terms in which it was elected: acceptors may have their start, and no
  /// other proposer has written in them. It wins only if no other proposer has written since. Empty: a new proposer.
  std::vector<term> resumes;
  core::lsn written;  ///< with `resumes`: where its WAL ends
  /// WAL sent to one acceptor and not acknowledged.
  std::uint64_t window_bytes = 16u << 20;
  auto operator<=>(const proposer_options&) const = default;
};

/// An acceptor answers once for all that one sync made durable. With one append for each answer a record of 1 GB would
/// take 8,000 syncs in sequence. These are 4 MiB.
inline constexpr int appends_per_answer = 32;

// -- inputs -----------------------------------------------------------------------------------------------------------

/// A new connection to an acceptor: messages of earlier connections no longer arrive.
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
/// Our own WAL ends at `end` now. Only after election_won.
struct wal_written {
  core::lsn end;
  auto operator<=>(const wal_written&) const = default;
};
/// Sends heartbeats, and campaigns again if an election had no winner.
struct heartbeat_due {
  auto operator<=>(const heartbeat_due&) const = default;
};
using proposer_input = std::variant<acceptor_connected, acceptor_lost, acceptor_said, wal_written, heartbeat_due>;

// -- effects ----------------------------------------------------------------------------------------------------------

/// The owner finds the bytes of an append: from election_won::start on in its own WAL, before it in the donor's (read
/// with our term) or in that of any acceptor that streams and has them. No append has bytes of both. Messages to one
/// acceptor are sent in order.
struct send_to {
  node_id node;
  proposer_message message;
};
/// Only our WAL can be acknowledged, until superseded. Our own WAL begins at `start`; `donor` has everything before it.
struct election_won {
  term in;
  core::lsn start;
  node_id donor;
};
/// Everything before `to` survives.
struct committed {
  core::lsn to;
};
/// Final: the owner must make sure that no client trusts its Postgres any more. Caused by a higher term, or by WAL of
/// another proposer found with `resumes` (then `by` is that proposer's term).
struct superseded {
  term by;
};
/// An acceptor has a newer configuration: start again with it (and with `resumes` if elected).
struct members_changed {
  configuration to;
};
/// The acceptor sent something invalid: close the connection and open a new one.
struct drop_connection {
  node_id node;
  const char* why = "";
};
using proposer_effect = std::variant<send_to, election_won, committed, superseded, members_changed, drop_connection>;
using proposer_effects = boost::container::small_vector<proposer_effect, 4>;

/// The writer of a timeline: a pure machine (rules: docs/consensus.md).
///
///   collecting --quorum greeted--> campaigning --quorum voted--> leading --higher term--> superseded
///        ^                             |
///        `---- a higher term seen -----'   (the next heartbeat_due campaigns again)
///
/// While it leads, an acceptor that connects is still asked for its vote, for its history; then it receives the common
/// point and WAL from there. commit_lsn is the highest position that a quorum has flushed in this term: it moves only
/// once it reaches election_won::start.
///
/// A record may be longer than window_bytes, and flush_lsn moves only at its end. An answer that does not move it
/// permits appends_per_answer more appends; without answers nothing is sent beyond the window.
///
/// Invariants, checked after each step in every build: term and commit_lsn never descend; superseded is final;
/// commit_lsn is not after the end of our own WAL; nothing after that end is sent.
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

  /// What the proposer knows of one acceptor.
  struct peer {
    enum class state : std::uint8_t { away, greeting, greeted, voting, voted, streaming } now = state::away;
    node_id id;
    term in;
    bool vote_given = false;
    core::lsn flush_lsn;     ///< durable there, in a log that is a prefix of ours once it is streaming
    core::lsn acknowledged;  ///< flush_lsn as reported in our term: what counts; survives a lost connection
    core::lsn commit_lsn;
    core::lsn sent;  ///< end of the WAL sent
    core::lsn truncate_lsn;
    term_history history;
    auto operator<=>(const peer&) const = default;
  };
  /// By ascending id.
  [[nodiscard]] const std::vector<peer>& peers() const { return peers_; }
  /// Whether the election is lost and the next heartbeat_due begins another.
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
  /// Sends what fits the window and `extra` more appends; with `always` at least a heartbeat.
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
