#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/result.hpp"
#include "placement/known_branch.hpp"
#include "storage/records.hpp"

namespace strata::placement {

/// The names of its child branches, also of those that are being created.
std::vector<std::string> children_of(const core::timeline_id& id, std::span<const known_branch> branches);
/// What a person has confirmed is a name, and a reset can have given it to another branch since. errc::conflict when
/// the branch `id` has another name than `expected`, unless that is empty. Precondition: it is among `branches`.
core::result<void> check_name(const core::timeline_id& id, const std::string& expected,
                              std::span<const known_branch> branches);
/// errc::conflict, with the reason, when the branch `id` is protected or has child branches; errc::busy while it is
/// being reset. Precondition: it is among `branches`.
core::result<void> check_deletion(const core::timeline_id& id, std::span<const known_branch> branches);

/// errc::conflict, naming them, when a tenant has protected branches.
core::result<void> check_removal(std::span<const known_branch> branches);

/// The deletion of one timeline, from a request that passed check_deletion() to its end. The owner carries out the step
/// that now() names and hands over its outcome.
///
///   mark -> end_writer -> remove_files -> delete_record -> finished
///     `--> not_deleted        `-----------------`--> left_behind
///
/// The reply comes after mark, which is durable: from then on the branch is gone for every client. What is left after a
/// crash, or of a step that failed, is a marked record, with or without files; the next start resumes it.
class timeline_deletion {
 public:
  enum class step {
    mark,           ///< stores state deleting
    end_writer,     ///< the actor that may be writing its files
    remove_files,   ///< its directory; none is as good
    delete_record,  ///< and, in the same step, writes down which safekeepers still have its WAL
    finished,
    not_deleted,  ///< the mark could not be stored: the branch stays
    left_behind   ///< the rest is for the next start
  };

  /// For a client's request.
  timeline_deletion() = default;
  /// Of a marked record that was found at start, when nothing writes to it.
  static timeline_deletion resumed();
  /// Whether the record was left by a deletion.
  static bool was_interrupted(const storage::timeline_record& record) {
    return record.state == storage::timeline_state::deleting;
  }

  [[nodiscard]] step now() const { return step_; }
  /// The mark is durable: the client has its reply, and the branch does not come back.
  [[nodiscard]] bool decided() const { return marked_; }
  [[nodiscard]] bool ended() const {
    return step_ == step::finished || step_ == step::not_deleted || step_ == step::left_behind;
  }

  void marked(bool has_writer);
  void writer_ended();
  void files_removed();
  void record_deleted();
  /// Of the present step. Precondition: that is not end_writer.
  void fail();

  /// Empty while all invariants hold, else the one that does not. Checked after each input.
  [[nodiscard]] std::string broken_invariant() const;

 private:
  void enter(step to);

  step step_ = step::mark;
  bool marked_ = false;
  bool writer_runs_ = false;
  bool files_gone_ = false;
};

}  // namespace strata::placement
