#pragma once

#include <cstdint>
#include <vector>

#include "consensus/proposer.hpp"
#include "consensus/term.hpp"

namespace strata::actors::compute {

/// The progress of a proposer, over all its terms, and its end. A pure machine.
///
///   electing --won()--> elected --synced()--> synced --streams()--> streaming
///   any of these --leave()--> leaving --supersede()--> superseded; superseded is final
///
/// A new configuration causes a new election, and leaves the stage unchanged.
class proposer_lifecycle {
 public:
  void won(consensus::term in);
  /// A quorum has everything before the start of our own WAL. True once: after the first election that was won.
  bool synced();
  /// A quorum has the current term: no proposer can be elected with an earlier one.
  void settled(consensus::term in);
  /// Postgres was started where our own WAL begins.
  void streams() { stage_ = stage::streaming; }
  /// Ends it; false: it is ending already.
  bool leave();
  /// Another proposer has a higher term; false: it was superseded already.
  bool supersede();

  [[nodiscard]] bool is_synced() const { return stage_ >= stage::synced; }
  /// Whether there is, or was, a Postgres whose WAL is in memory.
  [[nodiscard]] bool streamed() const { return stage_ == stage::streaming; }
  [[nodiscard]] bool leaving() const { return ending_ == ending::leaving; }
  [[nodiscard]] bool is_superseded() const { return ending_ == ending::superseded; }
  [[nodiscard]] bool ends() const { return ending_ != ending::none; }
  /// consensus::proposer_options::resumes.
  [[nodiscard]] const std::vector<consensus::term>& own_terms() const { return own_terms_; }

 private:
  enum class stage : std::uint8_t { electing, elected, synced, streaming };
  enum class ending : std::uint8_t { none, leaving, superseded };

  stage stage_ = stage::electing;
  ending ending_ = ending::none;
  std::vector<consensus::term> own_terms_;
};

/// "streaming": the state of an acceptor, for people.
const char* word_for(consensus::proposer::peer::state of);

}  // namespace strata::actors::compute
