#pragma once

#include <boost/container/small_vector.hpp>
#include <optional>
#include <variant>

#include "consensus/messages.hpp"
#include "core/result.hpp"

namespace strata::consensus {

/// What an acceptor must not forget. Term and history decide; the positions may be older than those in memory, because
/// a proposer announces commit_lsn again and removal of WAL uses what is written here.
struct acceptor_state {
  core::tenant_id tenant;
  core::timeline_id timeline;
  cluster_identity cluster;
  configuration members;
  term in;  ///< votes for this and lower terms are given away
  term_history history;
  core::lsn timeline_start;  ///< where the timeline's WAL begins
  core::lsn local_start;     ///< where this acceptor's WAL begins: above timeline_start if it was pulled from a peer
  core::lsn commit_lsn;
  core::lsn backup_lsn;         ///< WAL before it is in object storage
  core::lsn peer_horizon;       ///< every member has the WAL before it
  core::lsn remote_consistent;  ///< the pageserver needs no WAL before it
  auto operator<=>(const acceptor_state&) const = default;
};

// -- inputs beside the proposer's messages ----------------------------------------------------------------------------

/// Everything before `record_end`, the end of a whole record, is durable, and so are the bytes before `bytes_end`. A
/// record that ends a segment early (a switch) is whole once the rest of the segment is there: record_end <= bytes_end.
struct wal_flushed {
  core::lsn bytes_end;
  core::lsn record_end;
  auto operator<=>(const wal_flushed&) const = default;
};
/// What a peer, the offloader or a pageserver tells about the timeline. 0: says nothing.
struct timeline_news {
  term last_log_term;    ///< of the peer whose commit_lsn this is
  core::lsn commit_lsn;  ///< believed if last_log_term is ours, up to flush_lsn
  core::lsn backup_lsn;
  core::lsn peer_horizon;
  core::lsn remote_consistent;
  auto operator<=>(const timeline_news&) const = default;
};
/// The configuration is to be this one: taken over if it is newer. A member that is left out of it is told, too: from
/// then on it refuses to greet a proposer and to vote, until one greets it with a newer configuration that has it
/// again. It may be fed WAL of the same generation, by a peer from which it fetches what it needs to become a member:
/// what it has counts for nobody.
struct switch_members {
  configuration to;
  auto operator<=>(const switch_members&) const = default;
};
/// No proposer of a term below `to` gets anything acknowledged here any more.
struct bump_term {
  term to;
  auto operator<=>(const bump_term&) const = default;
};
using acceptor_input =
    std::variant<greeting, vote_request, elected, append, wal_flushed, timeline_news, switch_members, bump_term>;

// -- effects ----------------------------------------------------------------------------------------------------------

/// state() as it is now must be durable before any later effect is carried out.
struct persist_state {};
/// The bytes of the append that is being handled go to [begin, end) of the log.
struct write_wal {
  core::lsn begin;
  core::lsn end;
};
/// Everything at and after `to` goes, durably, before any later effect. Writing begins there. For an acceptor whose
/// state had no timeline_start: the log is made new, beginning at `to`, and files left by a crash in between are thrown
/// away. Always before the persist_state of the same input.
struct truncate_wal {
  core::lsn to;
};
struct send_reply {
  acceptor_message message;
};
using acceptor_effect = std::variant<persist_state, write_wal, truncate_wal, send_reply>;
/// In the order in which they are to be carried out; an effect that fails must not be followed by the next.
using acceptor_effects = boost::container::small_vector<acceptor_effect, 3>;

/// One member's part in keeping a timeline's WAL: a pure machine (rules: docs/consensus.md). The owner feeds
/// it one input at a time and carries out what comes back before the next, but may collect several appends before it
/// makes them durable and says so by wal_flushed; only then the last of them is answered. Before vote_request and
/// elected everything written must be flushed and said to be.
///
/// An error means that the message was refused, nothing has changed, and the connection it came by must be closed:
/// conflict (another cluster, tenant, timeline or generation), invalid_argument (not a member, is invalid here),
/// out_of_range (a gap, an overlap, a start that is not the common point).
///
/// Invariants, checked after each step (a few comparisons beside an fsync: they are on in every build): term and
/// commit_lsn never descend; commit_lsn <= flush_lsn <= write_lsn; history well formed and not above the term; never
/// truncates below commit_lsn.
class acceptor {
 public:
  /// As it was when it ended. `flush_lsn`: the end of the last whole record found in the log, behind which nothing may
  /// stand any more; 0 when the state has no timeline_start. Precondition: not below the state's commit_lsn.
  acceptor(node_id self, acceptor_state state, core::lsn flush_lsn);

  core::result<acceptor_effects> step(const acceptor_input& input);

  [[nodiscard]] node_id self() const { return self_; }
  /// As it is in memory: what persist_state writes.
  [[nodiscard]] const acceptor_state& state() const { return state_; }
  /// The next byte goes here. May be inside a record.
  [[nodiscard]] core::lsn write_lsn() const { return write_lsn_; }
  /// End of the last whole durable record.
  [[nodiscard]] core::lsn flush_lsn() const { return flush_lsn_; }
  [[nodiscard]] core::lsn commit_lsn() const { return state_.commit_lsn; }
  [[nodiscard]] term last_log_term() const { return state_.history.last_term_at(flush_lsn_); }
  /// Appends that were taken and not yet answered.
  [[nodiscard]] bool owes_reply() const { return owes_reply_; }

  auto operator<=>(const acceptor&) const = default;

 private:
  core::result<acceptor_effects> on(const greeting& message);
  core::result<acceptor_effects> on(const vote_request& message);
  core::result<acceptor_effects> on(const elected& message);
  core::result<acceptor_effects> on(const append& message);
  core::result<acceptor_effects> on(const wal_flushed& event);
  core::result<acceptor_effects> on(const timeline_news& event);
  core::result<acceptor_effects> on(const switch_members& event);
  core::result<acceptor_effects> on(const bump_term& event);

  [[nodiscard]] core::result<void> check_generation(std::uint32_t generation) const;
  [[nodiscard]] core::result<void> check_membership(const configuration& in) const;
  void persist(acceptor_effects& effects);
  /// commit_lsn follows what is `known` to be committed, as far as the log is durable.
  void advance_commit(core::lsn known, acceptor_effects& effects);
  [[nodiscard]] send_reply reply_to_append() const;
  void check_invariants() const;

  node_id self_;
  acceptor_state state_;
  core::lsn write_lsn_;
  core::lsn flush_lsn_;
  core::lsn announced_commit_;  ///< the highest a proposer of our term has said; may be above flush_lsn
  core::lsn persisted_commit_;  ///< in the last persist_state
  bool owes_reply_ = false;
};

}  // namespace strata::consensus
