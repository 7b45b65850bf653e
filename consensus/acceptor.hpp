#pragma once

#include <boost/container/small_vector.hpp>
#include <optional>
#include <variant>

#include "consensus/messages.hpp"
#include "core/result.hpp"

namespace strata::consensus {

/// The durable state of an acceptor. Term and history must be current. The positions may be older than those in memory:
/// a proposer announces commit_lsn again, and WAL is removed only by positions that are durable.
struct acceptor_state {
  core::tenant_id tenant;
  core::timeline_id timeline;
  cluster_identity cluster;
  configuration members;
  term in;  ///< votes only in higher terms
  term_history history;
  core::lsn timeline_start;  ///< where the timeline's WAL begins
  core::lsn local_start;     ///< where this acceptor's WAL begins: after timeline_start if it was pulled from a peer
  core::lsn commit_lsn;
  core::lsn backup_lsn;         ///< WAL before it is in object storage
  core::lsn peer_horizon;       ///< every member has the WAL before it
  core::lsn remote_consistent;  ///< the pageserver needs no WAL before it
  auto operator<=>(const acceptor_state&) const = default;
};

// -- inputs beside the proposer's messages ----------------------------------------------------------------------------

/// WAL is durable before `record_end`, the end of a whole record, and before `bytes_end`. A record that ends a segment
/// early (a switch) is whole only with the rest of its segment: record_end <= bytes_end.
struct wal_flushed {
  core::lsn bytes_end;
  core::lsn record_end;
  auto operator<=>(const wal_flushed&) const = default;
};
/// Positions of the timeline that a peer, the offloader or a pageserver has reported. 0: not reported.
struct timeline_news {
  term last_log_term;    ///< of the peer whose commit_lsn this is
  core::lsn commit_lsn;  ///< used if last_log_term is ours, up to flush_lsn
  core::lsn backup_lsn;
  core::lsn peer_horizon;
  core::lsn remote_consistent;
  auto operator<=>(const timeline_news&) const = default;
};
/// Installs this configuration if it is newer. A member that it leaves out receives it as well: from then on that
/// member refuses to greet a proposer and to vote, until a proposer greets it with a newer configuration that includes
/// it. A peer may still send it WAL of the same generation, which it fetches to become a member; no quorum counts that
/// WAL.
struct switch_members {
  configuration to;
  auto operator<=>(const switch_members&) const = default;
};
/// WAL of proposers with a term below `to` is no longer acknowledged.
struct bump_term {
  term to;
  auto operator<=>(const bump_term&) const = default;
};
using acceptor_input =
    std::variant<greeting, vote_request, elected, append, wal_flushed, timeline_news, switch_members, bump_term>;

// -- effects ----------------------------------------------------------------------------------------------------------

/// state() must be durable before any later effect is carried out.
struct persist_state {};
/// The bytes of the append that is being handled go to [begin, end) of the log.
struct write_wal {
  core::lsn begin;
  core::lsn end;
};
/// Removes everything at and after `to`, durably, before any later effect; writing continues there. If the acceptor's
/// state had no timeline_start the log is created at `to`, and files that a crash left are removed.
/// Always before the persist_state of the same input.
struct truncate_wal {
  core::lsn to;
};
struct send_reply {
  acceptor_message message;
};
using acceptor_effect = std::variant<persist_state, write_wal, truncate_wal, send_reply>;
/// Carried out in this order; after an effect that failed the next must not be carried out.
using acceptor_effects = boost::container::small_vector<acceptor_effect, 3>;

/// One member's part in keeping a timeline's WAL: a pure machine (rules: docs/consensus.md). The owner passes one input
/// at a time and carries out its effects before the next. It may collect several appends before it makes them durable
/// and passes wal_flushed; only the last of them is answered then. Before vote_request and elected it must flush all
/// WAL that was written and pass wal_flushed.
///
/// An error refuses the message and changes nothing; the connection that it came by must be closed:
/// conflict (another cluster, tenant, timeline or generation), invalid_argument (not a member, or invalid now),
/// out_of_range (a gap, an overlap, a start that is not the common point).
///
/// Invariants, checked after each step (a few comparisons beside an fsync: they are on in every build): term and
/// commit_lsn never descend; commit_lsn <= flush_lsn <= write_lsn; history well formed and not above the term; never
/// truncates below commit_lsn.
class acceptor {
 public:
  /// Restores an acceptor. `flush_lsn`: the end of the last whole record in the log, which must end there; 0 when the
  /// state has no timeline_start. Precondition: not below the state's commit_lsn.
  acceptor(node_id self, acceptor_state state, core::lsn flush_lsn);

  core::result<acceptor_effects> step(const acceptor_input& input);

  [[nodiscard]] node_id self() const { return self_; }
  /// As in memory: what persist_state writes.
  [[nodiscard]] const acceptor_state& state() const { return state_; }
  /// Where the next append begins. May be inside a record.
  [[nodiscard]] core::lsn write_lsn() const { return write_lsn_; }
  /// End of the last whole durable record.
  [[nodiscard]] core::lsn flush_lsn() const { return flush_lsn_; }
  [[nodiscard]] core::lsn commit_lsn() const { return state_.commit_lsn; }
  [[nodiscard]] term last_log_term() const { return state_.history.last_term_at(flush_lsn_); }
  /// Whether appends were accepted and are not answered yet.
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
  /// Moves commit_lsn to `known`, a committed position, as far as the log is durable.
  void advance_commit(core::lsn known, acceptor_effects& effects);
  [[nodiscard]] send_reply reply_to_append() const;
  void check_invariants() const;

  node_id self_;
  acceptor_state state_;
  core::lsn write_lsn_;
  core::lsn flush_lsn_;
  core::lsn announced_commit_;  ///< the highest that a proposer of our term sent; may be after flush_lsn
  core::lsn persisted_commit_;  ///< in the last persist_state
  bool owes_reply_ = false;
};

}  // namespace strata::consensus
