#pragma once

#include <optional>
#include <utility>

#include "control/scope.hpp"
#include "core/ids.hpp"
#include "io/unique_fd.hpp"

namespace strata::control {

/// Held by a command from its look for the writer of a branch until its own compute is up, so that of two commands at
/// once the second one finds the first one's: a byte of computes/.writers, at a place that follows from the branch. The
/// kernel lets go of it when the command ends, however it ends; an agent that was forked has closed it.
class writer_lock {
 public:
  /// None when another command has it. Throws a failure when the file can't be locked.
  static std::optional<writer_lock> take(const scope& of, const core::timeline_id& branch);

 private:
  explicit writer_lock(io::unique_fd file) : file_(std::move(file)) {}
  io::unique_fd file_;
};

}  // namespace strata::control
