#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "consensus/acceptor.hpp"
#include "consensus/proposer.hpp"

/// The parts of the explored cluster: the real machines, each with what its owner keeps for it (files of an acceptor,
/// WAL in hand of a proposer), and what one input makes of one part. Positions count from 1, where the timeline begins,
/// and each is the end of a record. Of the log's bytes only one thing is modelled: the term whose proposer wrote each.
namespace strata::tests::model_check {

/// A promise of the protocol, or of ours, is broken.
struct violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void require(bool holds, const char* what);

/// The term that wrote each position of a log, from the first.
using labels = std::vector<std::uint8_t>;
/// What `history` says of a log that ends at `end`.
labels labels_of(const consensus::term_history& history, core::lsn end);
inline constexpr core::lsn first_position = core::lsn(1);
inline core::lsn end_of(const labels& log) { return first_position + log.size(); }

struct proposer_wire {
  consensus::proposer_message message;
  labels wal;  ///< of an append
  auto operator<=>(const proposer_wire&) const = default;
};

// -- acceptor ---------------------------------------------------------------------------------------------------------

struct acceptor_cell {
  consensus::acceptor machine;
  consensus::acceptor_state durable;  ///< as the last persist_state left it
  labels log;
  std::size_t synced = 0;  ///< of the log
  core::lsn told;          ///< the highest commit_lsn announced by the proposer it streams from, if above its own
  auto operator<=>(const acceptor_cell&) const = default;
};

struct acceptor_outcome {
  acceptor_cell after;
  std::optional<consensus::acceptor_message> reply;
  unsigned crashed_after = 0;  ///< it ended after that many effects and was started again
};

/// A message and everything it makes the owner do; and, for each point between two effects, what a crash there leaves.
/// Refused: no outcome. Nor has a vote_request or an elected while something is not flushed: the owner flushes first,
/// which is a step of its own here.
/// With `flushes` an append is flushed, and answered, in the same step.
std::vector<acceptor_outcome> deliver(const acceptor_cell& to, const proposer_wire& message, bool flushes);
/// Precondition: something is not flushed.
acceptor_outcome flush(const acceptor_cell& of);
/// Unsynced WAL and state that was not persisted are lost.
acceptor_cell restart(const acceptor_cell& of);
/// timeline_news, switch_members or bump_term; no outcome: refused.
std::vector<acceptor_outcome> tell(const acceptor_cell& to, const consensus::acceptor_input& event);

// -- proposer ---------------------------------------------------------------------------------------------------------

struct proposer_cell {
  consensus::proposer machine;
  labels in_hand;  ///< of one that resumes: the WAL it goes on with
  auto operator<=>(const proposer_cell&) const = default;
};

struct proposer_outcome {
  proposer_cell after;
  std::vector<std::pair<consensus::node_id, proposer_wire>> sent;
  std::vector<consensus::node_id> dropped;  ///< connections that it closed
  bool began_again = false;                 ///< superseded, or with newer members: all connections are gone
  bool superseded = false;
  std::optional<labels> won;        ///< elected with this log
  std::optional<labels> committed;  ///< said that all of this survives
};

proposer_outcome advance(const proposer_cell& of, const consensus::proposer_input& input);
/// One that has just been started and knows nothing.
proposer_cell fresh(const proposer_cell& like, const consensus::configuration& members);

}  // namespace strata::tests::model_check
