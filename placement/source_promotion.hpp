#pragma once

#include <string>

#include "core/error.hpp"
#include "core/lsn.hpp"

namespace strata::placement {

/// The end of the following of a source: its branch becomes writable through safekeepers, from the end of the WAL that
/// was received. The owner carries out the step that now() names and hands over its outcome.
///
///   ask_source -> catch_up -> end_receiver -> flush -> store_record -> create_wal -> promoted
///       `------------`--> failed (or, forced, end_receiver)  `-----`--> failed
///
/// Only store_record changes something, in one durable step: a crash before it leaves a branch that follows its source,
/// a crash after it a writable branch whose safekeepers get the timeline later.
class source_promotion {
 public:
  enum class step {
    ask_source,    ///< where its WAL ends now
    catch_up,      ///< until all WAL before goal() is received
    end_receiver,  ///< no WAL of the source comes after it
    flush,         ///< WAL that only the source has is lost with it
    store_record,  ///< the source has ended, the safekeepers begin at boundary()
    create_wal,    ///< on the safekeepers
    promoted,
    failed
  };

  /// `force`: also without the WAL that has not arrived.
  explicit source_promotion(bool force) : force_(force) {}

  [[nodiscard]] step now() const { return step_; }
  [[nodiscard]] bool waits_for_source() const { return step_ == step::ask_source || step_ == step::catch_up; }
  [[nodiscard]] core::lsn goal() const { return goal_; }
  /// Precondition: the flush has succeeded.
  [[nodiscard]] core::lsn boundary() const { return boundary_; }
  /// What a forced one leaves at the source; empty: nothing.
  [[nodiscard]] const std::string& missing() const { return missing_; }
  /// Precondition: now() is failed.
  [[nodiscard]] const core::error& error() const { return error_; }
  /// It failed without a receiver: the source is to be followed again.
  [[nodiscard]] bool resumes() const { return step_ == step::failed && receiver_ended_; }

  void source_answered(core::lsn head);
  void caught_up();
  /// The source does not answer, or the WAL does not arrive.
  void source_lost(core::error why);
  void receiver_ended();
  /// `last`: end of the timeline's WAL; `durable`: up to where it is on disk.
  void flushed(core::lsn last, core::lsn durable);
  void record_stored();
  void wal_created();
  /// Of flush or store_record.
  void fail(core::error why);

  /// Empty while all invariants hold, else the one that does not. Checked after each input.
  [[nodiscard]] std::string broken_invariant() const;

 private:
  void enter(step to);

  bool force_;
  step step_ = step::ask_source;
  bool receiver_ended_ = false;
  bool caught_up_ = false;
  core::lsn goal_;
  core::lsn boundary_;
  core::lsn durable_;
  std::string missing_;
  core::error error_;
};

}  // namespace strata::placement
