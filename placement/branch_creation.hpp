#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "placement/known_branch.hpp"
#include "storage/records.hpp"

namespace strata::placement {

/// A branch that a client asked for.
struct branch_request {
  core::timeline_id ancestor;
  std::optional<core::lsn> at;  ///< absent: the ancestor's head
  std::string name;
  std::optional<core::timeline_id> id;  ///< absent: the server chooses one, and the request can't be repeated
};

enum class creation_check {
  create,
  repeated  ///< the branch `*request.id` is the very one that is asked for
};
/// errc::invalid_argument for the name; errc::conflict when the name or the id belongs to a different branch, or to any
/// branch when the request has no id to tell; errc::busy while the branch of that id is being created, or the ancestor
/// is being reset.
core::result<creation_check> check_creation(const branch_request& request, std::span<const known_branch> branches);

/// What is decided about a branch that is about to be stored.
struct new_branch {
  core::timeline_id id;
  std::string name;
  core::lsn at;
  core::lsn previous_record;  ///< start of the ancestor's record that ends at `at`; 0: unknown
  core::wall_time created{};
  bool deletion_protected = false;
  std::optional<core::wall_time> expires = {};
  std::optional<bool> logical_wal = {};  ///< absent: as the ancestor
};
/// The child's record, made from nothing: it names every field, and takes from the ancestor what a cluster can't
/// change, the extension records before the branch point, and the wal_level unless another one is asked for.
storage::timeline_record branch_record(const storage::timeline_record& ancestor, const new_branch& branch);

/// One creation, from a request that passed check_creation() to the reply. The owner carries out the step that now()
/// names and hands over its outcome; every step may fail.
///
///   find_point -> register_point -> flush_ancestor -> store_record -> open_timeline -> created
///                              `------ durable ---------^                              failed, from each of them
///
/// Only store_record leaves something: a crash before it leaves no trace, a crash after it leaves the branch. The
/// point that register_point adds lives in the ancestor's memory, and comes back from the child's record.
class branch_creation {
 public:
  enum class step {
    find_point,      ///< the ancestor's head, or wait until its WAL has come to the point
    register_point,  ///< the ancestor refuses a point outside its window, and keeps this one from now on
    flush_ancestor,  ///< makes the ancestor durable up to the point
    store_record,
    open_timeline,
    created,
    failed
  };

  [[nodiscard]] step now() const { return step_; }
  /// Precondition: the point was found.
  [[nodiscard]] core::lsn at() const { return at_; }
  /// Precondition: now() is failed.
  [[nodiscard]] const core::error& error() const { return error_; }
  /// The record is durable. A creation that fails all the same leaves a branch: a broken one until the next start.
  [[nodiscard]] bool stored() const { return stored_; }
  /// The ancestor keeps a point for a branch that will never be: to be removed there. Precondition: now() is failed.
  [[nodiscard]] bool leaves_point() const { return registered_ && !stored_; }

  // `ancestor_durable`: the ancestor's disk_consistent_lsn after the step.
  void point_found(core::lsn at);
  void point_registered(core::lsn ancestor_durable);
  void ancestor_flushed(core::lsn ancestor_durable);
  void record_stored();
  void timeline_opened();
  /// Of the present step.
  void fail(core::error why);

  /// Empty while all invariants hold, else the one that does not. Checked after each input.
  [[nodiscard]] std::string broken_invariant() const;

 private:
  void enter(step to);

  step step_ = step::find_point;
  core::lsn at_;
  core::lsn ancestor_durable_;
  bool registered_ = false;
  bool stored_ = false;
  core::error error_;
};

}  // namespace strata::placement
